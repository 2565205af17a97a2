package workflows

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"sync"
	"time"

	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/containerpub/cpub/engine"
	"github.com/containerpub/cpub/engine/policy"
	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/schema"
)

// Steps carries out the steps of one provider instance, for our own workflow and for anybody else's. Its methods are activities.
type Steps struct {
	// Instance is the provider instance, "podman.local".
	Instance string
	Runner   engine.Runner
	Policy   *policy.Policy
}

// errTimeout is the cause of an attempt's end when its own time ran out.
var errTimeout = errors.New("the step's timeout ran out")

// Run is the activity of every step type: the type is the activity's, the input its resolved configuration.
func (s *Steps) Run(ctx context.Context, input json.RawMessage) (json.RawMessage, error) {
	info := activity.GetInfo(ctx)
	if !info.IsWorkflowActivity() {
		return nil, temporal.NewNonRetryableApplicationError(
			"a step is called by a workflow: what an activity on its own leaves behind belongs to no run", string(sdk.KindPermanent), nil)
	}
	h := headerOf(ctx, info)
	var before Heartbeat
	if activity.HasHeartbeatDetails(ctx) {
		if err := activity.GetHeartbeatDetails(ctx, &before); err != nil {
			activity.GetLogger(ctx).Warn("Reading what the attempt before left", "error", err)
		}
	}
	obs := newObserver(before)
	outputs, err := s.attempt(ctx, info, h, before, obs, input)
	switch cause := new(endError); {
	case err == nil:
		return outputs, nil
	case errors.As(err, &cause) && cause.cancelled:
		return nil, context.Canceled
	case errors.As(err, &cause):
		return nil, detached(cause.reason)
	case errors.Is(err, engine.ErrLost):
		return nil, lost(err)
	default:
		failures := obs.returned(ctx, int(info.Attempt))
		return nil, failure(err, h, failures, info.RetryPolicy, int(info.Attempt))
	}
}

// endError is the end of an attempt from outside: a cancel, or the loss of this worker.
type endError struct {
	cancelled bool
	reason    error
}

func (e *endError) Error() string { return e.reason.Error() }

// attempt runs the step under its policy until it ends, or something ends it.
func (s *Steps) attempt(
	ctx context.Context, info activity.Info, h Header, before Heartbeat, obs *observer, input json.RawMessage,
) (json.RawMessage, error) {
	input, err := canonical(input)
	if err == nil {
		err = s.Policy.Check(info.ActivityType.Name, input)
	}
	if err != nil {
		return nil, err
	}
	runCtx, end := context.WithCancelCause(context.WithoutCancel(ctx))
	defer end(nil)
	stop := make(chan struct{})
	var beside sync.WaitGroup
	beside.Go(func() { obs.run(ctx, stop) })
	beside.Go(func() { watch(ctx, h.Timeout, stop, end) })
	defer beside.Wait()
	defer close(stop)

	outputs, err := s.Runner.Run(runCtx, engine.Call{
		Instance: s.Instance, StepType: info.ActivityType.Name, Step: info.ActivityID, Run: h.Run, Pipeline: h.Pipeline,
		Key: h.Key, Attempt: int(info.Attempt), Returned: before.ReturnedAttempt > 0 && before.ReturnedAttempt == int(info.Attempt)-1,
		Queued: queued(info),
		Input:  input, Secrets: h.Secrets, Checkpoint: before.Checkpoint, SchemaDigest: h.SchemaDigest, Rules: s.Policy.ProviderRules(), LogKey: LogKey(h.Key),
	}, obs)
	switch cause := context.Cause(runCtx); {
	case err == nil:
		return checkSize(outputs)
	case cause == nil:
		return nil, err
	case errors.Is(cause, errTimeout):
		return nil, timedOut(h.Timeout)
	default:
		return nil, &endError{cancelled: errors.Is(cause, sdk.ErrCancelled), reason: cause}
	}
}

// canonical is an input as policy and provider both read it: whoever schedules an activity may write a name twice.
func canonical(input json.RawMessage) (json.RawMessage, error) {
	if len(input) == 0 {
		return input, nil
	}
	out, err := schema.Canonical(input)
	if err != nil {
		return nil, sdk.Invalidf("", "reading the step's input: %w", err)
	}
	return out, nil
}

// queued is how long a step waited for a worker. The SDK tells of a later attempt only when the first was scheduled, which says
// nothing about its own wait: such a one counts from when the worker took it.
func queued(info activity.Info) time.Duration {
	if info.Attempt > 1 || info.ScheduledTime.IsZero() {
		return 0
	}
	return max(info.StartedTime.Sub(info.ScheduledTime), 0)
}

// checkSize keeps large outputs out of histories.
func checkSize(outputs json.RawMessage) (json.RawMessage, error) {
	if len(outputs) > engine.MaxOutputs {
		return nil, &sdk.Error{Kind: sdk.KindPermanent, Code: engine.CodeTooLarge, Err: fmt.Errorf(
			"the step's outputs have %d bytes, more than the %d that are possible: large values are artifacts", len(outputs), engine.MaxOutputs)}
	}
	if len(outputs) == 0 {
		outputs = json.RawMessage("{}")
	}
	return outputs, nil
}

// watch ends an attempt with a cause that says whether the work is to be stopped, or left for the next attempt to adopt.
func watch(ctx context.Context, timeout time.Duration, stop <-chan struct{}, end context.CancelCauseFunc) {
	var expired <-chan time.Time
	if timeout > 0 {
		timer := time.NewTimer(timeout)
		defer timer.Stop()
		expired = timer.C
	}
	select {
	case <-stop:
	case <-expired:
		end(errTimeout)
	case <-activity.GetWorkerStopChannel(ctx):
		end(fmt.Errorf("%w: the worker stops", sdk.ErrDetached))
	case <-ctx.Done():
		switch cause := context.Cause(ctx); {
		case errors.Is(cause, context.DeadlineExceeded):
			end(errTimeout)
		case isGone(cause):
			end(fmt.Errorf("%w: %w", sdk.ErrDetached, cause))
		default:
			end(fmt.Errorf("%w: %w", sdk.ErrCancelled, cause))
		}
	}
}

// headerOf is what came with the activity, or, for one of somebody's own workflow, what stands in for it.
func headerOf(ctx context.Context, info activity.Info) Header {
	if h, ok := ctx.Value(headerKey{}).(Header); ok && h.Key != "" {
		return h
	}
	run, name := info.WorkflowExecution, ""
	if info.WorkflowType != nil {
		name = info.WorkflowType.Name
	}
	return Header{
		Key: engine.KeyOf(run.ID, run.RunID, "", info.ActivityID),
		Run: RunName(run.ID, run.RunID), Pipeline: name,
	}
}
