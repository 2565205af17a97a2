package workflows

import (
	"encoding/json"
	"errors"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/containerpub/cpub/engine"
	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/schema"
)

// wait carries out a step of the type `wait`: a timer. One that the run continued as new over goes on where it was.
func (d *driver) wait(ctx workflow.Context, task engine.Task, t *track) {
	until, err := waitUntil(task.Input, t.Scheduled)
	if err != nil {
		d.done(ctx, task, t, engine.Outcome{Err: &engine.StepError{Code: engine.CodeInvalid, Kind: sdk.KindInvalid, Message: err.Error()}})
		return
	}
	timer := workflow.NewTimerWithOptions(ctx, max(until.Sub(workflow.Now(ctx)), 0), workflow.TimerOptions{Summary: task.Summary})
	d.sel.AddFuture(timer, func(f workflow.Future) {
		if f.Get(ctx, nil) != nil {
			d.done(ctx, task, t, engine.Outcome{Cancelled: true})
			return
		}
		d.done(ctx, task, t, outputsOf(map[string]string{"ended_at": timeText(workflow.Now(ctx))}))
	})
}

// waitUntil is the moment that a wait which began then ends.
func waitUntil(input json.RawMessage, began time.Time) (time.Time, error) {
	var in struct {
		Duration string `json:"duration"`
		At       string `json:"at"`
	}
	if err := json.Unmarshal(input, &in); err != nil {
		return time.Time{}, fmt.Errorf("reading the step's input: %w", err)
	}
	if in.At != "" {
		at, err := time.Parse(time.RFC3339, in.At)
		if err != nil {
			return time.Time{}, fmt.Errorf("reading at: %w", err)
		}
		return at, nil
	}
	duration, err := schema.ParseDuration(in.Duration)
	if err != nil {
		return time.Time{}, fmt.Errorf("reading duration: %w", err)
	}
	return began.Add(duration.Std()), nil
}

func timeText(t time.Time) string { return t.UTC().Format(time.RFC3339) }

// outputsOf is the outcome of a success.
func outputsOf(v any) engine.Outcome {
	data, err := json.Marshal(v)
	if err != nil {
		return engine.Outcome{Err: &engine.StepError{Code: engine.CodeInvalid, Kind: sdk.KindPermanent, Message: fmt.Sprintf("encoding the outputs: %v", err)}}
	}
	return engine.Outcome{Outputs: data}
}

// call carries out a step of the type `pipeline`: a child workflow.
func (d *driver) call(ctx workflow.Context, task engine.Task, t *track) {
	var in struct {
		Pipeline  string          `json:"pipeline"`
		Variables json.RawMessage `json:"variables"`
	}
	if err := json.Unmarshal(task.Input, &in); err != nil {
		d.done(ctx, task, t, engine.Outcome{Err: &engine.StepError{Code: engine.CodeInvalid, Kind: sdk.KindInvalid, Message: err.Error()}})
		return
	}
	if len(in.Variables) == 0 {
		in.Variables = json.RawMessage("{}")
	}
	// Nothing of a reset is in the id: what was started before it is replayed after it.
	id := childID(d.info.WorkflowExecution.ID, task.ID)
	childCtx, stop := workflow.WithCancel(ctx)
	expired := false
	if task.Timeout > 0 {
		timer := workflow.NewTimerWithOptions(childCtx, task.Timeout, workflow.TimerOptions{Summary: "timeout of " + task.Summary})
		d.sel.AddFuture(timer, func(f workflow.Future) {
			if f.Get(ctx, nil) == nil {
				expired = true
				stop()
			}
		})
	}
	options := workflow.WithChildOptions(childCtx, workflow.ChildWorkflowOptions{
		WorkflowID: id, Memo: d.childMemo(task), WaitForCancellation: true,
		ParentClosePolicy: enumspb.PARENT_CLOSE_POLICY_REQUEST_CANCEL, StaticSummary: task.Summary,
	})
	d.working++
	future := workflow.ExecuteChildWorkflow(options, in.Pipeline, in.Variables)
	d.sel.AddFuture(future, func(f workflow.Future) {
		var outputs json.RawMessage
		err := f.Get(ctx, &outputs)
		d.working--
		stop()
		d.done(ctx, task, t, outcomeOfCall(in.Pipeline, id, outputs, err, expired, task.Timeout, ctx.Err() != nil))
	})
}

// childID is the workflow id of the run that a task calls.
func childID(id, taskID string) string { return id + "/" + taskID }

// childMemo is what a child is told beside its variables. What it keeps of an earlier run is for the first time that the step runs.
func (d *driver) childMemo(task engine.Task) map[string]any {
	memo := map[string]any{MemoPlan: task.Callee, MemoLocks: d.locks()}
	if earlier := d.children[task.Step]; earlier != "" && task.ID == task.Step {
		memo[MemoRerun] = earlier
	}
	return memo
}

// outcomeOfCall is what came of a child workflow.
func outcomeOfCall(pipeline, id string, outputs json.RawMessage, err error, expired bool, limit time.Duration, cancelled bool) engine.Outcome {
	if err == nil {
		return outputsOf(map[string]any{"outputs": outputs, "workflow_id": id})
	}
	failed := func(code, format string, args ...any) engine.Outcome {
		return engine.Outcome{Err: &engine.StepError{
			Code: code, Kind: sdk.KindPermanent, Message: fmt.Sprintf("pipeline %q (%s): ", pipeline, id) + fmt.Sprintf(format, args...),
		}}
	}
	var (
		canceled   *temporal.CanceledError
		terminated *temporal.TerminatedError
		app        *temporal.ApplicationError
	)
	switch {
	case expired:
		return failed(sdk.CodeTimeout, "it took longer than the step's timeout of %s", limit)
	case errors.As(err, &canceled) && cancelled:
		return engine.Outcome{Cancelled: true}
	case errors.As(err, &canceled):
		return failed(engine.CodeCancelled, "it was cancelled")
	case errors.As(err, &terminated):
		return failed(codeTerminated, "it was terminated")
	case errors.As(err, &app):
		return failed(app.Type(), "%s", app.Message())
	default:
		return failed(codeTerminated, "%s", err.Error())
	}
}
