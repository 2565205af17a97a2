//go:build integration

package worker_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/containerpub/cpub/engine"
	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/workflows"
	"github.com/containerpub/cpub/workflows/client"
	"github.com/containerpub/cpub/workflows/internal/flowtest"
)

// shown are the steps of a run and how they stand.
func shown(r *client.Run) (steps []string) {
	for _, s := range r.Steps {
		steps = append(steps, s.Name+" "+string(s.Status))
	}
	return steps
}

// TestLanguage runs what the language has beside plain steps, and looks at it as the commands do.
func TestLanguage(t *testing.T) {
	l := newLab(t)
	bad := func(context.Context, engine.Call, engine.Observer) (json.RawMessage, error) {
		return nil, sdk.Failed("oom", nil, errors.New("no"))
	}
	text := func(text string) flowtest.Step {
		return func(context.Context, engine.Call, engine.Observer) (json.RawMessage, error) {
			return json.Marshal(map[string]string{"text": text})
		}
	}
	h := flowtest.NewHost(map[string]flowtest.Step{"bad": bad, "poll": text("no"), "poll#2": text("done"), "blocks": flowtest.Block})
	serve(t, l.parts(t, h))
	for name, tt := range map[string]struct {
		src    string
		during func(t *testing.T, id, runID string)
		status engine.Status
		steps  []string
	}{
		"for_each": {
			`pipeline "p" {
  step "value" "names" { value = { b = 2, a = 1, skipped = 0 } }
  step "work" "each" {
    for_each     = step.names.value
    max_parallel = 2
    when         = each.key != "skipped"
    text         = each.key
  }
  step "work" "last" { text = step.each["b"].text }
}`, nil, engine.StatusSucceeded,
			[]string{"names succeeded", `each["a"] succeeded`, `each["b"] succeeded`, `each["skipped"] skipped`, "last succeeded"},
		},
		"until": {
			`pipeline "p" {
  step "work" "poll" {
    text = "x"
    until {
      condition    = self.text == "done"
      interval     = "1s"
      max_attempts = 3
    }
  }
  step "wait" "breath" { duration = "1s" }
}`, nil, engine.StatusSucceeded,
			[]string{"poll succeeded", "breath succeeded"},
		},
		"undone": {
			`pipeline "p" {
  step "work" "a" {
    text = "a"
    compensate "work" { text = "undo" }
  }
  step "work" "bad" { text = step.a.text }
  on_failure {
    step "work" "tell" { text = run.error.code }
  }
  finally {
    step "work" "clean" { text = "x" }
  }
}`, nil, engine.StatusFailed,
			[]string{"a succeeded", "a.compensate succeeded", "bad failed", "tell succeeded", "clean succeeded"},
		},
		"approval": {
			`pipeline "p" {
  step "approval" "ship" { message = "ship it?" }
  step "work" "after" { text = step.ship.approver }
}`, func(t *testing.T, id, runID string) {
				l.waitsForApproval(t, id, runID, "ship it?")
				var none *client.UndecidedError
				if _, err := l.client.Approve(t.Context(), id, runID, workflows.Decision{Step: "other"}); !errors.As(err, &none) {
					t.Errorf("an answer to another step: %v", err)
				}
				if step, err := l.client.Approve(t.Context(), id, runID, workflows.Decision{By: "me"}); err != nil || step != "ship" {
					t.Errorf("approved %q, %v", step, err)
				}
			}, engine.StatusSucceeded,
			[]string{"ship succeeded", "after succeeded"},
		},
		"rejected": {
			`pipeline "p" {
  step "approval" "ship" { message = "ship it?" }
}`, func(t *testing.T, id, runID string) {
				l.waitsForApproval(t, id, runID, "ship it?")
				if err := l.raw.SignalWorkflow(t.Context(), id, runID, workflows.Reject, workflows.Decision{Step: "ship", By: "me"}); err != nil {
					t.Fatal(err)
				}
			}, engine.StatusFailed,
			[]string{"ship failed"},
		},
		"concurrency": {
			`pipeline "p" {
  concurrency { key = "one" }
  step "work" "a" { text = "x" }
}`, nil, engine.StatusSucceeded,
			[]string{"a succeeded"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			id, runID := l.startRaw(t, name, tt.src, "{}")
			if tt.during != nil {
				tt.during(t, id, runID)
			}
			ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
			defer cancel()
			run, err := l.client.Result(ctx, id, runID)
			if err != nil {
				t.Fatal(err)
			}
			again, err := l.client.Run(ctx, id, "")
			if err != nil {
				t.Fatal(err)
			}
			for _, r := range []*client.Run{run, again} {
				if r.Status != tt.status || !slices.Equal(shown(r), tt.steps) {
					t.Errorf("%s %v (%q), want %s %q", r.Status, r.Error, shown(r), tt.status, tt.steps)
				}
			}
			l.keep(t, name, id, runID)
			if name == "concurrency" {
				l.keep(t, "lock", workflows.LockID("one"), "")
			}
		})
	}
}

func (l *lab) waitsForApproval(t *testing.T, id, runID, message string) {
	t.Helper()
	flowtest.Eventually(t, 20*time.Second, "the step waits for approval", func() bool {
		run, err := l.client.Run(t.Context(), id, runID)
		if err != nil {
			t.Fatal(err)
		}
		steps := run.Undecided()
		return len(steps) == 1 && steps[0].Approval == message
	})
}
