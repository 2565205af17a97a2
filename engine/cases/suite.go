package cases

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/containerpub/cpub/engine"
	"github.com/containerpub/cpub/engine/config"
	"github.com/containerpub/cpub/engine/eval"
	"github.com/containerpub/cpub/sdk/schema"
)

// Suite is the tests of one module, ready to run. It is not safe for concurrent use.
type Suite struct {
	Module *config.Module
	// Files are in order of their names; those named without a case hold none.
	Files []*File
	// Sources are the module's files and the tests', by name, for snippets.
	Sources map[string]*hcl.File

	plans    map[string]*engine.Plan // of the pipelines that are called, by digest
	programs map[*engine.Plan]*engine.Program
	made     map[*engine.Plan]map[string]*shapes
}

// ErrNoTests is returned by Load for a folder without tests.
var ErrNoTests = errors.New("there is no test: no file ends in " + Suffix)

// Load reads the tests that lie beside a module without errors; only names the files to read, nil: all. Everything that is wrong in them
// is told at once. It returns ErrNoTests where there are none.
func Load(ctx context.Context, m *config.Module, only []string) (*Suite, hcl.Diagnostics, error) {
	s := &Suite{
		Module: m, Sources: maps.Clone(m.Files), plans: map[string]*engine.Plan{}, programs: map[*engine.Plan]*engine.Program{},
		made: map[*engine.Plan]map[string]*shapes{},
	}
	if only == nil {
		entries, err := os.ReadDir(m.Dir) // sorted
		if err != nil {
			return nil, nil, fmt.Errorf("reading tests: %w", err)
		}
		for _, e := range entries {
			if !e.IsDir() && strings.HasSuffix(e.Name(), Suffix) && !strings.HasPrefix(e.Name(), ".") {
				only = append(only, e.Name())
			}
		}
	}
	if len(only) == 0 {
		return nil, nil, ErrNoTests
	}
	var diags hcl.Diagnostics
	for _, name := range only {
		if err := ctx.Err(); err != nil {
			return nil, nil, fmt.Errorf("reading tests: %w", err)
		}
		content, err := read(filepath.Join(m.Dir, name))
		if err != nil {
			return nil, nil, err
		}
		f, source, more := parse(name, content)
		s.Files, s.Sources[name] = append(s.Files, f), source
		f.broken = more.HasErrors()
		diags = append(diags, more...)
	}
	if err := s.addPlans(); err != nil {
		return nil, nil, err
	}
	return s, eval.Sort(append(diags, s.check()...)), nil
}

// read reads one file, and no more of it than shows that it is too large.
func read(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("reading tests: %w", err)
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, eval.MaxFileSize+1))
	if err != nil {
		return nil, fmt.Errorf("reading tests: %w", err)
	}
	return content, nil
}

// addPlans finds the plans of the pipelines that steps call.
func (s *Suite) addPlans() error {
	for _, p := range s.Module.Plans {
		for _, callee := range s.Module.Callees(p) {
			_, digest, err := callee.Encode()
			if err != nil {
				return err
			}
			s.plans[digest] = callee
		}
	}
	return nil
}

// program makes a plan ready to run, once.
func (s *Suite) program(p *engine.Plan) (*engine.Program, error) {
	if made, ok := s.programs[p]; ok {
		return made, nil
	}
	made, err := engine.Compile(p)
	if err != nil {
		return nil, err
	}
	s.programs[p] = made
	return made, nil
}

// check holds the tests against the module.
func (s *Suite) check() hcl.Diagnostics {
	r := &reader{}
	first := map[string]hcl.Range{}
	for _, f := range s.Files {
		if f.broken { // what seems missing may only be unread
			continue
		}
		for _, m := range f.mocks {
			s.checkMock(r, m, s.Module.Plans)
		}
		for _, c := range f.Cases {
			if before, again := first[c.Name]; again {
				r.fail(c.DeclRange, "Duplicate run", "A run %q is already declared at %s:%d. Give this one another name.", c.Name, before.Filename, before.Start.Line)
			} else {
				first[c.Name] = c.DeclRange
			}
			plan := s.planOf(r, c)
			if plan == nil {
				continue
			}
			for _, m := range c.mocks {
				s.checkMock(r, m, []*engine.Plan{plan})
			}
		}
		if len(f.Cases) == 0 {
			r.fail(hcl.Range{Filename: f.Name, Start: hcl.InitialPos, End: hcl.InitialPos}, "No run", "This file tests nothing. Write a block `run \"NAME\" { … }`.")
		}
	}
	return r.diags
}

