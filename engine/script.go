package engine

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/containerpub/cpub/engine/eval"
	"github.com/containerpub/cpub/sdk/schema"
)

// runScript evaluates the plan for one run. It implements script.
type runScript struct {
	program   *Program
	start     Start
	vars      cty.Value
	values    map[int]cty.Value      // what step.NAME means, for steps that ended
	instances map[int]eval.Instances // of the steps that have for_each and were opened
}

func (r *runScript) plan() []Step { return r.program.plan.Steps }

// inputs are what expressions see of a run beside its steps.
func (r *runScript) inputs(steps map[string]cty.Value) eval.Inputs {
	return eval.Inputs{Variables: r.vars, Steps: steps, RunID: r.start.RunID, StartedAt: r.start.StartedAt, Files: r.program.files}
}

// inputsIn are those at a run's point: after the main part, they tell why it failed.
func (r *runScript) inputsIn(steps map[string]cty.Value, s *Schedule) eval.Inputs {
	in := r.inputs(steps)
	if s.phase != phaseMain {
		in.RunError = errorValue(s.err)
	}
	return in
}

// scope sees the variables and these steps. It has a budget of its own.
func (r *runScript) scope(steps map[string]cty.Value) *eval.Scope {
	return r.program.module.Scope(r.program.pipeline, r.inputs(steps))
}

// block is the step as it is written.
func (r *runScript) block(step int) *eval.Step { return r.program.pipeline.Step(r.plan()[step].Name) }

// scopeOf sees what an instance of a step sees: the steps that it depends on, each, and why the run failed.
func (r *runScript) scopeOf(ref ref, s *Schedule, self cty.Value) (*eval.Scope, *StepError) {
	step := r.plan()[ref.step]
	deps := step.Deps
	if ref.undo {
		deps = step.Compensate.Deps
	}
	steps, err := r.valuesOf(deps, s)
	if err != nil {
		return nil, err
	}
	in := r.inputsIn(steps, s)
	in.Self = self
	if in.Each, err = r.each(ref, s); err != nil {
		return nil, err
	}
	return r.program.module.Scope(r.program.pipeline, in), nil
}

// each is what `each` means to an instance; nil without for_each.
func (r *runScript) each(ref ref, s *Schedule) (cty.Value, *StepError) {
	if !s.steps[ref.step].keyed {
		return cty.NilVal, nil
	}
	all, err := r.instancesOf(ref.step, s)
	if err != nil {
		return cty.NilVal, err
	}
	if ref.instance >= len(all.Keys) {
		return cty.NilVal, &StepError{Code: CodeInvalid, Kind: kindInvalid, Message: "for_each has fewer elements than it had before"}
	}
	return all.Each(ref.instance), nil
}

// errorValue is what run.error means.
func errorValue(e *StepError) cty.Value {
	attrs := map[string]cty.Type{"step": cty.String, "code": cty.String, "message": cty.String}
	if e == nil {
		return cty.NullVal(cty.Object(attrs))
	}
	return cty.ObjectVal(map[string]cty.Value{"step": cty.StringVal(e.Step), "code": cty.StringVal(e.Code), "message": cty.StringVal(e.Message)})
}

// open evaluates what is known of a step before its instances.
func (r *runScript) open(step int, s *Schedule) (expansion, *StepError) {
	block := r.block(step)
	if block.ForEach == nil {
		return expansion{}, nil
	}
	if !block.NamesEach() {
		skip, err := r.skips(ref{step: step}, s)
		if skip || err != nil {
			return expansion{skip: skip}, err
		}
	}
	all, err := r.instancesOf(step, s)
	return expansion{keyed: true, keys: all.Keys, maxParallel: all.MaxParallel}, err
}

