//go:build integration

package worker_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/containerpub/cpub/engine"
	"github.com/containerpub/cpub/workflows"
	"github.com/containerpub/cpub/workflows/client"
	"github.com/containerpub/cpub/workflows/internal/flowtest"
)

// TestContinueAsNew runs more steps than one history should hold, over an approval that waits all the while.
func TestContinueAsNew(t *testing.T) {
	const elements = 1000
	l := newLab(t)
	h := flowtest.NewHost(map[string]flowtest.Step{"last": func(context.Context, engine.Call, engine.Observer) (json.RawMessage, error) {
		return json.RawMessage(`{"text":"the end"}`), nil
	}})
	serve(t, l.parts(t, h))
	begin := time.Now()
	id, runID := l.startRaw(t, "many", fmt.Sprintf(`pipeline "p" {
  step "approval" "ship" { message = "ship it?" }
  step "work" "each" {
    for_each     = toset([for i in range(%d) : format("%%05d", i)])
    max_parallel = 50
    text         = each.value
  }
  step "work" "last" {
    text       = step.ship.approver
    depends_on = [step.each]
  }
  output "text" { value = step.last.text }
}`, elements), "{}")
	ended := make(chan *client.Run, 1)
	go func() {
		run, err := l.client.Result(t.Context(), id, runID)
		if err != nil {
			t.Error(err)
		}
		ended <- run
	}()
	histories := 1
	flowtest.Eventually(t, 3*time.Minute, "the run continues as new", func() bool {
		desc, err := l.raw.DescribeWorkflowExecution(t.Context(), id, "")
		return err == nil && desc.GetWorkflowExecutionInfo().GetExecution().GetRunId() != runID
	})
	histories++
	if step, err := l.client.Approve(t.Context(), id, runID, workflows.Decision{By: "me"}); err != nil || step != "ship" {
		t.Errorf("approved %q, %v", step, err)
	}
	run := <-ended
	if run == nil {
		t.FailNow()
	}
	if run.Status != engine.StatusSucceeded || string(run.Outputs) != `{"text":"the end"}` || run.RunID == runID {
		t.Errorf("run %s, %s, %v", run.Status, run.Outputs, run.Error)
	}
	if len(run.Steps) != elements+2 || len(h.Calls("")) != elements+1 {
		t.Errorf("%d steps, %d calls", len(run.Steps), len(h.Calls("")))
	}
	for i, s := range run.Steps[1 : elements+1] {
		if want := fmt.Sprintf(`each["%05d"]`, i); s.Status != engine.StatusSucceeded || s.Name != want {
			t.Fatalf("step %d is %+v", i, s)
		}
	}
	t.Logf("%d elements took %s in at least %d histories", elements, time.Since(begin), histories)
}

// TestChildrenAndTurns cancels a caller, and holds runs apart.
func TestChildrenAndTurns(t *testing.T) {
	l := newLab(t)
	h := flowtest.NewHost(map[string]flowtest.Step{"blocks": flowtest.Block})
	serve(t, l.parts(t, h))
	t.Run("a cancelled caller cancels its child, and both tidy up", func(t *testing.T) {
		plan, callees := flowtest.Plans(t, `pipeline "p" {
  concurrency { key = "same" }
  step "pipeline" "call" { pipeline = "inner" }
  finally {
    step "work" "outer" { text = "x" }
  }
}
pipeline "inner" {
  concurrency { key = "same" }
  step "work" "made" {
    text = "x"
    compensate "work" { text = "undo" }
  }
  step "work" "blocks" { text = step.made.text }
}`)
		s, err := l.client.Start(t.Context(), client.StartOptions{Plan: plan, Callees: callees, ID: "caller"})
		if err != nil {
			t.Fatal(err)
		}
		flowtest.Eventually(t, 30*time.Second, "the child runs, since its caller holds the key", func() bool { return len(h.Calls("blocks")) == 1 })
		if err := l.client.Cancel(t.Context(), s.ID, s.RunID); err != nil {
			t.Fatal(err)
		}
		if r := l.result(t, s); r.Status != engine.StatusCancelled || len(h.Calls("outer")) != 1 || r.Step("call").Child != s.ID+"/call" {
			t.Errorf("%s %q, child %q", r.Status, shown(r), r.Step("call").Child)
		}
		child, err := l.client.Run(t.Context(), s.ID+"/call", "")
		if err != nil || child.Status != engine.StatusCancelled || child.Step("made.compensate") == nil {
			t.Errorf("child %v, %v", child, err)
		}
		l.keep(t, "caller", s.ID, s.RunID)
		l.keep(t, "called", s.ID+"/call", "")
	})
	one := func(onLimit string) string {
		return fmt.Sprintf(`pipeline "one" {
  concurrency {
    key      = "k-%[1]s"
    on_limit = "%[1]s"
  }
  step "work" "blocks" { text = "x" }
}`, onLimit)
	}
	begun := func(t *testing.T, onLimit, id string) *client.Started {
		before := len(h.Calls("blocks"))
		s := l.start(t, one(onLimit), id, "{}")
		flowtest.Eventually(t, time.Minute, id+" runs", func() bool { return len(h.Calls("blocks")) > before })
		return s
	}
	t.Run("reject", func(t *testing.T) {
		first := begun(t, "reject", "r1")
		if r := l.result(t, l.start(t, one("reject"), "r2", "{}")); r.Status != engine.StatusFailed || r.Error.Code != "concurrency" {
			t.Errorf("%s, %v", r.Status, r.Error)
		}
		l.end(t, first)
	})
	t.Run("cancel_oldest", func(t *testing.T) {
		first := begun(t, "cancel_oldest", "o1")
		second := begun(t, "cancel_oldest", "o2")
		if r := l.result(t, first); r.Status != engine.StatusCancelled {
			t.Errorf("the oldest is %s", r.Status)
		}
		l.end(t, second)
	})
	t.Run("queue, behind one that is terminated", func(t *testing.T) {
		first := begun(t, "queue", "q1")
		second := l.start(t, one("queue"), "q2", "{}")
		flowtest.Eventually(t, 30*time.Second, "the second waits", func() bool {
			r, err := l.client.Run(t.Context(), second.ID, second.RunID)
			return err == nil && r.Waiting == "concurrency k-queue"
		})
		before := len(h.Calls("blocks"))
		if err := l.client.Terminate(t.Context(), first.ID, first.RunID, "test"); err != nil {
			t.Fatal(err)
		}
		flowtest.Eventually(t, time.Minute, "the second runs", func() bool { return len(h.Calls("blocks")) > before })
		l.end(t, second)
		var undecided *client.UndecidedError
		if _, err := l.client.Approve(t.Context(), second.ID, "", workflows.Decision{}); !errors.As(err, &undecided) {
			t.Errorf("an answer to a run that has ended: %v", err)
		}
	})
}

// end cancels a run and waits for its end.
func (l *lab) end(t *testing.T, s *client.Started) {
	t.Helper()
	if err := l.client.Cancel(t.Context(), s.ID, s.RunID); err != nil {
		t.Fatal(err)
	}
	if r := l.result(t, s); r.Status != engine.StatusCancelled {
		t.Errorf("%s is %s", s.ID, r.Status)
	}
}
