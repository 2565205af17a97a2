package cases

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/containerpub/cpub/engine"
	"github.com/containerpub/cpub/engine/eval"
)

// names are what assertions can name.
func (r *run) names(result engine.Result) (map[string]cty.Value, error) {
	output, err := r.outputValue(result)
	if err != nil {
		return nil, err
	}
	steps, err := r.stepValues(result.Steps)
	if err != nil {
		return nil, err
	}
	inputs, err := r.inputValues()
	if err != nil {
		return nil, err
	}
	ran := cty.ListValEmpty(cty.String)
	if len(r.ran) > 0 {
		all := make([]cty.Value, len(r.ran))
		for i, address := range r.ran {
			all[i] = cty.StringVal(address)
		}
		ran = cty.ListVal(all)
	}
	return map[string]cty.Value{
		"output": output, "step": cty.ObjectVal(steps), "input": cty.ObjectVal(inputs), "steps_run": ran, "var": r.vars,
		"run": cty.ObjectVal(map[string]cty.Value{
			"status": cty.StringVal(string(result.Status)), "error": errorValue(result.Error),
			"id": cty.StringVal(runID), "started_at": cty.StringVal(startedAt),
		}),
	}, nil
}

// errorValue is run.error: null of a run that did not fail.
func errorValue(e *engine.StepError) cty.Value {
	if e == nil {
		return cty.NullVal(cty.Object(map[string]cty.Type{"step": cty.String, "code": cty.String, "message": cty.String}))
	}
	return cty.ObjectVal(map[string]cty.Value{"step": cty.StringVal(e.Step), "code": cty.StringVal(e.Code), "message": cty.StringVal(e.Message)})
}

// outputValue has every output of the pipeline, null where the run did not succeed.
func (r *run) outputValue(result engine.Result) (cty.Value, error) {
	attrs := map[string]cty.Value{}
	for _, o := range r.suite.Module.Pipeline(r.plan.Pipeline).Outputs {
		attrs[o.Name] = cty.NullVal(cty.DynamicPseudoType)
	}
	if len(result.Outputs) > 0 {
		v, err := eval.FromJSON(result.Outputs)
		if err != nil {
			return cty.NilVal, fmt.Errorf("reading the outputs of %q: %w", r.c.Name, err)
		}
		for name, o := range v.AsValueMap() {
			attrs[name] = o
		}
	}
	return cty.ObjectVal(attrs), nil
}

// stepValues is step.NAME for every step, as the pipeline's own expressions see it.
func (r *run) stepValues(states []engine.StepState) (map[string]cty.Value, error) {
	steps, keys, values := map[string]cty.Value{}, map[string][]string{}, map[string][]cty.Value{}
	for _, state := range states {
		name, key, keyed := keyOf(state.Step)
		step := r.plan.Step(name)
		if step == nil || step.ForEach && !keyed { // what undoes a step; for_each without an element, or not reached
			continue
		}
		out := r.suite.shapes(r.plan, step.Type).output
		v := out.Skipped(string(state.Status))
		if state.Status == engine.StatusSucceeded {
			outputs, err := out.Parse(state.Outputs)
			if err != nil {
				return nil, fmt.Errorf("reading the outputs of step %s: %w", state.Step, err)
			}
			v = out.Step(outputs, string(state.Status))
		}
		steps[name] = v
		keys[name], values[name] = append(keys[name], key), append(values[name], v)
	}
	for _, step := range r.plan.Steps {
		if step.ForEach {
			steps[step.Name] = eval.InstancesValue(keys[step.Name], values[step.Name])
		}
	}
	return steps, nil
}

// inputValues is input.NAME for every step: null for one that was not started, an object by key for one with for_each. Also
// input["NAME.compensate"], where a step was undone.
func (r *run) inputValues() (map[string]cty.Value, error) {
	all, keyed := map[string]cty.Value{}, map[string]map[string]cty.Value{}
	for _, step := range r.plan.Steps {
		all[step.Name] = r.suite.shapes(r.plan, step.Type).notGiven
		if step.ForEach {
			keyed[step.Name] = map[string]cty.Value{}
		}
	}
	for address, data := range r.inputs {
		name, key, isKeyed := keyOf(address)
		v, err := r.inputValue(name, data)
		if err != nil {
			return nil, fmt.Errorf("reading the input of step %s: %w", address, err)
		}
		if !isKeyed {
			all[name] = v
			continue
		}
		if keyed[name] == nil {
			keyed[name] = map[string]cty.Value{}
		}
		keyed[name][key] = v
	}
	for name, instances := range keyed {
		all[name] = cty.ObjectVal(instances)
	}
	return all, nil
}

func (r *run) inputValue(name string, data json.RawMessage) (cty.Value, error) {
	bare, undone := strings.CutSuffix(name, undo)
	step := r.plan.Step(bare)
	stepType := step.Type
	if undone {
		stepType = step.Compensate.Type
	}
	return r.suite.shapes(r.plan, stepType).input.Parse(data)
}

// asserts evaluates all assertions. failed tells that one does not hold, and none is wrong.
func (r *run) asserts(names map[string]cty.Value) (diags hcl.Diagnostics, failed bool) {
	wrong := false
	for _, a := range r.c.asserts {
		v, more := eval.Named(names).Value(a.condition, cty.Bool)
		v = eval.Plain(v)
		switch {
		case more.HasErrors():
			wrong = true
			diags = append(diags, more...)
		case !v.IsKnown() || v.IsNull():
			wrong = true
			diags = append(diags, involving(a.condition, names, problem(a.condition.Range(), "Wrong value", "A condition must be true or false; it is %s.", eval.Show(v, "not known"))))
		case v.False():
			failed = true
			text, more := a.text(names)
			diags = append(diags, more...)
			diags = append(diags, involving(a.condition, names, problem(a.condition.Range(), "Assertion failed", "%s", text)))
		}
	}
	return diags, failed && !wrong
}

func (a *assert) text(names map[string]cty.Value) (string, hcl.Diagnostics) {
	const plain = "The condition does not hold."
	if a.message == nil {
		return plain, nil
	}
	v, diags := eval.Named(names).Value(a.message, cty.String)
	v = eval.Plain(v)
	if diags.HasErrors() || !v.IsKnown() || v.IsNull() {
		return plain, diags
	}
	return v.AsString(), nil
}

// involving has a diagnostic show the values that an expression names.
func involving(expr hcl.Expression, names map[string]cty.Value, d *hcl.Diagnostic) *hcl.Diagnostic {
	return eval.Named(names).Involve(d, expr)
}