// instancesOf evaluates a step's for_each, once in a run.
func (r *runScript) instancesOf(step int, s *Schedule) (eval.Instances, *StepError) {
	if all, ok := r.instances[step]; ok {
		return all, nil
	}
	steps, err := r.valuesOf(r.plan()[step].Deps, s)
	if err != nil {
		return eval.Instances{}, err
	}
	in := r.inputsIn(steps, s)
	all, diags := r.program.module.Scope(r.program.pipeline, in).ForEach(r.block(step))
	switch {
	case diags.HasErrors():
		return all, r.invalid(diags)
	case !all.Known:
		return all, &StepError{Code: CodeInvalid, Kind: kindInvalid, Message: "for_each depends on something that is not known"}
	}
	r.instances[step] = all
	return all, nil
}

// skips evaluates a step's `when`.
func (r *runScript) skips(ref ref, s *Schedule) (bool, *StepError) {
	if r.block(ref.step).When == nil {
		return false, nil
	}
	scope, err := r.scopeOf(ref, s, cty.NilVal)
	if err != nil {
		return false, err
	}
	when, diags := scope.When(r.block(ref.step))
	if diags.HasErrors() {
		return false, r.invalid(diags)
	}
	when = eval.Plain(when)
	if !when.IsKnown() {
		return false, &StepError{Code: CodeInvalid, Kind: kindInvalid, Message: "`when` depends on something that is not known"}
	}
	return when.False(), nil
}

// task evaluates an instance whose step's dependencies are done, or what undoes it.
func (r *runScript) task(ref ref, s *Schedule) (*Task, *StepError) {
	step, block := r.plan()[ref.step], r.block(ref.step)
	if ref.undo {
		return r.undoing(ref, s)
	}
	if block.ForEach == nil || block.NamesEach() {
		if skip, err := r.skips(ref, s); skip || err != nil {
			return nil, err
		}
	}
	scope, err := r.scopeOf(ref, s, cty.NilVal)
	if err != nil {
		return nil, err
	}
	if diags := scope.Conditions(block.Preconditions, "precondition"); diags.HasErrors() {
		return nil, r.unmet(diags, CodePrecondition)
	}
	call, diags := scope.Step(block, r.program.shapes[ref.step].Input)
	if diags.HasErrors() {
		return nil, r.invalid(diags)
	}
	task, err := taskOf(step.Type, r.program.shapes[ref.step], call)
	if err != nil {
		return nil, err
	}
	task.Provider, task.SchemaDigest, task.Callee = step.Provider, r.program.digests[ref.step], step.Callee
	task.Each, err = r.each(ref, s)
	return task, err
}

// undoing evaluates a compensate block.
func (r *runScript) undoing(ref ref, s *Schedule) (*Task, *StepError) {
	c, block := r.plan()[ref.step].Compensate, r.block(ref.step).Compensate
	self, err := r.self(ref.step, s.instance(ref).outputs)
	if err != nil {
		return nil, err
	}
	scope, err := r.scopeOf(ref, s, self)
	if err != nil {
		return nil, err
	}
	shape := r.program.plan.Schema(c.Type)
	call, diags := scope.Step(block, shape.Step.Input)
	if diags.HasErrors() {
		return nil, r.invalid(diags)
	}
	task, err := taskOf(c.Type, shape.Step, call)
	if err != nil {
		return nil, err
	}
	task.Provider, task.SchemaDigest = c.Provider, shape.Digest
	task.Each, err = r.each(ref, s)
	return task, err
}

// taskOf checks what was evaluated against what can run.
func taskOf(stepType string, shape schema.Step, call eval.Call) (*Task, *StepError) {
	plain, secrets, err := eval.Secrets(call.Input)
	if err != nil {
		return nil, &StepError{Code: CodeInvalid, Kind: kindInvalid, Message: fmt.Sprintf("the step's input cannot be handed over: %v", err)}
	}
	input, err := eval.JSON(plain)
	if errors.Is(err, eval.ErrSensitive) {
		err = errors.New("a value in it is sensitive, and would stand in the run's history; this build has no sealing")
	}
	if err != nil {
		return nil, &StepError{Code: CodeInvalid, Kind: kindInvalid, Message: fmt.Sprintf("the step's input cannot be handed over: %v", err)}
	}
	locations := eval.Locations(shape.Input, call.Input)
	if len(locations) > 1 {
		return nil, &StepError{Code: CodeLocations, Kind: kindPermanent, Message: fmt.Sprintf(
			"the step uses values that exist in two places, %s and %s; no worker has both: push and pull one of them", locations[0], locations[1])}
	}
	task := &Task{
		Type: stepType, Input: input, Secrets: secrets, Timeout: call.Timeout, QueueTimeout: call.QueueTimeout,
		Retry: RetryPolicy{
			MaxAttempts: call.Retry.MaxAttempts, InitialInterval: call.Retry.InitialInterval,
			BackoffCoefficient: call.Retry.BackoffCoefficient, MaxInterval: call.Retry.MaxInterval, On: call.Retry.On,
		},
	}
	if len(locations) == 1 {
		task.Location = locations[0]
	}
	if stepType == eval.TypeValue {
		task.Outputs = input
	}
	return task, nil
}

