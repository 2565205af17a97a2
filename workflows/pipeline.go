package workflows

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/containerpub/cpub/engine"
	"github.com/containerpub/cpub/sdk"
)

// Pipeline is the workflow of every pipeline: the workflow's type is the pipeline's name, its one argument the variables as a JSON
// object, its result the pipeline's outputs. Register it as the dynamic workflow.
func Pipeline(ctx workflow.Context, args converter.EncodedValues) (json.RawMessage, error) {
	r := &run{info: workflow.GetInfo(ctx), started: workflow.Now(ctx), tracks: map[string]*track{}}
	if err := workflow.SetQueryHandler(ctx, StatusQuery, r.report); err != nil {
		return nil, fmt.Errorf("setting up the query %s: %w", StatusQuery, err)
	}
	variables, err := variablesOf(args)
	if err != nil {
		return nil, runError(&engine.StepError{Code: codeVariables, Kind: sdk.KindInvalid, Message: err.Error()})
	}
	if err := r.load(ctx); err != nil {
		return nil, err
	}
	if err := r.begin(variables); err != nil {
		r.mark(ctx, engine.StatusFailed)
		return nil, err
	}
	r.mark(ctx, engine.StatusRunning)
	result := r.drive(ctx)
	r.release(ctx)
	r.mark(ctx, result.Status)
	switch result.Status {
	case engine.StatusSucceeded:
		return result.Outputs, nil
	case engine.StatusCancelled:
		return nil, temporal.NewCanceledError()
	default:
		return nil, runError(result.Error)
	}
}

// run is one run under way. Only the workflow's own goroutine uses it.
type run struct {
	info    *workflow.Info
	started time.Time
	loaded  Loaded
	program *engine.Program
	sched   *engine.Schedule
	routes  map[Route]string // a Route without its instance -> the instance
	tracks  map[string]*track
	order   []string // steps in the order in which they were started
	expired bool     // the pipeline's timeout ran out
	final   *engine.Result
}

// track is what a run remembers of a step that it started.
type track struct {
	key, instance, queue string
	scheduled            time.Time
	ended                *time.Time
}

// variablesOf takes the workflow's argument: one JSON object, null or nothing.
func variablesOf(args converter.EncodedValues) (json.RawMessage, error) {
	if !args.HasValues() {
		return json.RawMessage("{}"), nil
	}
	var raw json.RawMessage
	if err := args.Get(&raw); err != nil {
		return nil, fmt.Errorf("the workflow's input is to be one JSON object with the pipeline's variables: %w", err)
	}
	if len(raw) == 0 || string(raw) == "null" {
		return json.RawMessage("{}"), nil
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(raw, &object); err != nil {
		return nil, fmt.Errorf("the workflow's input is to be one JSON object with the pipeline's variables, not %.40s", raw)
	}
	return raw, nil
}

// load has an activity find the run's definition, and keeps it in the history.
func (r *run) load(ctx workflow.Context) error {
	req := LoadRequest{Pipeline: r.info.WorkflowType.Name}
	if p, ok := r.info.Memo.GetFields()[MemoPlan]; ok {
		if err := converter.GetDefaultDataConverter().FromPayload(p, &req.Plan); err != nil {
			return runError(&engine.StepError{Code: codePlan, Kind: sdk.KindPermanent, Message: fmt.Sprintf("the memo's %s is no string: %v", MemoPlan, err)})
		}
	}
	ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: time.Minute,
		RetryPolicy:         &temporal.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: 10 * time.Second},
		Summary:             "plan and routes",
	})
	err := workflow.ExecuteActivity(ctx, LoadActivity, req).Get(ctx, &r.loaded)
	var app *temporal.ApplicationError
	if errors.As(err, &app) {
		return runError(&engine.StepError{Code: codePlan, Kind: sdk.KindPermanent, Message: app.Message()})
	}
	return err
}

// begin compiles the plan and checks the variables.
func (r *run) begin(variables json.RawMessage) error {
	plan, err := engine.DecodePlan(r.loaded.Plan)
	if err == nil {
		r.program, err = engine.Compile(plan)
	}
	if err != nil {
		return runError(&engine.StepError{Code: codePlan, Kind: sdk.KindPermanent, Message: err.Error()})
	}
	r.routes = make(map[Route]string, len(r.loaded.Routes))
	for _, route := range r.loaded.Routes {
		instance := route.Instance
		route.Instance = ""
		r.routes[route] = instance
	}
	r.sched, err = r.program.Schedule(engine.Start{
		Variables: variables, WorkflowID: r.info.WorkflowExecution.ID, RunID: r.info.FirstRunID,
		StartedAt: r.started.UTC().Format(time.RFC3339),
	})
	if err != nil {
		return runError(&engine.StepError{Code: codeVariables, Kind: sdk.KindInvalid, Message: err.Error()})
	}
	return nil
}

// mark sets the search attributes, where there are such.
func (r *run) mark(ctx workflow.Context, status engine.Status) {
	if !r.loaded.Attributes {
		return
	}
	err := workflow.UpsertTypedSearchAttributes(ctx,
		temporal.NewSearchAttributeKeyKeyword(AttributePipeline).ValueSet(r.info.WorkflowType.Name),
		temporal.NewSearchAttributeKeyKeyword(AttributeStatus).ValueSet(string(status)))
	if err != nil {
		workflow.GetLogger(ctx).Warn("Setting search attributes", "error", err)
	}
}

// report answers StatusQuery.
func (r *run) report() (*Report, error) {
	rep := &Report{Pipeline: r.info.WorkflowType.Name, Plan: r.loaded.Digest, Status: engine.StatusRunning, Steps: []StepReport{}}
	if r.sched == nil {
		return rep, nil
	}
	if r.final != nil {
		rep.Status, rep.Outputs, rep.Error = r.final.Status, r.final.Outputs, r.final.Error
	}
	for _, state := range r.sched.States() {
		step := StepReport{StepState: state, Outputs: r.sched.Outputs(state.Step)}
		if t := r.tracks[state.Step]; t != nil {
			step.Key, step.Instance, step.Queue, step.ScheduledAt, step.EndedAt = t.key, t.instance, t.queue, &t.scheduled, t.ended
		}
		rep.Steps = append(rep.Steps, step)
	}
	return rep, nil
}
