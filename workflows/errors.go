package workflows

import (
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/containerpub/cpub/engine"
	"github.com/containerpub/cpub/sdk"
)

// The codes of failures that are Temporal's or the worker's.
const (
	codeDetached    = "detached"    // the worker stops; another attempt adopts the work
	codeQueue       = "queue"       // no worker took the step within its queue_timeout
	codeLost        = "lost"        // the worker was lost, too often
	codeTerminated  = "interrupted" // ended from outside
	codePlan        = "plan"        // the pipeline's plan cannot be had or used
	codeVariables   = "variables"   // the run's variables are wrong
	codeConcurrency = "concurrency" // another run holds the pipeline's concurrency
	codeTransient   = "error"       // none of the above
)

// detachedDelay is how long Temporal waits before it gives a detached step to another worker: as little as can be said.
const detachedDelay = time.Millisecond

// details travel with a failed activity, for the workflow and for people.
type details struct {
	Kind    sdk.Kind        `json:"kind,omitempty"`
	Code    string          `json:"code,omitempty"`
	Attr    string          `json:"attr,omitempty"`
	Outputs json.RawMessage `json:"outputs,omitempty"`
}

// failure turns a step's error into Temporal's. More attempts may follow unless the error is permanent, its code not among those
// to retry, or the last attempt was this one.
func failure(err error, h Header, failures int, policy *temporal.RetryPolicy, attempt int) error {
	var e *sdk.Error
	if !errors.As(err, &e) {
		e = &sdk.Error{Err: err}
	}
	final := e.Kind != sdk.KindTransient && !retried(e, h.On) || h.MaxAttempts > 0 && failures >= h.MaxAttempts
	return temporal.NewApplicationErrorWithOptions(err.Error(), errorType(e), temporal.ApplicationErrorOptions{
		NonRetryable:   final,
		NextRetryDelay: nextDelay(e.RetryAfter, policy, attempt),
		Details:        []any{details{Kind: e.Kind, Code: e.Code, Attr: e.Attr, Outputs: e.Outputs}},
	})
}

// retried tells that the step's `retry { on }` names a failure that would be final.
func retried(e *sdk.Error, on []string) bool {
	return e.Kind == sdk.KindPermanent && e.Code != sdk.CodeDenied && slices.Contains(on, e.Code)
}

// errorType is what Temporal shows as the failure's type.
func errorType(e *sdk.Error) string {
	switch {
	case e.Code != "":
		return e.Code
	case e.Kind != sdk.KindTransient:
		return string(e.Kind)
	default:
		return codeTransient
	}
}

// nextDelay is retryAfter where it is longer than what the policy gives; zero: as the policy says.
func nextDelay(retryAfter time.Duration, p *temporal.RetryPolicy, attempt int) time.Duration {
	if retryAfter <= 0 || p == nil {
		return max(retryAfter, 0)
	}
	wait := p.InitialInterval
	for i := 1; i < attempt && wait < retryAfter; i++ {
		next := time.Duration(float64(wait) * max(p.BackoffCoefficient, 1))
		if next <= wait {
			break
		}
		wait = next
	}
	if p.MaximumInterval > 0 {
		wait = min(wait, p.MaximumInterval)
	}
	if wait >= retryAfter {
		return 0
	}
	return retryAfter
}

// detached tells Temporal that the worker gives the step up and the work goes on: whoever comes next adopts it, at once.
func detached(reason error) error {
	return temporal.NewApplicationErrorWithOptions("the worker detached from the step: "+reason.Error(), codeDetached,
		temporal.ApplicationErrorOptions{NextRetryDelay: detachedDelay, Category: temporal.ApplicationErrorCategoryBenign})
}

// lost tells Temporal that the attempt ended without an answer: the next one adopts the work. It does not count as a failure.
func lost(err error) error {
	return temporal.NewApplicationErrorWithOptions(err.Error(), codeLost, temporal.ApplicationErrorOptions{Details: []any{details{Code: codeLost}}})
}

// outcome turns what an activity's future gave into what Schedule takes.
func outcome(outputs json.RawMessage, err error) engine.Outcome {
	var (
		cancelled *temporal.CanceledError
		app       *temporal.ApplicationError
		timeout   *temporal.TimeoutError
	)
	switch {
	case err == nil:
		return engine.Outcome{Outputs: outputs}
	case errors.As(err, &cancelled):
		return engine.Outcome{Cancelled: true}
	case errors.As(err, &app):
		return engine.Outcome{Err: stepError(app)}
	case errors.As(err, &timeout):
		return engine.Outcome{Err: timeoutError(timeout.TimeoutType())}
	default:
		return engine.Outcome{Err: &engine.StepError{Code: codeTerminated, Message: err.Error()}}
	}
}

func stepError(app *temporal.ApplicationError) *engine.StepError {
	var d details
	if app.HasDetails() {
		if err := app.Details(&d); err != nil {
			d = details{}
		}
	}
	code := d.Code
	if code == "" && app.Type() == codeDetached {
		code = codeLost
	}
	return &engine.StepError{Code: code, Kind: d.Kind, Message: app.Message(), Outputs: d.Outputs}
}

func timeoutError(t enumspb.TimeoutType) *engine.StepError {
	switch t {
	case enumspb.TIMEOUT_TYPE_SCHEDULE_TO_START:
		return &engine.StepError{Code: codeQueue, Kind: sdk.KindPermanent, Message: "no worker took the step within its queue_timeout"}
	case enumspb.TIMEOUT_TYPE_HEARTBEAT:
		return &engine.StepError{Code: codeLost, Message: "the worker that ran the step was lost, and so were those before it"}
	default:
		return &engine.StepError{Code: sdk.CodeTimeout, Kind: sdk.KindPermanent, Message: "the attempt took longer than it may"}
	}
}

// runError is how a failed run ends in Temporal: its message names step, code and message.
func runError(e *engine.StepError) error {
	code := e.Code
	if code == "" {
		code = codeTransient
	}
	return temporal.NewApplicationErrorWithOptions(e.Error(), code, temporal.ApplicationErrorOptions{
		NonRetryable: true, Details: []any{e},
	})
}

// timedOut is the error of an attempt whose own time ran out.
func timedOut(limit time.Duration) error {
	return &sdk.Error{
		Kind: sdk.KindPermanent, Code: sdk.CodeTimeout,
		Err: fmt.Errorf("the attempt took longer than the step's timeout of %s", limit),
	}
}

// isGone tells why a context of an activity ended: true for everything but a cancel that was asked for.
func isGone(cause error) bool {
	return errors.Is(cause, activity.ErrActivityPaused) || errors.Is(cause, activity.ErrActivityReset) || !temporal.IsCanceledError(cause)
}
