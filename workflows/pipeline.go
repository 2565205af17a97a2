package workflows

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/containerpub/cpub/engine"
	"github.com/containerpub/cpub/sdk"
)

// Pipeline is the workflow of every pipeline: the workflow's type is the pipeline's name, its argument the variables as a JSON
// object, its result the pipeline's outputs. A run that continues as new has a Continuation behind the variables. Register it as the
// dynamic workflow.
func Pipeline(ctx workflow.Context, args converter.EncodedValues) (json.RawMessage, error) {
	return pipeline(ctx, args, &run{})
}

// pipeline is the workflow, with its state in r.
func pipeline(ctx workflow.Context, args converter.EncodedValues, r *run) (json.RawMessage, error) {
	*r = run{
		info: workflow.GetInfo(ctx), started: workflow.Now(ctx), tracks: map[string]*track{}, approvals: map[string]*approval{},
	}
	if err := workflow.SetQueryHandler(ctx, StatusQuery, r.report); err != nil {
		return nil, fmt.Errorf("setting up the query %s: %w", StatusQuery, err)
	}
	if err := r.handleDecisions(ctx); err != nil {
		return nil, err
	}
	variables, from, err := argumentsOf(args)
	if err != nil {
		return nil, runError(&engine.StepError{Code: codeVariables, Kind: sdk.KindInvalid, Message: err.Error()})
	}
	r.variables = variables
	if err := r.load(ctx); err != nil {
		return nil, err
	}
	if err := r.begin(ctx, variables, from); err != nil {
		r.mark(ctx, engine.StatusFailed)
		return nil, err
	}
	r.mark(ctx, engine.StatusRunning)
	if from == nil {
		if err := r.acquire(ctx); err != nil {
			return nil, r.refused(ctx, err)
		}
	}
	result, known := r.drive(ctx, from)
	if known != nil {
		return nil, r.continueAsNew(ctx, variables, known)
	}
	r.release(ctx)
	r.unlock(ctx)
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
	info      *workflow.Info
	started   time.Time
	loaded    Loaded
	variables json.RawMessage
	program   *engine.Program
	sched     *engine.Schedule
	routes    map[Route]string // a Route without its instance -> the instance
	tracks    map[string]*track
	order     []kept // what was given to providers, in the order in which it was started
	final     *engine.Result
	// began is when the run itself began, also where it continued as new.
	began time.Time
	// working is how much is under way that a run cannot continue as new over.
	working   int
	approvals map[string]*approval // by address
	decisions []workflow.ReceiveChannel
	driven    bool   // drive runs
	waiting   string // why nothing runs yet
	lock      string // the key that the run holds
	retaken   bool   // it has asked for it again, since it was reset
	// generationBefore is that of the run that this one continues.
	generationBefore string
	children         map[string]string // by the address of a step that calls: the digest of what its run keeps of an earlier one
	restored         int               // how many bytes the history has of what the run knew before it
	whole            bool              // what the run knows became too much to continue as new
}

// track is what a run remembers of a step that it started.
type track struct {
	Step      string     `json:"step"` // its address
	Key       string     `json:"key,omitempty"`
	Instance  string     `json:"instance,omitempty"`
	Queue     string     `json:"queue,omitempty"` // empty: no provider carries it out
	Scheduled time.Time  `json:"scheduled"`
	Ended     *time.Time `json:"ended,omitempty"`
}

// argumentsOf takes the workflow's arguments: one JSON object, null or nothing, and where the run goes on.
func argumentsOf(args converter.EncodedValues) (json.RawMessage, *Continuation, error) {
	if !args.HasValues() {
		return json.RawMessage("{}"), nil, nil
	}
	var raw json.RawMessage
	var from *Continuation
	if err := args.Get(&raw, &from); err != nil {
		if err := args.Get(&raw); err != nil {
			return nil, nil, fmt.Errorf("the workflow's input is to be one JSON object with the pipeline's variables: %w", err)
		}
	}
	if len(raw) == 0 || string(raw) == "null" {
		return json.RawMessage("{}"), from, nil
	}
	var object map[string]json.RawMessage
	if err := json.Unmarshal(raw, &object); err != nil {
		return nil, nil, fmt.Errorf("the workflow's input is to be one JSON object with the pipeline's variables, not %.40s", raw)
	}
	return raw, from, nil
}

// load has an activity find the run's definition, and keeps it in the history.
func (r *run) load(ctx workflow.Context) error {
	req := LoadRequest{Pipeline: r.info.WorkflowType.Name}
	if p, ok := r.info.Memo.GetFields()[MemoPlan]; ok {
		if err := fromMemo(p, &req.Plan); err != nil {
			return runError(&engine.StepError{Code: codePlan, Kind: sdk.KindPermanent, Message: fmt.Sprintf("the memo's %s is no string: %v", MemoPlan, err)})
		}
	}
	ctx = ownActivity(ctx, "plan and routes")
	err := workflow.ExecuteActivity(ctx, LoadActivity, req).Get(ctx, &r.loaded)
	var app *temporal.ApplicationError
	if errors.As(err, &app) {
		return runError(&engine.StepError{Code: codePlan, Kind: sdk.KindPermanent, Message: app.Message()})
	}
	return err
}

// ownActivity gives the options of the activities beside the steps: they are short, and tried until they succeed.
func ownActivity(ctx workflow.Context, summary string) workflow.Context {
	return workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
		StartToCloseTimeout: time.Minute, Summary: summary,
		RetryPolicy: &temporal.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: 10 * time.Second},
	})
}

func fromMemo(p *commonpb.Payload, v any) error {
	return converter.GetDefaultDataConverter().FromPayload(p, v)
}

// refused is how a run ends whose turn did not come.
func (r *run) refused(ctx workflow.Context, err error) error {
	r.unlock(ctx)
	if temporal.IsCanceledError(err) {
		r.mark(ctx, engine.StatusCancelled)
		return temporal.NewCanceledError()
	}
	r.mark(ctx, engine.StatusFailed)
	return runError(&engine.StepError{Code: codeConcurrency, Kind: sdk.KindPermanent, Message: err.Error()})
}

// begin compiles the plan and checks the variables, or goes on where the run before left off.
func (r *run) begin(ctx workflow.Context, variables json.RawMessage, from *Continuation) error {
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
	r.began = r.started
	if from != nil {
		return r.restore(ctx, from)
	}
	reused, err := r.reused(ctx, variables)
	if err != nil {
		return err
	}
	r.sched, err = r.program.Schedule(engine.Start{
		Variables: variables, Kept: reused, WorkflowID: r.info.WorkflowExecution.ID, RunID: r.info.FirstRunID,
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
