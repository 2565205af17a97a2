package config

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"

	"github.com/containerpub/cpub/engine"
	"github.com/containerpub/cpub/engine/eval"
)

// Options are what Load may be told.
type Options struct {
	// Version is this build's, such as "0.1.0", for `required_version`; a version of another form satisfies every constraint.
	Version string
}

// Module is a checked module.
type Module struct {
	*eval.Module
	// Dir is the module's folder. Diagnostics name files relative to it.
	Dir string
	// Plans are the module's pipelines, in order of declaration; empty when there is an error anywhere.
	Plans []*engine.Plan
	// Schedules are the module's, as evaluated, in order of declaration; complete where there is no error.
	Schedules []*Schedule

	schemas Schemas
	reads   []eval.File
	// scheduled is what the schedules alone read. It is in no plan.
	scheduled []eval.File
	// callees are the plans that steps of the type `pipeline` run, by digest, of other modules too.
	callees map[string]*engine.Plan
	// sources are the modules that steps name with `source`, by that.
	sources map[string]*Module
}

// Plan returns the plan of that pipeline, or nil.
func (m *Module) Plan(pipeline string) *engine.Plan {
	for _, p := range m.Plans {
		if p.Pipeline == pipeline {
			return p
		}
	}
	return nil
}

// Load reads a module, a folder of *.hcl files or one of them, and checks it against the schemas of the step types. Everything that is wrong is
// told at once, sorted by file and place. The module is never nil; it has plans when there is no error. Variables are not needed
// for it: see Variables.
func Load(ctx context.Context, path string, schemas Schemas, opts Options) (*Module, hcl.Diagnostics) {
	return load(ctx, path, schemas.withBuiltin(), opts, nil)
}

// load reads a module that those of the folders in from call, the outermost first.
func load(ctx context.Context, path string, schemas Schemas, opts Options, from []string) (*Module, hcl.Diagnostics) {
	dir, files, err := readModule(ctx, path)
	if err != nil {
		return &Module{Module: &eval.Module{Files: map[string]*hcl.File{}}, Dir: path, schemas: schemas}, failed(err)
	}
	parsed, diags := eval.Parse(files)
	m := &Module{Module: parsed, Dir: dir, schemas: schemas, callees: map[string]*engine.Plan{}, sources: map[string]*Module{}}
	rec, err := newRecorder(dir)
	if err != nil {
		return m, append(diags, failed(err)...)
	}
	defer rec.close()
	diags = append(diags, m.checkVersion(opts.Version)...)
	diags = append(diags, m.loadSources(ctx, opts, from)...)
	diags = append(diags, m.check(rec)...)
	m.reads = recordedFiles(rec)
	diags = append(diags, m.readSchedules(dir)...)
	if !diags.HasErrors() && len(m.Pipelines) == 0 {
		diags = append(diags, &hcl.Diagnostic{
			Severity: hcl.DiagError, Summary: "No pipeline", Detail: fmt.Sprintf("There is no pipeline in %q. Write a block `pipeline \"NAME\" { … }`.", path),
		})
	}
	if !diags.HasErrors() {
		diags = append(diags, m.makePlans(files)...)
	}
	return m, eval.Sort(diags)
}

func failed(err error) hcl.Diagnostics {
	return hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "Cannot read", Detail: capital(err.Error()) + "."}}
}

func capital(s string) string {
	if s == "" {
		return s
	}
	return strings.ToUpper(s[:1]) + s[1:]
}

func (m *Module) checkVersion(version string) hcl.Diagnostics {
	c := m.RequiredVersion
	if c == nil || c.Allows(version) {
		return nil
	}
	return hcl.Diagnostics{{
		Severity: hcl.DiagError, Summary: "Another version of cpub is needed",
		Detail: fmt.Sprintf("This module asks for version %s, and this is %s. Use such a version, or change required_version.", c.Text, version), Subject: c.Range.Ptr(),
	}}
}

func recordedFiles(r *recorder) []eval.File {
	var out []eval.File
	for _, name := range slices.Sorted(maps.Keys(r.reads)) {
		out = append(out, eval.File{Path: name, Content: r.reads[name]})
	}
	return out
}

// makePlans makes the plan of every pipeline. All hold the whole module, so that each is complete by itself.
func (m *Module) makePlans(files []eval.File) (diags hcl.Diagnostics) {
	made := map[string]*engine.Plan{}
	for _, p := range m.Pipelines {
		diags = append(diags, m.makePlan(p, files, made)...)
	}
	if diags.HasErrors() {
		return diags
	}
	for _, p := range m.Pipelines {
		m.Plans = append(m.Plans, made[p.Name])
	}
	return diags
}

// makePlan makes a pipeline's plan, and before it those of the pipelines that it calls: a plan names them by their digests.
func (m *Module) makePlan(p *eval.Pipeline, files []eval.File, made map[string]*engine.Plan) (diags hcl.Diagnostics) {
	if made[p.Name] != nil {
		return nil
	}
	plan := &engine.Plan{
		Format: engine.PlanFormat, Language: engine.Language, Pipeline: p.Name, Files: planFiles(files), Reads: planFiles(m.reads),
	}
	types := map[string]bool{}
	for _, s := range p.Steps {
		step := m.planStep(p, s, types)
		if s.Callee != nil {
			callee, more := m.callee(s, files, made)
			diags = append(diags, more...)
			step.Callee = callee
		}
		plan.Steps = append(plan.Steps, step)
	}
	if diags.HasErrors() {
		return diags
	}
	if err := m.addSchemas(plan, types); err != nil {
		return failed(err)
	}
	if _, _, err := plan.Encode(); err != nil {
		return hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "Plan too large", Detail: err.Error() + ".", Subject: p.DeclRange.Ptr()}}
	}
	made[p.Name] = plan
	return nil
}

// planStep is what a plan holds of a step. The types that it uses are added to types.
func (m *Module) planStep(p *eval.Pipeline, s *eval.Step, types map[string]bool) engine.Step {
	step := engine.Step{
		Name: s.Name, Type: s.Type, Provider: s.Provider, Section: s.Section, ForEach: s.ForEach != nil, ContinueOnError: s.ContinueOnError,
		Deps: depNames(m.Deps(p, s)),
	}
	types[s.Type] = true
	if c := s.Compensate; c != nil {
		step.Compensate = &engine.Compensation{Type: c.Type, Provider: c.Provider, Deps: depNames(m.UndoDeps(p, s))}
		types[c.Type] = true
	}
	return step
}

func depNames(deps []eval.Dep) (names []string) {
	for _, d := range deps {
		names = append(names, d.Step)
	}
	return names
}

func (m *Module) addSchemas(plan *engine.Plan, types map[string]bool) error {
	for _, name := range slices.Sorted(maps.Keys(types)) {
		shape := m.schemas[name].Step
		digest, err := shape.Digest()
		if err != nil {
			return fmt.Errorf("step type %s: %w", name, err)
		}
		shape.Input, shape.Output = shape.Input.Bare(), shape.Output.Bare()
		plan.Schemas = append(plan.Schemas, engine.StepSchema{Type: name, Digest: digest, Step: shape})
	}
	return nil
}

func planFiles(files []eval.File) []engine.File {
	out := make([]engine.File, 0, len(files))
	for _, f := range files {
		out = append(out, engine.File{Path: f.Path, Content: f.Content})
	}
	slices.SortFunc(out, func(a, b engine.File) int {
		if a.Path < b.Path {
			return -1
		}
		return 1
	})
	return out
}
