// Package preview shows what a plan would do with given variables, as far as that can be known before anything runs. It is pure.
package preview

import (
	"encoding/json"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/containerpub/cpub/engine"
	"github.com/containerpub/cpub/engine/eval"
	"github.com/containerpub/cpub/sdk/schema"
)

// Preview is a plan with values.
type Preview struct {
	Pipeline string
	Digest   string
	// Variables and Outputs are in declared order.
	Variables []Value
	Steps     []Step
	Outputs   []Value
	call      eval.PipelineCall
}

// Value is something with a name, and the steps that it waits for where it is not known yet.
type Value struct {
	Name  string
	Value cty.Value
	After []string
	// Default tells that the value is the step type's default, as HCL.
	Default string
}

// Step is one step with what its input will be.
type Step struct {
	engine.Step
	// When is whether it runs: true, false, or not known yet.
	When  cty.Value
	Input []Value
	call  eval.Call
}

// Make evaluates the plan with these variables (a JSON object). Mistakes, in the variables or by them, are an *engine.DiagnosticsError.
func Make(plan *engine.Plan, variables json.RawMessage) (*Preview, error) {
	_, digest, err := plan.Encode()
	if err != nil {
		return nil, err
	}
	files := make([]eval.File, len(plan.Files))
	for i, f := range plan.Files {
		files[i] = eval.File(f)
	}
	module, diags := eval.Parse(files)
	m := &maker{plan: plan, module: module, pipeline: module.Pipeline(plan.Pipeline), out: &Preview{Pipeline: plan.Pipeline, Digest: digest}}
	if m.pipeline != nil && !diags.HasErrors() {
		var more hcl.Diagnostics
		m.vars, more = module.DecodeVariables(variables)
		diags = append(diags, more...)
		if !more.HasErrors() {
			diags = append(diags, m.fill()...)
		}
	}
	if diags.HasErrors() {
		return nil, &engine.DiagnosticsError{Diags: eval.Sort(diags), Files: module.Files}
	}
	return m.out, nil
}

type maker struct {
	plan     *engine.Plan
	module   *eval.Module
	pipeline *eval.Pipeline
	vars     cty.Value
	out      *Preview
}

func (m *maker) fill() hcl.Diagnostics {
	for _, v := range m.module.Variables {
		m.out.Variables = append(m.out.Variables, Value{Name: v.Name, Value: m.vars.GetAttr(v.Name)})
	}
	call, diags := m.scope().Pipeline()
	m.out.call = call
	for _, s := range m.plan.Steps {
		diags = append(diags, m.step(s)...)
	}
	for _, o := range m.pipeline.Outputs {
		v, more := m.scope().Output(o)
		diags = append(diags, more...)
		m.out.Outputs = append(m.out.Outputs, Value{Name: o.Name, Value: v, After: m.after(v, o.Value)})
	}
	return diags
}

// scope sees the variables; what steps give is unknown.
func (m *maker) scope() *eval.Scope {
	steps := map[string]cty.Value{}
	for _, s := range m.plan.Steps {
		if shape := m.plan.Schema(s.Type); shape != nil {
			steps[s.Name] = eval.UnknownStep(shape.Step.Output)
		}
	}
	reads := make([]eval.File, len(m.plan.Reads))
	for i, f := range m.plan.Reads {
		reads[i] = eval.File(f)
	}
	return m.module.Scope(m.pipeline, eval.Inputs{Variables: m.vars, Steps: steps, Files: eval.Recorded(reads)})
}

func (m *maker) step(s engine.Step) hcl.Diagnostics {
	block, shape := m.pipeline.Step(s.Name), m.plan.Schema(s.Type)
	if block == nil || shape == nil {
		return nil
	}
	scope := m.scope()
	when, diags := scope.When(block)
	call, more := scope.Step(block, shape.Step.Input)
	step := Step{Step: s, When: eval.Plain(when), call: call}
	for _, a := range shape.Step.Input.Attrs {
		if v, ok := m.attr(a, block.Body, call.Input); ok {
			step.Input = append(step.Input, v)
		}
	}
	for _, b := range shape.Step.Input.Blocks {
		if v := call.Input.GetAttr(b.Name); v.IsKnown() && !v.IsNull() && (b.Nesting == schema.NestingSingle || v.LengthInt() > 0) {
			step.Input = append(step.Input, Value{Name: b.Name, Value: v})
		}
	}
	m.out.Steps = append(m.out.Steps, step)
	return append(diags, more...)
}

// attr is one attribute of a step's input; false where it is neither set nor has a default.
func (m *maker) attr(a schema.Attr, body *hclsyntax.Body, input cty.Value) (Value, bool) {
	v := input.GetAttr(a.Name)
	if a.Sensitive {
		v = v.Mark(eval.Sensitive)
	}
	set := body.Attributes[a.Name]
	if known, _ := v.Unmark(); set == nil || known.IsKnown() && known.IsNull() {
		return Value{Name: a.Name, Value: v, Default: a.Default}, a.Default != ""
	}
	return Value{Name: a.Name, Value: v, After: m.after(v, set.Expr)}, true
}

// after names the steps that an expression waits for, in declared order: by itself, or by the locals in it.
func (m *maker) after(v cty.Value, expr hcl.Expression) []string {
	if v, _ := v.UnmarkDeep(); v.IsWhollyKnown() {
		return nil
	}
	found, seen := map[string]bool{}, map[string]bool{}
	m.collect(expr, found, seen)
	var names []string
	for _, s := range m.plan.Steps {
		if found[s.Name] {
			names = append(names, s.Name)
		}
	}
	return slices.Clip(names)
}

func (m *maker) collect(expr hcl.Expression, found, seen map[string]bool) {
	for _, t := range expr.Variables() {
		if len(t) < 2 {
			continue
		}
		attr, ok := t[1].(hcl.TraverseAttr)
		switch {
		case !ok:
		case t.RootName() == "step":
			found[attr.Name] = true
		case t.RootName() == "local" && !seen[attr.Name]:
			seen[attr.Name] = true
			if l := m.module.Local(attr.Name); l != nil {
				m.collect(l.Expr, found, seen)
			}
		}
	}
}