// planOf is the plan that a case runs.
func (s *Suite) planOf(r *reader, c *Case) *engine.Plan {
	var names []string
	for _, p := range s.Module.Plans {
		names = append(names, p.Pipeline)
	}
	if c.Pipeline == "" {
		if len(names) == 1 {
			return s.Module.Plans[0]
		}
		r.fail(c.DeclRange, "Which pipeline?", "There are several pipelines in this module. Add `pipeline = …` with one of: %s.", strings.Join(names, ", "))
		return nil
	}
	if p := s.Module.Plan(c.Pipeline); p != nil {
		return p
	}
	hint := "There is: " + strings.Join(names, ", ") + "."
	if near := eval.Suggest(c.Pipeline, names); near != "" {
		hint = fmt.Sprintf("Did you mean %q?", near)
	}
	r.fail(c.pipelineRange, "Wrong pipeline", "There is no pipeline %q in this module. %s", c.Pipeline, hint)
	return nil
}

// checkMock looks whether what a mock stands in for can come up in one of the plans.
func (s *Suite) checkMock(r *reader, m *mock, plans []*engine.Plan) {
	types, steps := map[string]bool{}, map[string]string{}
	for _, p := range plans {
		s.stepsOf(p, "", types, steps)
	}
	all := slices.Sorted(maps.Keys(types))
	switch {
	case m.stepType == eval.TypeValue:
		r.fail(m.declRange, "Wrong mock", "A step of the type \"value\" computes its output itself, in tests too.")
	case !types[m.stepType]:
		hint := "There is: " + strings.Join(all, ", ") + "."
		if near := eval.Suggest(m.stepType, all); near != "" {
			hint = fmt.Sprintf("Did you mean %q?", near)
		}
		r.fail(m.declRange, "Mock of nothing", "No step that is tested here has the type %q. %s", m.stepType, hint)
	case m.step != "":
		name := bare(m.step)
		stepType, ok := steps[name]
		if !ok {
			names := slices.Sorted(maps.Keys(steps))
			hint := "There is: " + strings.Join(names, ", ") + "."
			if near := eval.Suggest(name, names); near != "" {
				hint = fmt.Sprintf("Did you mean %q?", near)
			}
			r.fail(m.stepRange, "Mock of nothing", "There is no step %q here. %s", m.step, hint)
		} else if stepType != m.stepType {
			r.fail(m.stepRange, "Mock of nothing", "Step %q has the type %q, not %q.", m.step, stepType, m.stepType)
		}
	}
}

// stepsOf gathers the types and the addresses, without the keys of instances, of what a plan and those that it calls run.
func (s *Suite) stepsOf(p *engine.Plan, prefix string, types map[string]bool, steps map[string]string) {
	for _, step := range p.Steps {
		types[step.Type] = true
		steps[prefix+step.Name] = step.Type
		if c := step.Compensate; c != nil {
			types[c.Type] = true
			steps[prefix+step.Name+undo] = c.Type
		}
		if callee := s.plans[step.Callee]; callee != nil {
			s.stepsOf(callee, prefix+step.Name+"/", types, steps)
		}
	}
}

// undo is what addresses of that which undoes a step end with.
const undo = ".compensate"

// bare is an address without the keys of instances: `call["a"]/image["b"].compensate` is call/image.compensate.
func bare(address string) string {
	var b strings.Builder
	for address != "" {
		before, rest, keyed := strings.Cut(address, "[\"")
		b.WriteString(before)
		if !keyed {
			break
		}
		_, key, ok := cutKey("\"" + rest)
		if !ok {
			return address
		}
		address = key
	}
	return b.String()
}

// shapes are what a step type of a plan takes and gives.
type shapes struct {
	step          schema.Step
	input, output *eval.Shape
	notGiven      cty.Value // of the input's type
}

// shapes gives those of a step type, made once.
func (s *Suite) shapes(p *engine.Plan, stepType string) *shapes {
	of := s.made[p]
	if of == nil {
		of = map[string]*shapes{}
		s.made[p] = of
	}
	if of[stepType] == nil {
		made := &shapes{}
		if found := p.Schema(stepType); found != nil {
			made.step = found.Step
		}
		made.input, made.output = eval.ShapeOf(made.step.Input), eval.ShapeOf(made.step.Output)
		made.notGiven = cty.NullVal(made.step.Input.Type())
		of[stepType] = made
	}
	return of[stepType]
}