// valuesOf gives what step.NAME means for these steps.
func (r *runScript) valuesOf(names []string, s *Schedule) (map[string]cty.Value, *StepError) {
	steps := make(map[string]cty.Value, len(names))
	for _, name := range names {
		i, ok := s.byName[name]
		if !ok {
			continue
		}
		v, err := r.value(i, s)
		if err != nil {
			return nil, err
		}
		steps[name] = v
	}
	return steps, nil
}

// value is what step.NAME means.
func (r *runScript) value(i int, s *Schedule) (cty.Value, *StepError) {
	if v, ok := r.values[i]; ok {
		return v, nil
	}
	st := &s.steps[i]
	var keys []string
	var values []cty.Value
	for k := range st.instances {
		inst := &st.instances[k]
		v := r.program.outputs[i].Skipped(string(s.shown(inst)))
		if inst.status == StatusSucceeded {
			var err *StepError
			if v, err = r.self(i, inst.outputs); err != nil {
				return cty.NilVal, err
			}
		}
		keys, values = append(keys, inst.key), append(values, v)
	}
	v := r.program.outputs[i].Skipped(string(st.status))
	switch {
	case r.plan()[i].ForEach:
		v = eval.InstancesValue(keys, values)
	case len(values) == 1:
		v = values[0]
	}
	if st.status.ended() {
		r.values[i] = v
	}
	return v, nil
}

// self is what a step that succeeded with these outputs means.
func (r *runScript) self(step int, outputs json.RawMessage) (cty.Value, *StepError) {
	shape := r.program.outputs[step]
	v, err := shape.Parse(outputs)
	if err != nil {
		return cty.NilVal, badOutputs(r.plan()[step].Type, err)
	}
	return shape.Step(v, string(StatusSucceeded)), nil
}

// settle holds a step's outputs against its type, and then against its own conditions.
func (r *runScript) settle(ref ref, s *Schedule, outputs json.RawMessage) (verdict, *StepError) {
	if len(outputs) > MaxOutputs {
		return verdict{}, &StepError{Code: CodeTooLarge, Kind: kindPermanent, Message: fmt.Sprintf(
			"the step's outputs have %d bytes, more than the %d that are possible: large values are artifacts", len(outputs), MaxOutputs)}
	}
	if ref.undo {
		c := r.plan()[ref.step].Compensate
		if _, err := eval.ParseOutputs(r.program.plan.Schema(c.Type).Step.Output, outputs); err != nil {
			return verdict{}, badOutputs(c.Type, err)
		}
		return verdict{}, nil
	}
	self, err := r.self(ref.step, outputs)
	block := r.block(ref.step)
	if err != nil || block.Until == nil && len(block.Postconditions) == 0 {
		return verdict{}, err
	}
	scope, err := r.scopeOf(ref, s, self)
	if err != nil {
		return verdict{}, err
	}
	if block.Until != nil {
		if v, err := r.until(scope, block, s.instance(ref).round); v.again || err != nil {
			return v, err
		}
	}
	diags := scope.Conditions(block.Postconditions, "postcondition")
	if !diags.HasErrors() {
		return verdict{}, nil
	}
	failed := r.unmet(diags, CodePostcondition)
	if v, again := r.retries(ref, s, failed); again {
		return v, nil
	}
	failed.Outputs = outputs
	return verdict{}, failed
}

