package workflows

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/containerpub/cpub/engine"
	"github.com/containerpub/cpub/engine/eval"
	"github.com/containerpub/cpub/sdk"
)

// The times of a step's activity that a pipeline does not set.
const (
	// heartbeatTimeout is how soon a lost worker is noticed.
	heartbeatTimeout = 15 * time.Second
	// cleanupTime is what an attempt has, after its timeout, to stop its work and say so.
	cleanupTime = 30 * time.Second
	// longestAttempt is the limit of steps that have no timeout.
	longestAttempt = 24 * time.Hour
	// lostAttempts is how many attempts may be lost with their workers beside those that may fail.
	lostAttempts = 20
)

// drive starts what is ready and takes what is done until the run has a result, or is to continue as new with what it knows.
func (r *run) drive(ctx workflow.Context, from *Continuation) (result engine.Result, known []byte) {
	steps, stop := workflow.WithCancel(ctx)
	defer stop()
	late, stopLate := workflow.NewDisconnectedContext(ctx)
	defer stopLate()
	d := &driver{run: r, sel: workflow.NewSelector(ctx), steps: steps, late: late}
	d.watchCancel(ctx)
	defer d.watchTimeout(ctx, stop)()
	if from != nil {
		d.resume()
	}
	r.driven = true
	for turn := 0; ; turn++ {
		r.retake(ctx, turn)
		full := r.full() && ctx.Err() == nil // a cancel would be forgotten
		if !full {
			for _, task := range r.sched.Ready() {
				d.start(task)
			}
		}
		if result, ok := r.sched.Result(); ok {
			r.final = &result
			return result, nil
		}
		if full && r.working == 0 {
			if err := workflow.Await(late, r.decisionsTaken); err == nil && r.working == 0 {
				if known := r.known(); known != nil {
					return engine.Result{}, known
				}
			}
			continue
		}
		d.sel.Select(ctx)
	}
}

// driver carries out what Schedule gives.
type driver struct {
	*run
	sel   workflow.Selector
	steps workflow.Context // ends with the run
	late  workflow.Context // of what comes after the main part: a cancel of the run does not reach it
}

// watchCancel lets no step start any more once the workflow is cancelled. Temporal itself cancels those under way.
func (d *driver) watchCancel(ctx workflow.Context) {
	d.sel.AddFuture(ended(ctx), func(workflow.Future) { d.sched.Cancel() })
}

// ended gives a future that stands for a context's end: a selector would select its closed channel for ever.
func ended(ctx workflow.Context) workflow.Future {
	future, settle := workflow.NewFuture(ctx)
	workflow.Go(ctx, func(ctx workflow.Context) {
		ctx.Done().Receive(ctx, nil)
		settle.SetValue(nil)
	})
	return future
}

// watchTimeout ends the main part when the pipeline's time runs out. What comes after it has its own time.
func (d *driver) watchTimeout(ctx workflow.Context, stop workflow.CancelFunc) workflow.CancelFunc {
	limit := d.sched.Settings().Timeout
	if limit <= 0 {
		return func() {}
	}
	timerCtx, cancel := workflow.WithCancel(ctx)
	left := max(limit-workflow.Now(ctx).Sub(d.began), 0)
	timer := workflow.NewTimerWithOptions(timerCtx, left, workflow.TimerOptions{Summary: "timeout of the pipeline"})
	d.sel.AddFuture(timer, func(f workflow.Future) {
		if f.Get(timerCtx, nil) != nil {
			return
		}
		d.sched.Fail(&engine.StepError{
			Code: sdk.CodeTimeout, Kind: sdk.KindPermanent, Message: fmt.Sprintf("the pipeline took longer than its timeout of %s", limit),
		})
		stop()
	})
	return cancel
}

// start carries a task out, after its delay.
func (d *driver) start(task engine.Task) {
	ctx := d.steps
	if task.Late {
		ctx = d.late
	}
	if task.Delay <= 0 {
		d.begin(ctx, task)
		return
	}
	d.working++
	timer := workflow.NewTimerWithOptions(ctx, task.Delay, workflow.TimerOptions{Summary: task.ID + " runs again"})
	d.sel.AddFuture(timer, func(f workflow.Future) {
		d.working--
		if f.Get(ctx, nil) != nil {
			d.sched.Done(task.Step, engine.Outcome{Cancelled: true})
			return
		}
		d.begin(ctx, task)
	})
}

