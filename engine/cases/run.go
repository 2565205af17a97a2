package cases

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/containerpub/cpub/engine"
	"github.com/containerpub/cpub/engine/eval"
)

// Status is what came of a case.
type Status string

// The statuses: an Errored case is one that could not be judged, since something in it is wrong.
const (
	Passed    Status = "passed"
	NotPassed Status = "failed"
	Errored   Status = "error"
)

// Result is what came of a case.
type Result struct {
	Status Status
	// Diagnostics are why it did not pass; they name files of the suite's Sources.
	Diagnostics hcl.Diagnostics
	// StepsRun are the addresses of the steps that were started, in order, those of called pipelines behind "CALLER/".
	StepsRun []string
	Elapsed  time.Duration
}

// run is one case under way.
type run struct {
	suite *Suite
	c     *Case
	plan  *engine.Plan

	vars      cty.Value
	ran       []string
	inputs    map[string]json.RawMessage // of the steps of the pipeline itself, by address; the last where one ran several times
	cancelled bool
}

// Run runs one case of the suite. It fails only when ctx ends, or for a fault of ours.
func (s *Suite) Run(ctx context.Context, c *Case) (Result, error) {
	begin := time.Now()
	r := &run{suite: s, c: c, plan: s.planOf(&reader{}, c), inputs: map[string]json.RawMessage{}}
	diags, failed, err := r.judge(ctx)
	result := Result{Status: Passed, Diagnostics: eval.Sort(diags), StepsRun: r.ran, Elapsed: time.Since(begin)}
	switch {
	case failed:
		result.Status = NotPassed
	case diags.HasErrors():
		result.Status = Errored
	}
	return result, err
}

// judge runs the case, and says what did not come as it says. failed tells that from mistakes in the test itself.
func (r *run) judge(ctx context.Context) (diags hcl.Diagnostics, failed bool, err error) {
	given, refused, diags := r.variables()
	if diags.HasErrors() {
		return diags, false, nil
	}
	if refused.HasErrors() {
		if r.c.expect == Refused {
			return nil, false, nil
		}
		return refused, true, nil
	}
	result, diags, err := r.drive(ctx, r.plan, given, "", &r.inputs)
	var mistakes *engine.DiagnosticsError
	switch {
	case errors.As(err, &mistakes) && r.c.expect == Refused:
		return nil, false, nil
	case errors.As(err, &mistakes):
		return mistakes.Diags, true, nil
	case err != nil || diags.HasErrors():
		return diags, false, err
	}
	if d := r.ended(result); d != nil {
		return hcl.Diagnostics{d}, true, nil
	}
	if len(r.c.asserts) == 0 {
		return nil, false, nil
	}
	names, err := r.names(result)
	if err != nil {
		return nil, false, err
	}
	diags, failed = r.asserts(names)
	return diags, failed, nil
}

// ended says how a run ended that should have ended otherwise.
func (r *run) ended(result engine.Result) *hcl.Diagnostic {
	how := "it " + string(result.Status)
	switch {
	case result.Status == engine.StatusCancelled:
		how = "it was cancelled"
	case result.Error != nil:
		how = "it failed: " + result.Error.Error()
	}
	want := map[Expect]string{
		Succeeded: "The run was to succeed; ", Failed: "The run was to fail; ", Cancelled: "The run was to be cancelled; ",
		Refused: "The run's variables were to be refused; ",
	}[r.c.expect]
	switch {
	case string(result.Status) != string(r.c.expect):
		return problem(r.c.expectRange, "Another end", "%s%s", want, how)
	case r.c.code != "" && result.Error.Code != r.c.code:
		return problem(r.c.expectRange, "Another error", "The run was to fail with the code %q; %s", r.c.code, how)
	}
	return nil
}

