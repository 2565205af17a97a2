// Package preview shows what a plan would do with given variables, as far as that can be known before anything runs. It is pure.
package preview

import (
	"encoding/json"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/containerpub/cpub/engine"
	"github.com/containerpub/cpub/engine/eval"
)

// Preview is a plan with values.
type Preview struct {
	Pipeline    string
	Description string
	Digest      string
	// Settings are the pipeline's timeout, max_parallel and labels; Concurrency what its block says, nil where it has none.
	Settings    []Value
	Concurrency *Content
	// Variables, Steps and Outputs are in declared order: the steps of on_failure and finally after the others.
	Variables []Value
	Steps     []Step
	Outputs   []Value
}

// Make evaluates the plan with these variables (a JSON object). The callees are the plans that its steps run, whose names are shown.
// Mistakes, in the variables or by them, are an *engine.DiagnosticsError.
func Make(plan *engine.Plan, variables json.RawMessage, callees ...*engine.Plan) (*Preview, error) {
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
	if err := m.name(callees); err != nil {
		return nil, err
	}
	if m.pipeline != nil && !diags.HasErrors() {
		var more hcl.Diagnostics
		m.vars, more = module.DecodeVariables(variables)
		diags = append(diags, more...)
		if !more.HasErrors() {
			diags = append(diags, m.fill(variables)...)
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
	steps    map[string]cty.Value // what they mean before they ran
	files    eval.Files
	callees  map[string]*engine.Plan
	out      *Preview
}

// name finds the callees by their digests.
func (m *maker) name(callees []*engine.Plan) error {
	m.callees = map[string]*engine.Plan{}
	for _, p := range callees {
		_, digest, err := p.Encode()
		if err != nil {
			return err
		}
		m.callees[digest] = p
	}
	return nil
}

func (m *maker) fill(variables json.RawMessage) (diags hcl.Diagnostics) {
	var given map[string]json.RawMessage
	_ = json.Unmarshal(variables, &given) // it was read already
	m.steps = map[string]cty.Value{}
	for _, s := range m.plan.Steps {
		if shape := m.plan.Schema(s.Type); shape != nil {
			m.steps[s.Name] = eval.UnknownStep(shape.Step.Output)
			if s.ForEach {
				m.steps[s.Name] = eval.UnknownInstances(m.steps[s.Name])
			}
		}
	}
	reads := make([]eval.File, len(m.plan.Reads))
	for i, f := range m.plan.Reads {
		reads[i] = eval.File(f)
	}
	m.files = eval.Recorded(reads)
	m.out.Description = m.pipeline.Description
	for _, v := range m.module.Variables {
		_, set := given[v.Name]
		m.out.Variables = append(m.out.Variables, Value{Name: v.Name, Value: m.vars.GetAttr(v.Name), Unset: !set})
	}
	diags = m.settings()
	stages := stagesOf(m.plan)
	for _, s := range m.plan.Steps {
		step, more := m.step(s)
		diags = append(diags, more...)
		step.Stage = stages[s.Name]
		m.out.Steps = append(m.out.Steps, step)
	}
	for _, o := range m.pipeline.Outputs {
		v, more := m.scope(m.inputs(eval.Main)).Output(o)
		diags = append(diags, more...)
		m.out.Outputs = append(m.out.Outputs, m.origin(nil).of(o.Name, v, o.Value))
	}
	return diags
}

// inputs are what is known to the expressions of a section: what steps give is unknown, and why a run failed.
func (m *maker) inputs(section eval.Section) eval.Inputs {
	in := eval.Inputs{Variables: m.vars, Steps: m.steps, Files: m.files}
	if section != eval.Main {
		in.RunError = eval.UnknownError()
	}
	return in
}

func (m *maker) scope(in eval.Inputs) *eval.Scope { return m.module.Scope(m.pipeline, in) }

// settings are the pipeline's own attributes, with the defaults that count.
func (m *maker) settings() hcl.Diagnostics {
	in, p := m.inputs(eval.Main), m.pipeline
	call, diags := m.scope(in).Pipeline()
	if diags.HasErrors() {
		return diags
	}
	o := m.origin(nil)
	set := func(into *[]Value, name string, expr hcl.Expression, want cty.Type, byDefault string) {
		if expr == nil {
			if byDefault != "" {
				*into = append(*into, Value{Name: name, Default: byDefault})
			}
			return
		}
		v, more := m.scope(in).Value(expr, want)
		diags = append(diags, more...)
		*into = append(*into, o.of(name, v, expr))
	}
	set(&m.out.Settings, "timeout", p.Timeout, cty.String, "")
	set(&m.out.Settings, "max_parallel", p.MaxParallel, cty.Number, number(call.MaxParallel))
	set(&m.out.Settings, "labels", p.Labels, cty.Map(cty.String), "")
	if c := p.Concurrency; c != nil {
		m.out.Concurrency = &Content{}
		set(&m.out.Concurrency.Values, "key", c.Key, cty.String, "")
		set(&m.out.Concurrency.Values, "limit", c.Limit, cty.Number, "1")
		set(&m.out.Concurrency.Values, "on_limit", c.OnLimit, cty.String, `"`+eval.OnLimitQueue+`"`)
	}
	return diags
}
