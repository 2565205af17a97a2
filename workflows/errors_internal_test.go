package workflows

import (
	"errors"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/containerpub/cpub/sdk"
)

func TestQueued(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	for name, c := range map[string]struct {
		info activity.Info
		want time.Duration
	}{
		"the first attempt":  {activity.Info{Attempt: 1, ScheduledTime: at, StartedTime: at.Add(3 * time.Second)}, 3 * time.Second},
		"a later one":        {activity.Info{Attempt: 2, ScheduledTime: at, StartedTime: at.Add(time.Hour)}, 0},
		"clocks that differ": {activity.Info{Attempt: 1, ScheduledTime: at, StartedTime: at.Add(-time.Second)}, 0},
		"no times":           {activity.Info{Attempt: 1, StartedTime: at}, 0},
	} {
		if got := queued(c.info); got != c.want {
			t.Errorf("%s waited %s, want %s", name, got, c.want)
		}
	}
}

func TestFailure(t *testing.T) {
	policy := &temporal.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: 10 * time.Second}
	oom := sdk.Failed(sdk.CodeOOM, map[string]int{"exit_code": 137}, errors.New("killed"))
	tests := []struct {
		name     string
		err      error
		header   Header
		failures int
		final    bool
		typ      string
		delay    time.Duration
	}{
		{"transient", errors.New("net"), Header{MaxAttempts: 5}, 1, false, "error", 0},
		{"the last attempt", errors.New("net"), Header{MaxAttempts: 5}, 5, true, "error", 0},
		{"permanent", sdk.Permanentf("no"), Header{MaxAttempts: 5}, 1, true, "permanent", 0},
		{"invalid", sdk.Invalidf("memory", "no"), Header{MaxAttempts: 5, On: []string{"invalid"}}, 1, true, "invalid", 0},
		{"a code", oom, Header{MaxAttempts: 5}, 1, true, "oom", 0},
		{"a code that is named", oom, Header{MaxAttempts: 5, On: []string{"oom"}}, 1, false, "oom", 0},
		{
			"denied, though named", &sdk.Error{Kind: sdk.KindPermanent, Code: sdk.CodeDenied, Err: errors.New("no")},
			Header{On: []string{"denied"}},
			1, true, "denied", 0,
		},
		{"retry after, longer", sdk.RetryAfter(30*time.Second, errors.New("busy")), Header{}, 1, false, "error", 30 * time.Second},
		{"retry after, shorter", sdk.RetryAfter(time.Millisecond, errors.New("busy")), Header{}, 1, false, "error", 0},
		{"called by others", errors.New("net"), Header{}, 99, false, "error", 0},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var app *temporal.ApplicationError
			if !errors.As(failure(tt.err, tt.header, tt.failures, policy, 1), &app) {
				t.Fatal("no application error")
			}
			if app.NonRetryable() != tt.final || app.Type() != tt.typ || app.NextRetryDelay() != tt.delay || app.Message() != tt.err.Error() {
				t.Errorf("got final %v, type %s, delay %s, message %q", app.NonRetryable(), app.Type(), app.NextRetryDelay(), app.Message())
			}
		})
	}
}

func TestNextDelayNeverShortensTheBackoff(t *testing.T) {
	p := &temporal.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: 5 * time.Second}
	for attempt, want := range map[int]time.Duration{1: 3 * time.Second, 2: 3 * time.Second, 3: 0, 9: 0} {
		if got := nextDelay(3*time.Second, p, attempt); got != want {
			t.Errorf("attempt %d: %s, want %s", attempt, got, want)
		}
	}
	if got := nextDelay(30*time.Second, p, 9); got != 30*time.Second {
		t.Errorf("past the longest interval: %s", got)
	}
}

func TestOutcome(t *testing.T) {
	for code, err := range map[string]error{
		codeQueue:       temporal.NewTimeoutError(enumspb.TIMEOUT_TYPE_SCHEDULE_TO_START, nil),
		codeLost:        temporal.NewHeartbeatTimeoutError(),
		sdk.CodeTimeout: temporal.NewTimeoutError(enumspb.TIMEOUT_TYPE_START_TO_CLOSE, nil),
		"oom":           failure(sdk.Failed("oom", nil, errors.New("killed")), Header{}, 1, nil, 1),
	} {
		o := outcome(nil, err)
		if o.Err == nil || o.Err.Code != code || o.Cancelled {
			t.Errorf("%v: %+v, want code %s", err, o, code)
		}
	}
	if o := outcome(nil, temporal.NewCanceledError()); !o.Cancelled || o.Err != nil {
		t.Errorf("a cancel: %+v", o)
	}
	if o := outcome([]byte(`{}`), nil); o.Err != nil || o.Cancelled || string(o.Outputs) != "{}" {
		t.Errorf("outputs: %+v", o)
	}
	if o := outcome(nil, detached(sdk.ErrDetached)); o.Err == nil || o.Err.Code != codeLost {
		t.Errorf("detached too often: %+v", o)
	}
}
