//go:build integration

package worker_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"sync"
	"testing"
	"time"

	"github.com/containerpub/cpub/engine"
	"github.com/containerpub/cpub/workflows/client"
	"github.com/containerpub/cpub/workflows/internal/flowtest"
)

// spans notes when steps began and ended.
type spans struct {
	mu  sync.Mutex
	all []span
}

type span struct{ began, ended time.Time }

func (s *spans) step(ctx context.Context, _ engine.Call, _ engine.Observer) (json.RawMessage, error) {
	began := time.Now()
	select {
	case <-time.After(300 * time.Millisecond):
	case <-ctx.Done():
		return nil, ctx.Err()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, span{began, time.Now()})
	return json.RawMessage(`{"text":"done"}`), nil
}

// most is the largest number of them at one time.
func (s *spans) most() (most int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.all {
		n := 0
		for _, b := range s.all {
			if !b.began.After(a.began) && b.ended.After(a.began) {
				n++
			}
		}
		most = max(most, n)
	}
	return most
}

// TestTurnsNeverOverlap begins runs at once that have one key, and looks at the times of their steps.
func TestTurnsNeverOverlap(t *testing.T) {
	l := newLab(t)
	for _, limit := range []int{1, 2} {
		t.Run(fmt.Sprintf("limit %d", limit), func(t *testing.T) {
			times := &spans{}
			serve(t, l.parts(t, flowtest.NewHost(map[string]flowtest.Step{"first": times.step, "second": times.step})))
			src := fmt.Sprintf(`pipeline "turn" {
  concurrency {
    key   = "turn-%[1]d"
    limit = %[1]d
  }
  step "work" "first"  { text = "x" }
  step "work" "second" { text = step.first.text }
}`, limit)
			const runs = 5
			var started []*client.Started
			for i := range runs {
				started = append(started, l.start(t, src, fmt.Sprintf("%d-%d", limit, i), "{}"))
			}
			for _, s := range started {
				if r := l.result(t, s); r.Status != engine.StatusSucceeded {
					t.Errorf("%s is %s: %v", s.ID, r.Status, r.Error)
				}
			}
			if len(times.all) != 2*runs {
				t.Errorf("%d steps ran, want %d", len(times.all), 2*runs)
			}
			if most := times.most(); most != limit {
				slices.SortFunc(times.all, func(a, b span) int { return a.began.Compare(b.began) })
				t.Errorf("%d steps ran at once, want %d: %v", most, limit, times.all)
			}
		})
	}
}

// TestWaitOverContinueAsNew continues a run as new while a step of it waits: the wait goes on, and does not begin again.
func TestWaitOverContinueAsNew(t *testing.T) {
	const lasts = 75 * time.Second
	l := newLab(t)
	serve(t, l.parts(t, flowtest.NewHost(nil)))
	id, runID := l.startRaw(t, "waiting", fmt.Sprintf(`pipeline "p" {
  step "wait" "long" { duration = %q }
  step "work" "each" {
    for_each     = toset([for i in range(1000) : format("%%05d", i)])
    max_parallel = 50
    text         = each.value
  }
  output "ended_at" { value = step.long.ended_at }
}`, lasts), "{}")
	run, err := l.client.Result(t.Context(), id, runID)
	if err != nil || run.Status != engine.StatusSucceeded {
		t.Fatalf("%v, %v", run, err)
	}
	desc, err := l.raw.DescribeWorkflowExecution(t.Context(), id, run.RunID)
	if err != nil {
		t.Fatal(err)
	}
	var out struct {
		EndedAt time.Time `json:"ended_at"`
	}
	if err := json.Unmarshal(run.Outputs, &out); err != nil {
		t.Fatal(err)
	}
	again := desc.GetWorkflowExecutionInfo().GetStartTime().AsTime()
	if run.RunID == runID || !again.Before(out.EndedAt) {
		t.Fatalf("the run continued as new at %s, not while the step waited: until %s", again, out.EndedAt)
	}
	took := out.EndedAt.Sub(run.StartedAt)
	if took < lasts-time.Second || took > lasts+20*time.Second {
		t.Errorf("it waited %s, want %s", took, lasts)
	}
	t.Logf("continued as new %s after the beginning, waited %s", again.Sub(run.StartedAt), took)
}