// until tells whether the step is to run again.
func (r *runScript) until(scope *eval.Scope, block *eval.Step, round int) (verdict, *StepError) {
	call, diags := scope.Until(block.Until)
	switch {
	case diags.HasErrors():
		return verdict{}, r.invalid(diags)
	case !call.Done.IsKnown():
		return verdict{}, &StepError{Code: CodeInvalid, Kind: kindInvalid, Message: "`until` depends on something that is not known"}
	case call.Done.True():
		return verdict{}, nil
	case round >= call.MaxAttempts:
		return verdict{}, &StepError{Code: CodeUntil, Kind: kindPermanent, Message: fmt.Sprintf(
			"the condition of until (%s) did not hold in %d attempts", block.Until.Condition.Range(), call.MaxAttempts)}
	}
	return verdict{again: true, delay: call.Interval}, nil
}

// retries tells whether a postcondition that does not hold is retried, and after how long.
func (r *runScript) retries(ref ref, s *Schedule, failed *StepError) (verdict, bool) {
	if failed.Code != CodePostcondition {
		return verdict{}, false
	}
	scope, err := r.scopeOf(ref, s, cty.NilVal)
	if err != nil {
		return verdict{}, false
	}
	call, diags := scope.Step(r.block(ref.step), r.program.shapes[ref.step].Input)
	round := s.instance(ref).round
	if diags.HasErrors() || round >= call.Retry.MaxAttempts {
		return verdict{}, false
	}
	for _, code := range call.Retry.On {
		if code == CodePostcondition {
			return verdict{again: true, delay: backoff(call.Retry, round)}, true
		}
	}
	return verdict{}, false
}

// backoff is how long to wait after so many attempts.
func backoff(p eval.RetryPolicy, attempts int) time.Duration {
	d := float64(p.InitialInterval)
	for range attempts - 1 {
		if d *= p.BackoffCoefficient; d >= float64(p.MaxInterval) {
			return p.MaxInterval
		}
	}
	return time.Duration(d)
}

func badOutputs(stepType string, err error) *StepError {
	return &StepError{Code: CodeBadOutputs, Kind: kindPermanent, Message: fmt.Sprintf("the provider's outputs are not those of %s: %v", stepType, err)}
}

// outputs evaluates the pipeline's outputs.
func (r *runScript) outputs(s *Schedule) (json.RawMessage, *StepError) {
	var names []string
	for _, step := range r.plan() {
		if step.Section == eval.Main {
			names = append(names, step.Name)
		}
	}
	steps, failed := r.valuesOf(names, s)
	if failed != nil {
		return nil, failed
	}
	all := map[string]json.RawMessage{}
	for _, o := range r.program.pipeline.Outputs {
		v, diags := r.scope(steps).Output(o)
		if diags.HasErrors() {
			return nil, r.invalid(diags)
		}
		data, err := eval.JSON(v)
		if err != nil {
			return nil, r.invalid(hcl.Diagnostics{{
				Severity: hcl.DiagError, Summary: "Output cannot be shown", Detail: fmt.Sprintf("Output %q: %v.", o.Name, err), Subject: o.DeclRange.Ptr(),
			}})
		}
		all[o.Name] = data
	}
	data, err := json.Marshal(all)
	if err != nil {
		return nil, &StepError{Code: CodeInvalid, Kind: kindInvalid, Message: fmt.Sprintf("encoding the pipeline's outputs: %v", err)}
	}
	return data, nil
}

func (r *runScript) invalid(diags hcl.Diagnostics) *StepError {
	e := &DiagnosticsError{Diags: eval.Sort(diags), Files: r.program.module.Files}
	return &StepError{Code: CodeInvalid, Kind: kindInvalid, Message: e.Error()}
}

// unmet is the failure of a condition: one that could not be evaluated is the author's mistake.
func (r *runScript) unmet(diags hcl.Diagnostics, code string) *StepError {
	e := r.invalid(diags)
	if diags[0].Summary == eval.ConditionFailed(code) {
		e.Code, e.Kind = code, kindPermanent
	}
	return e
}