// variables evaluates what the case gives the pipeline: the file's values, and its own before them. refused is why the module does not
// take them.
func (r *run) variables() (data json.RawMessage, refused, diags hcl.Diagnostics) {
	given := map[string]eval.Given{}
	at := r.c.DeclRange
	for _, expr := range []hcl.Expression{r.c.File.variables, r.c.variables} {
		if expr == nil {
			continue
		}
		at = expr.Range()
		v, more := eval.Named(map[string]cty.Value{}).Value(expr, cty.DynamicPseudoType)
		diags = append(diags, more...)
		if more.HasErrors() {
			continue
		}
		if v.IsNull() || !v.Type().IsObjectType() {
			diags = append(diags, problem(at, "Wrong value", "\"variables\" takes an object by name, such as { name = \"x\" }."))
			continue
		}
		places := placesOf(expr)
		for name, value := range v.AsValueMap() {
			place, ok := places[name]
			if !ok {
				place = at
			}
			given[name] = eval.Given{Value: value, Range: &place}
		}
	}
	if diags.HasErrors() {
		return nil, nil, diags
	}
	r.vars, refused = r.suite.Module.ResolveVariables(given)
	for i, d := range refused {
		if d.Summary == "Missing variable" {
			what, _, _ := strings.Cut(d.Detail, ". ") // what follows is for the command line
			refused[i] = problem(at, d.Summary, "%s. Give it in `variables` of the run, or of the file for all runs.", what)
		}
	}
	values := map[string]cty.Value{}
	for name := range given {
		if r.vars.Type().HasAttribute(name) {
			values[name] = eval.Plain(r.vars.GetAttr(name))
		}
	}
	if refused.HasErrors() {
		return nil, refused, nil
	}
	data, err := eval.JSONObject(values)
	if err != nil {
		return nil, nil, hcl.Diagnostics{problem(at, "Wrong value", "These variables cannot be given: %s.", err)}
	}
	return data, nil, nil
}

// placesOf gives the places of an object's values by their names, where these are written out.
func placesOf(expr hcl.Expression) map[string]hcl.Range {
	places := map[string]hcl.Range{}
	object, ok := expr.(*hclsyntax.ObjectConsExpr)
	if !ok {
		return places
	}
	for _, item := range object.Items {
		if name := hcl.ExprAsKeyword(item.KeyExpr); name != "" {
			places[name] = item.ValueExpr.Range()
		}
	}
	return places
}

// drive runs a plan to its end. Steps are told apart by addresses behind prefix; inputs, if not nil, gets what they were given. Mistakes
// in the variables are a *engine.DiagnosticsError.
func (r *run) drive(ctx context.Context, plan *engine.Plan, variables json.RawMessage, prefix string, inputs *map[string]json.RawMessage) (engine.Result, hcl.Diagnostics, error) {
	program, err := r.suite.program(plan)
	if err != nil {
		return engine.Result{}, nil, err
	}
	s, err := program.Schedule(engine.Start{Variables: variables, WorkflowID: "test", RunID: runID, StartedAt: startedAt})
	if err != nil {
		return engine.Result{}, nil, err
	}
	var queue []engine.Task
	for {
		if err := ctx.Err(); err != nil {
			return engine.Result{}, nil, fmt.Errorf("running %q: %w", r.c.Name, err)
		}
		queue = append(queue, s.Ready()...)
		if result, ok := s.Result(); ok {
			return result, nil, nil
		}
		if len(queue) == 0 {
			return engine.Result{}, nil, fmt.Errorf("running %q: nothing is ready, and there is no result", r.c.Name)
		}
		task := queue[0]
		queue = queue[1:]
		if inputs != nil {
			(*inputs)[task.Step] = task.Input
		}
		outcome, diags := r.carryOut(ctx, prefix+task.Step, task, plan)
		if diags.HasErrors() {
			return engine.Result{}, diags, nil
		}
		if r.cancelled {
			s.Cancel()
		}
		s.Done(task.Step, outcome)
	}
}

// carryOut answers for a provider.
func (r *run) carryOut(ctx context.Context, address string, task engine.Task, plan *engine.Plan) (engine.Outcome, hcl.Diagnostics) {
	r.ran = append(r.ran, address)
	if r.cancelled && !task.Late { // it was under way when the run was cancelled
		return engine.Outcome{Cancelled: true}, nil
	}
	shape := r.suite.shapes(plan, task.Type)
	in, err := shape.input.Parse(task.Input)
	if err != nil {
		return engine.Outcome{}, hcl.Diagnostics{problem(r.c.DeclRange, "Cannot run", "Step %q: %s.", address, err)}
	}
	names := map[string]cty.Value{"input": in, "var": r.vars, "attempt": cty.NumberIntVal(attempt(task.ID, task.Step))}
	if task.Each != cty.NilVal {
		names["each"] = task.Each
	}
	m, diags := r.choose(address, task.Type, names)
	switch {
	case diags.HasErrors():
		return engine.Outcome{}, diags
	case m == nil && eval.IsBuiltin(task.Type):
		return r.builtin(ctx, address, task)
	case m == nil:
		return engine.Outcome{}, hcl.Diagnostics{r.unmocked(address, task, shape.step.Output)}
	}
	outcome, diags := m.outcome(address, shape.step.Output, names)
	r.cancelled = r.cancelled || outcome.Cancelled
	return outcome, diags
}
