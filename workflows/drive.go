package workflows

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/containerpub/cpub/engine"
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
	// releaseTime is how long the last act may take before the run ends without it. The sweeper does it later.
	releaseTime = 2 * time.Minute
)

// drive starts what is ready and takes what is done until the run has a result.
func (r *run) drive(ctx workflow.Context) engine.Result {
	steps, stop := workflow.WithCancel(ctx)
	defer stop()
	sel := workflow.NewSelector(ctx)
	r.watchCancel(ctx, sel)
	cancelTimer := r.watchTimeout(ctx, sel, stop)
	defer cancelTimer()
	for {
		for _, task := range r.sched.Ready() {
			r.start(steps, sel, task)
		}
		if result, ok := r.sched.Result(); ok {
			return r.conclude(result)
		}
		sel.Select(ctx)
	}
}

// conclude keeps the result. A run that its own timeout ended failed; it was not cancelled.
func (r *run) conclude(result engine.Result) engine.Result {
	if r.expired && result.Status == engine.StatusCancelled {
		result.Status = engine.StatusFailed
		result.Error = &engine.StepError{
			Code: sdk.CodeTimeout, Kind: sdk.KindPermanent,
			Message: fmt.Sprintf("the pipeline took longer than its timeout of %s", r.sched.Timeout()),
		}
	}
	r.final = &result
	return result
}

// watchCancel lets no step start any more once the workflow is cancelled. Temporal itself cancels those under way. A future stands
// for the cancel, since a closed channel would be selected for ever.
func (r *run) watchCancel(ctx workflow.Context, sel workflow.Selector) {
	cancelled, settle := workflow.NewFuture(ctx)
	workflow.Go(ctx, func(ctx workflow.Context) {
		ctx.Done().Receive(ctx, nil)
		settle.SetValue(nil)
	})
	sel.AddFuture(cancelled, func(workflow.Future) { r.sched.Cancel() })
}

// watchTimeout ends the run when the pipeline's time runs out.
func (r *run) watchTimeout(ctx workflow.Context, sel workflow.Selector, stop workflow.CancelFunc) workflow.CancelFunc {
	limit := r.sched.Timeout()
	if limit <= 0 {
		return func() {}
	}
	timerCtx, cancel := workflow.WithCancel(ctx)
	timer := workflow.NewTimerWithOptions(timerCtx, limit, workflow.TimerOptions{Summary: "timeout of the pipeline"})
	sel.AddFuture(timer, func(f workflow.Future) {
		if f.Get(timerCtx, nil) != nil {
			return
		}
		r.expired = true
		r.sched.Cancel()
		stop()
	})
	return cancel
}

// start gives one step to its queue.
func (r *run) start(ctx workflow.Context, sel workflow.Selector, task engine.Task) {
	instance := r.routes[Route{StepType: task.Type, Provider: task.Provider}]
	t := &track{
		key:      engine.KeyOf(r.info.WorkflowExecution.ID, r.info.FirstRunID, r.generation(), task.Step),
		instance: instance, queue: Queue(instance, task.Location), scheduled: workflow.Now(ctx),
	}
	r.tracks[task.Step] = t
	r.order = append(r.order, task.Step)

	ctx = workflow.WithValue(ctx, headerKey{}, Header{
		Key: t.key, Run: RunName(r.info.WorkflowExecution.ID, r.info.FirstRunID), Pipeline: r.info.WorkflowType.Name,
		SchemaDigest: task.SchemaDigest, MaxAttempts: task.Retry.MaxAttempts, On: task.Retry.On, Timeout: task.Timeout,
	})
	ctx = workflow.WithActivityOptions(ctx, stepOptions(task, t.queue))
	future := workflow.ExecuteActivity(ctx, task.Type, task.Input)
	sel.AddFuture(future, func(f workflow.Future) {
		var outputs json.RawMessage
		err := f.Get(ctx, &outputs)
		now := workflow.Now(ctx)
		t.ended = &now
		r.sched.Done(task.Step, outcome(outputs, err))
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
		TaskQueue: queue, ActivityID: task.Step, Summary: task.Summary,
		StartToCloseTimeout: limit, ScheduleToStartTimeout: task.QueueTimeout, HeartbeatTimeout: heartbeatTimeout,
		WaitForCancellation: true, RetryPolicy: retry, DisableEagerExecution: true,
	}
}

// generation tells a run that was reset from what it was before.
func (r *run) generation() string {
	if original := r.info.OriginalRunID; original == "" || original == r.info.WorkflowExecution.RunID {
		return ""
	}
	return r.info.WorkflowExecution.RunID
}

// release ends what the run's steps kept, on every queue that one ran on, whatever became of the run.
func (r *run) release(ctx workflow.Context) {
	var queues []string
	keys := map[string][]string{}
	for _, step := range r.order {
		t := r.tracks[step]
		if _, ok := keys[t.queue]; !ok {
			queues = append(queues, t.queue)
		}
		keys[t.queue] = append(keys[t.queue], t.key)
		if r.generation() != "" { // what ran before a reset has a key of that time
			keys[t.queue] = append(keys[t.queue], engine.KeyOf(r.info.WorkflowExecution.ID, r.info.FirstRunID, "", step))
		}
	}
	ctx, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	var futures []workflow.Future
	for _, queue := range queues {
		ctx := workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
			TaskQueue: ReleaseQueue(queue), Summary: "remove what the steps kept", ScheduleToCloseTimeout: releaseTime,
			StartToCloseTimeout: releaseTime, HeartbeatTimeout: heartbeatTimeout, DisableEagerExecution: true,
			RetryPolicy: &temporal.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: 10 * time.Second},
		})
		futures = append(futures, workflow.ExecuteActivity(ctx, ReleaseActivity, ReleaseRequest{Keys: keys[queue]}))
	}
	for i, f := range futures {
		if err := f.Get(ctx, nil); err != nil {
			workflow.GetLogger(ctx).Warn("Releasing what the steps kept; the sweeper does it later", "queue", queues[i], "error", err)
		}
	}
}
