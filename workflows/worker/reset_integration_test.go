//go:build integration

package worker_test

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"testing"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/containerpub/cpub/engine"
	"github.com/containerpub/cpub/workflows/client"
	"github.com/containerpub/cpub/workflows/internal/flowtest"
)

// reset goes back to the end of the n-th turn of a run, counted from 1, and gives the new run.
func (l *lab) reset(t *testing.T, s *client.Started, turn int) *client.Started {
	t.Helper()
	iter := l.raw.GetWorkflowHistory(t.Context(), s.ID, s.RunID, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for iter.HasNext() {
		e, err := iter.Next()
		if err != nil {
			t.Fatal(err)
		}
		if e.GetEventType() != enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED {
			continue
		}
		if turn--; turn > 0 {
			continue
		}
		resp, err := l.raw.ResetWorkflowExecution(t.Context(), &workflowservice.ResetWorkflowExecutionRequest{
			Namespace: "default", WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: s.ID, RunId: s.RunID}, Reason: "test",
			WorkflowTaskFinishEventId: e.GetEventId(), RequestId: t.Name() + s.RunID,
		})
		if err != nil {
			t.Fatal(err)
		}
		again := *s
		again.RunID = resp.GetRunId()
		return &again
	}
	t.Fatalf("run %s has no such turn", s.ID)
	return nil
}

// TestResetTakesItsTurn resets a run that had ended while another has its turn: it waits, whichever of its turns it goes back to, and has the
// turn for itself afterwards.
func TestResetTakesItsTurn(t *testing.T) {
	const src = `
variable "who" { type = string }
pipeline "turn" {
  concurrency { key = "reset-turn" }
  step "work" "first"  { text = var.who }
  step "work" "second" { text = step.first.text }
  step "work" "third"  { text = step.second.text }
}`
	l := newLab(t)
	var mu sync.Mutex
	var order []string
	open := make(chan struct{})
	second := func(ctx context.Context, call engine.Call, obs engine.Observer) (json.RawMessage, error) {
		var in struct{ Text string }
		if err := json.Unmarshal(call.Input, &in); err != nil {
			return nil, err
		}
		note := func(what string) {
			mu.Lock()
			defer mu.Unlock()
			order = append(order, in.Text+" "+what)
		}
		note("begins")
		if in.Text == "holder" {
			select {
			case <-open:
			case <-ctx.Done():
				return nil, context.Cause(ctx)
			}
		}
		note("ends")
		return flowtest.Echo(ctx, call, obs)
	}
	serve(t, l.parts(t, flowtest.NewHost(map[string]flowtest.Step{"second": second})))
	var ended []*client.Started
	for _, who := range []string{"early", "late"} {
		s := l.start(t, src, "reset-"+who, `{"who":"`+who+`"}`)
		if r := l.result(t, s); r.Status != engine.StatusSucceeded {
			t.Fatalf("%s is %s: %v", who, r.Status, r.Error)
		}
		ended = append(ended, s)
	}
	holder := l.start(t, src, "reset-holder", `{"who":"holder"}`)
	flowtest.Eventually(t, 20*time.Second, "the holder has its turn", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return slices.Contains(order, "holder begins")
	})
	mu.Lock()
	order = nil
	mu.Unlock()
	// At the end of the first turn the run has not asked for the lock; at that of the fifth the first of its steps is done.
	again := []*client.Started{l.reset(t, ended[0], 1), l.reset(t, ended[1], 5)}
	time.Sleep(3 * time.Second) // for steps that should not begin
	mu.Lock()
	if len(order) > 0 {
		t.Errorf("while another run holds the lock: %q", order)
	}
	mu.Unlock()
	close(open)
	for _, s := range append(again, holder) {
		if r := l.result(t, s); r.Status != engine.StatusSucceeded {
			t.Errorf("%s is %s: %v", s.ID, r.Status, r.Error)
		}
	}
	l.keep(t, "reset_early", again[0].ID, again[0].RunID)
	l.keep(t, "reset_late", again[1].ID, again[1].RunID)
	mu.Lock()
	defer mu.Unlock()
	if len(order) != 5 || order[0] != "holder ends" {
		t.Errorf("the steps ran in the order %q", order)
	}
	for i := 1; i+1 < len(order); i += 2 {
		if order[i][:4] != order[i+1][:4] {
			t.Errorf("two runs had the turn at once: %q", order)
		}
	}
}