// begin carries a task out.
func (d *driver) begin(ctx workflow.Context, task engine.Task) {
	t := d.tracks[task.Step]
	if t == nil || t.Ended != nil { // else the run continued as new over it
		t = &track{Step: task.Step, Scheduled: workflow.Now(ctx)}
		d.tracks[task.Step] = t
	}
	switch task.Type {
	case eval.TypeWait:
		d.wait(ctx, task, t)
	case eval.TypeApproval:
		d.approve(ctx, task, t)
	case eval.TypePipeline:
		d.call(ctx, task, t)
	default:
		d.execute(ctx, task, t)
	}
}

// done tells Schedule what came of a task.
func (d *driver) done(ctx workflow.Context, task engine.Task, t *track, o engine.Outcome) {
	now := workflow.Now(ctx)
	t.Ended = &now
	d.sched.Done(task.Step, o)
}

// execute gives a step to its queue.
func (d *driver) execute(ctx workflow.Context, task engine.Task, t *track) {
	t.Instance = d.routes[Route{StepType: task.Type, Provider: task.Provider}]
	t.Queue = Queue(t.Instance, task.Location)
	t.Key = engine.KeyOf(d.info.WorkflowExecution.ID, d.info.FirstRunID, d.generation(), task.ID)
	d.keep(task.ID, t)
	ctx = workflow.WithValue(ctx, headerKey{}, Header{
		Key: t.Key, Run: RunName(d.info.WorkflowExecution.ID, d.info.FirstRunID), Pipeline: d.info.WorkflowType.Name,
		SchemaDigest: task.SchemaDigest, MaxAttempts: task.Retry.MaxAttempts, On: task.Retry.On, Timeout: task.Timeout,
		Secrets: task.Secrets,
	})
	ctx = workflow.WithActivityOptions(ctx, stepOptions(task, t.Queue))
	d.working++
	future := workflow.ExecuteActivity(ctx, task.Type, task.Input)
	d.sel.AddFuture(future, func(f workflow.Future) {
		var outputs json.RawMessage
		err := f.Get(ctx, &outputs)
		d.working--
		d.done(ctx, task, t, outcome(outputs, err))
	})
}

// stepOptions are Temporal's options of a step's activity. The step's own timeout is the activity's to keep, so that it can clean up
// and say what happened; Temporal's lies behind it.
func stepOptions(task engine.Task, queue string) workflow.ActivityOptions {
	limit := longestAttempt
	if task.Timeout > 0 {
		limit = task.Timeout + cleanupTime
	}
	retry := &temporal.RetryPolicy{
		InitialInterval: task.Retry.InitialInterval, BackoffCoefficient: task.Retry.BackoffCoefficient,
		MaximumInterval: task.Retry.MaxInterval, MaximumAttempts: int32(task.Retry.MaxAttempts + lostAttempts),
	}
	if !slices.Contains(task.Retry.On, sdk.CodeTimeout) {
		retry.NonRetryableErrorTypes = []string{"TemporalTimeout:StartToClose"}
	}
	return workflow.ActivityOptions{
		TaskQueue: queue, ActivityID: task.ID, Summary: task.Summary,
		StartToCloseTimeout: limit, ScheduleToStartTimeout: task.QueueTimeout, HeartbeatTimeout: heartbeatTimeout,
		WaitForCancellation: true, RetryPolicy: retry, DisableEagerExecution: true,
	}
}

// generation tells a run that was reset from what it was before, also where it continues as new.
func (r *run) generation() string {
	if r.wasReset() {
		return r.info.WorkflowExecution.RunID
	}
	return r.generationBefore
}

// wasReset tells that this history begins with a part of another run's.
func (r *run) wasReset() bool {
	original := r.info.OriginalRunID
	return original != "" && original != r.info.WorkflowExecution.RunID
}
