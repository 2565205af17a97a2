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

// Program is a Plan made ready to run: its files parsed, its steps found in them. It does not change; any number of runs may use it.
type Program struct {
	plan     *Plan
	module   *eval.Module
	pipeline *eval.Pipeline
	shapes   []schema.Step // by the step's index
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
	for _, step := range p.Steps {
		shape := p.Schema(step.Type)
		switch {
		case pipeline.Step(step.Name) == nil:
			return nil, fmt.Errorf("the plan's files hold no step %q", step.Name)
		case shape == nil:
			return nil, fmt.Errorf("the plan has no schema of step type %q", step.Type)
		}
		if name := sensitiveOutput(shape.Step.Output); name != "" {
			return nil, fmt.Errorf("step %s: the output %q of %s is sensitive; sensitive values cannot be kept in a run yet, since this build has no sealing",
				step.Name, name, step.Type)
		}
		program.shapes = append(program.shapes, shape.Step)
		program.digests = append(program.digests, shape.Digest)
	}
	return program, nil
}

func evalFiles(files []File) []eval.File {
	out := make([]eval.File, len(files))
	for i, f := range files {
		out[i] = eval.File{Path: f.Path, Content: f.Content}
	}
	return out
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
	r := &runScript{program: p, start: start, vars: vars, values: map[int]cty.Value{}}
	call, diags := r.scope(nil).Pipeline()
	if diags.HasErrors() {
		return nil, &DiagnosticsError{Diags: diags, Files: p.module.Files}
	}
	s := newSchedule(r, start, call.MaxParallel)
	s.timeout = call.Timeout
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

// Timeout is the run's own; zero: none.
func (s *Schedule) Timeout() time.Duration { return s.timeout }

// runScript evaluates the plan for one run. It implements script.
type runScript struct {
	program *Program
	start   Start
	vars    cty.Value
	values  map[int]cty.Value // what step.NAME means, for steps that ended
}

func (r *runScript) plan() []Step { return r.program.plan.Steps }

// scope sees the variables and these steps. It has a budget of its own.
func (r *runScript) scope(steps map[string]cty.Value) *eval.Scope {
	return r.program.module.Scope(r.program.pipeline, eval.Inputs{
		Variables: r.vars, Steps: steps, RunID: r.start.RunID, StartedAt: r.start.StartedAt, Files: r.program.files,
	})
}

// task evaluates a step whose dependencies are done.
func (r *runScript) task(index int, s *Schedule) (*Task, *StepError) {
	step := r.plan()[index]
	block := r.program.pipeline.Step(step.Name)
	steps := map[string]cty.Value{}
	for _, dep := range step.Deps {
		if err := r.value(dep, s, steps); err != nil {
			return nil, err
		}
	}
	scope := r.scope(steps)
	when, diags := scope.When(block)
	if diags.HasErrors() {
		return nil, r.invalid(diags)
	}
	when = eval.Plain(when)
	if !when.IsKnown() {
		return nil, &StepError{Code: CodeInvalid, Kind: kindInvalid, Message: "`when` depends on something that is not known"}
	}
	if when.False() {
		return nil, nil
	}
	call, diags := scope.Step(block, r.program.shapes[index].Input)
	if diags.HasErrors() {
		return nil, r.invalid(diags)
	}
	return r.taskOf(index, call)
}

// taskOf checks what was evaluated against what can run.
func (r *runScript) taskOf(index int, call eval.Call) (*Task, *StepError) {
	step, shape := r.plan()[index], r.program.shapes[index]
	input, err := eval.JSON(call.Input)
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
		Step: step.Name, Type: step.Type, Provider: step.Provider, Input: input, SchemaDigest: r.program.digests[index],
		Timeout: call.Timeout, QueueTimeout: call.QueueTimeout, Summary: step.Name,
		Retry: RetryPolicy{
			MaxAttempts: call.Retry.MaxAttempts, InitialInterval: call.Retry.InitialInterval,
			BackoffCoefficient: call.Retry.BackoffCoefficient, MaxInterval: call.Retry.MaxInterval, On: call.Retry.On,
		},
	}
	if len(locations) == 1 {
		task.Location = locations[0]
	}
	return task, nil
}

// value adds what step.NAME means to steps.
func (r *runScript) value(name string, s *Schedule, steps map[string]cty.Value) *StepError {
	i, ok := s.byName[name]
	if !ok {
		return nil
	}
	v, ok := r.values[i]
	if !ok {
		shape, st := r.program.shapes[i].Output, s.steps[i]
		v = eval.SkippedStep(shape, string(st.status))
		if st.status == StatusSucceeded {
			outputs, err := eval.ParseOutputs(shape, st.outputs)
			if err != nil {
				return badOutputs(r.plan()[i], err)
			}
			v = eval.StepValue(shape, outputs, string(st.status))
		}
		if st.status.ended() {
			r.values[i] = v
		}
	}
	steps[name] = v
	return nil
}

// checkOutputs holds a step's outputs against its type.
func (r *runScript) checkOutputs(index int, outputs json.RawMessage) *StepError {
	if len(outputs) > MaxOutputs {
		return &StepError{Code: CodeTooLarge, Kind: kindPermanent, Message: fmt.Sprintf(
			"the step's outputs have %d bytes, more than the %d that are possible: large values are artifacts", len(outputs), MaxOutputs)}
	}
	if _, err := eval.ParseOutputs(r.program.shapes[index].Output, outputs); err != nil {
		return badOutputs(r.plan()[index], err)
	}
	return nil
}

func badOutputs(step Step, err error) *StepError {
	return &StepError{Code: CodeBadOutputs, Kind: kindPermanent, Message: fmt.Sprintf("the provider's outputs are not those of %s: %v", step.Type, err)}
}

// outputs evaluates the pipeline's outputs.
func (r *runScript) outputs(s *Schedule) (json.RawMessage, *StepError) {
	steps := map[string]cty.Value{}
	for _, step := range r.plan() {
		if err := r.value(step.Name, s, steps); err != nil {
			return nil, err
		}
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
