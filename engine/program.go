package engine

import (
	"encoding/json"
	"fmt"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/containerpub/cpub/engine/eval"
	"github.com/containerpub/cpub/sdk/schema"
)

// Program is a Plan made ready to run: its files parsed, its steps found in them. It does not change; any number of runs may use it.
type Program struct {
	plan     *Plan
	module   *eval.Module
	pipeline *eval.Pipeline
	shapes   []schema.Step // by the step's index
	outputs  []*eval.Shape // likewise
	digests  []string      // of the schemas, by the step's index
	files    eval.Files
}

// Compile makes a plan ready to run. It fails for a plan that does not fit this build; the author's mistakes were found when the plan
// was made.
func Compile(p *Plan) (*Program, error) {
	module, diags := eval.Parse(evalFiles(p.Files))
	if diags.HasErrors() {
		return nil, &DiagnosticsError{Diags: diags, Files: module.Files}
	}
	pipeline := module.Pipeline(p.Pipeline)
	if pipeline == nil {
		return nil, fmt.Errorf("the plan's files hold no pipeline %q", p.Pipeline)
	}
	program := &Program{plan: p, module: module, pipeline: pipeline, files: eval.Recorded(evalFiles(p.Reads))}
	for _, shape := range p.Schemas {
		if !typed(shape.Step.Input) || !typed(shape.Step.Output) {
			return nil, fmt.Errorf("the plan's schema of step type %q has an attribute without a type", shape.Type)
		}
	}
	made := map[string]*eval.Shape{}
	for _, step := range p.Steps {
		shape := p.Schema(step.Type)
		block := pipeline.Step(step.Name)
		switch {
		case block == nil || (block.ForEach != nil) != step.ForEach || (block.Compensate != nil) != (step.Compensate != nil):
			return nil, fmt.Errorf("the plan's files hold no such step %q", step.Name)
		case shape == nil:
			return nil, fmt.Errorf("the plan has no schema of step type %q", step.Type)
		case step.Compensate != nil && p.Schema(step.Compensate.Type) == nil:
			return nil, fmt.Errorf("the plan has no schema of step type %q", step.Compensate.Type)
		}
		if name := sensitiveOutput(shape.Step.Output); name != "" {
			return nil, fmt.Errorf("step %s: the output %q of %s is sensitive; sensitive values cannot be kept in a run yet, since this build has no sealing",
				step.Name, name, step.Type)
		}
		if made[step.Type] == nil {
			made[step.Type] = eval.ShapeOf(shape.Step.Output)
		}
		program.shapes = append(program.shapes, shape.Step)
		program.outputs = append(program.outputs, made[step.Type])
		program.digests = append(program.digests, shape.Digest)
	}
	return program, nil
}

// Uses are the attributes and blocks of its type that a step sets, in source order; those of its compensate block too, where that has the
// same type.
func (p *Program) Uses(step, stepType string) (names []string) {
	block := p.pipeline.Step(step)
	if block == nil {
		return nil
	}
	for _, one := range []*eval.Step{block, block.Compensate} {
		if one == nil || one.Type != stepType {
			continue
		}
		for _, used := range one.Uses() {
			names = append(names, used.Name)
		}
	}
	return names
}

func evalFiles(files []File) []eval.File {
	out := make([]eval.File, len(files))
	for i, f := range files {
		out[i] = eval.File{Path: f.Path, Content: f.Content}
	}
	return out
}

// typed tells that every attribute has a type.
func typed(o schema.Object) bool {
	return !slices.ContainsFunc(o.Attrs, func(a schema.Attr) bool { return a.Type == cty.NilType }) &&
		!slices.ContainsFunc(o.Blocks, func(b schema.Block) bool { return !typed(b.Object) })
}

func sensitiveOutput(o schema.Object) string {
	for _, a := range o.Attrs {
		if a.Sensitive {
			return a.Name
		}
	}
	return ""
}

// Schedule begins a run. Wrong variables are a *DiagnosticsError, and so are sensitive ones that were given.
func (p *Program) Schedule(start Start) (*Schedule, error) {
	vars, diags := p.module.DecodeVariables(start.Variables)
	if !diags.HasErrors() {
		diags = append(diags, p.sensitiveGiven(start.Variables)...)
	}
	if diags.HasErrors() {
		return nil, &DiagnosticsError{Diags: diags, Files: p.module.Files}
	}
	r := &runScript{program: p, start: start, vars: vars, values: map[int]cty.Value{}, instances: map[int]eval.Instances{}}
	call, diags := r.scope(nil).Pipeline()
	if diags.HasErrors() {
		return nil, &DiagnosticsError{Diags: diags, Files: p.module.Files}
	}
	s := newSchedule(r, start, call.MaxParallel)
	s.call = call
	return s, nil
}

// Restore goes on with a run where Snapshot left it.
func (p *Program) Restore(data json.RawMessage) (*Schedule, error) {
	snap, err := decodeSnapshot(data)
	if err != nil {
		return nil, err
	}
	s, err := p.Schedule(snap.Start)
	if err != nil {
		return nil, err
	}
	if err := s.adopt(snap); err != nil {
		return nil, err
	}
	return s, nil
}

// sensitiveGiven refuses values of sensitive variables: they would stand in the run's history for everyone to read.
func (p *Program) sensitiveGiven(variables json.RawMessage) (diags hcl.Diagnostics) {
	var given map[string]json.RawMessage
	if len(variables) == 0 || json.Unmarshal(variables, &given) != nil {
		return nil //nolint:nilerr // what is no object was refused before
	}
	for _, v := range p.module.Variables {
		if raw, ok := given[v.Name]; ok && v.Sensitive && string(raw) != "null" {
			diags = append(diags, &hcl.Diagnostic{
				Severity: hcl.DiagError, Summary: "Sensitive variable",
				Detail: fmt.Sprintf("Variable %q is sensitive, and a run's variables stand in its history. "+
					"Sensitive values cannot be kept in a run yet, since this build has no sealing.", v.Name),
				Subject: v.DeclRange.Ptr(),
			})
		}
	}
	return diags
}
