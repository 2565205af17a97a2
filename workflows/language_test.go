package workflows_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"go.temporal.io/sdk/temporal"

	"github.com/containerpub/cpub/engine"
	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/workflows"
	"github.com/containerpub/cpub/workflows/internal/flowtest"
)

// ran gives the addresses of the steps that providers carried out, in order.
func (f *flow) ran() (steps []string) {
	for _, c := range f.host.Calls("") {
		steps = append(steps, c.Step)
	}
	return steps
}

func fails(code string) flowtest.Step {
	return func(context.Context, engine.Call, engine.Observer) (json.RawMessage, error) {
		return nil, sdk.Failed(code, nil, errors.New("no"))
	}
}

func TestForEach(t *testing.T) {
	f := newFlow(t, `
variable "names" { type = map(string) }
pipeline "p" {
  step "work" "each" {
    for_each     = var.names
    max_parallel = 1
    when         = each.key != "skipped"
    text         = "${each.key}=${each.value}"
  }
  step "work" "all" { text = join(" ", [for key, one in step.each : coalesce(one.text, "none")]) }
  output "all" { value = step.all.text }
  output "b"   { value = step.each["b"].text }
}`, nil)
	outputs, err := f.run(`{"names":{"b":"2","a":"1","skipped":"x"}}`)
	if err != nil || outputs != `{"all":"a=1 b=2 none","b":"b=2"}` {
		t.Fatalf("got %s, %v", outputs, err)
	}
	if got, want := f.ran(), []string{`each["a"]`, `each["b"]`, "all"}; !slices.Equal(got, want) {
		t.Errorf("ran %q, want %q", got, want)
	}
	if len(f.host.Released()) != 3 {
		t.Errorf("released %v", f.host.Released())
	}
	r := f.report(t)
	if len(r.Steps) != 4 || r.Steps[2].Step != `each["skipped"]` || r.Steps[2].Status != engine.StatusSkipped {
		t.Errorf("report %+v", r.Steps)
	}
}

func TestUntilRunsAgain(t *testing.T) {
	n := 0
	f := newFlow(t, `
pipeline "p" {
  step "work" "poll" {
    text = "x"
    until {
      condition    = self.text == "3"
      interval     = "1m"
      max_attempts = 5
    }
  }
  output "text" { value = step.poll.text }
}`, map[string]flowtest.Step{
		"poll": func(context.Context, engine.Call, engine.Observer) (json.RawMessage, error) {
			n++
			return json.RawMessage(fmt.Sprintf(`{"text":"%d"}`, n)), nil
		},
		"poll#2": func(context.Context, engine.Call, engine.Observer) (json.RawMessage, error) {
			n++
			return json.RawMessage(fmt.Sprintf(`{"text":"%d"}`, n)), nil
		},
		"poll#3": func(context.Context, engine.Call, engine.Observer) (json.RawMessage, error) {
			n++
			return json.RawMessage(fmt.Sprintf(`{"text":"%d"}`, n)), nil
		},
	})
	begin := f.Now()
	outputs, err := f.run(`{}`)
	if err != nil || outputs != `{"text":"3"}` {
		t.Fatalf("got %s, %v", outputs, err)
	}
	if d := f.Now().Sub(begin); d < 2*time.Minute {
		t.Errorf("it took %s", d)
	}
	keys := map[string]bool{}
	for _, c := range f.host.Calls("") {
		keys[c.Key] = true
	}
	if got := f.ran(); !slices.Equal(got, []string{"poll", "poll#2", "poll#3"}) || len(keys) != 3 || len(f.host.Released()) != 3 {
		t.Errorf("ran %q with %d keys, released %d", got, len(keys), len(f.host.Released()))
	}
}

// undone is a pipeline that fails, or is cancelled, at its end.
const undone = `
pipeline "p" {
  step "work" "a" {
    text = "a"
    compensate "work" { text = "undo ${self.text}: ${try(run.error.code, "cancelled")}" }
  }
  step "work" "b" {
    text = step.a.text
    compensate "work" { text = "undo b" }
  }
  step "work" "c" { text = step.b.text }
  step "work" "never" { text = step.c.text }
  on_failure {
    step "work" "tell" { text = "${run.error.step}: ${run.error.code}" }
  }
  finally {
    step "work" "clean" { text = run.error == null ? "fine" : run.error.message }
    step "work" "after" { text = step.clean.text }
  }
}`

func TestFailureIsUndone(t *testing.T) {
	f := newFlow(t, undone, map[string]flowtest.Step{"c": fails("oom")})
	_, err := f.run(`{}`)
	var app *temporal.ApplicationError
	if !errors.As(err, &app) || app.Message() != "step c: oom: no" {
		t.Fatalf("got %v", err)
	}
	want := []string{"a", "b", "c", "b.compensate", "a.compensate", "tell", "clean", "after"}
	if got := f.ran(); !slices.Equal(got, want) {
		t.Fatalf("ran %q, want %q", got, want)
	}
	calls := f.host.Calls("")
	if got := string(calls[4].Input); got != `{"text":"undo a: oom"}` {
		t.Errorf("undoing a took %s", got)
	}
	if got := string(calls[5].Input); got != `{"text":"c: oom"}` {
		t.Errorf("on_failure took %s", got)
	}
	if len(f.host.Released()) != len(want) {
		t.Errorf("released %d", len(f.host.Released()))
	}
}

func TestCancelIsUndone(t *testing.T) {
	f := newFlow(t, undone, map[string]flowtest.Step{"c": flowtest.Block})
	f.RegisterDelayedCallback(f.CancelWorkflow, 100*time.Millisecond)
	_, err := f.run(`{}`)
	var cancelled *temporal.CanceledError
	if !errors.As(err, &cancelled) {
		t.Fatalf("got %v, want a cancel", err)
	}
	want := []string{"a", "b", "c", "b.compensate", "a.compensate", "clean", "after"}
	if got := f.ran(); !slices.Equal(got, want) {
		t.Fatalf("ran %q, want %q", got, want)
	}
	if got := string(f.host.Calls("")[4].Input); got != `{"text":"undo a: cancelled"}` {
		t.Errorf("undoing a took %s", got)
	}
}

func TestTimeoutLeavesTimeForTheEnd(t *testing.T) {
	f := newFlow(t, `
pipeline "p" {
  timeout = "2s"
  step "work" "slow" { text = "x" }
  on_failure {
    step "work" "tell" { text = run.error.code }
  }
  finally {
    step "wait" "pause" { duration = "1s" }
    step "work" "clean" { text = step.pause.ended_at }
  }
}`, map[string]flowtest.Step{"slow": flowtest.Block})
	_, err := f.run(`{}`)
	var app *temporal.ApplicationError
	if !errors.As(err, &app) || app.Type() != sdk.CodeTimeout {
		t.Fatalf("got %v", err)
	}
	if got, want := f.ran(), []string{"slow", "tell", "clean"}; !slices.Equal(got, want) {
		t.Fatalf("ran %q, want %q", got, want)
	}
}

func TestWait(t *testing.T) {
	f := newFlow(t, `
pipeline "p" {
  step "wait" "pause" { duration = "36h" }
  step "wait" "past" { at = "2001-01-01T00:00:00Z" }
  output "at" { value = step.pause.ended_at }
}`, nil)
	begin := f.Now()
	outputs, err := f.run(`{}`)
	if want := begin.Add(36 * time.Hour).UTC().Format(time.RFC3339); err != nil || outputs != `{"at":"`+want+`"}` {
		t.Fatalf("got %s, %v; want %s", outputs, err, want)
	}
}

const gated = `
pipeline "p" {
  step "approval" "gate" {
    message = "Ship it?"
    timeout = "24h"
  }
  step "work" "ship" { text = "${step.gate.approver}: ${step.gate.comment}" }
  output "text" { value = step.ship.text }
}`

func TestApproval(t *testing.T) {
	f := newFlow(t, gated, nil)
	f.RegisterDelayedCallback(func() {
		if r := f.report(t); r.Steps[0].Approval != "Ship it?" {
			t.Errorf("report %+v", r.Steps[0])
		}
		f.SignalWorkflow(workflows.Approve, workflows.Decision{By: "ann", Comment: "go"})
	}, time.Hour)
	outputs, err := f.run(`{}`)
	if err != nil || outputs != `{"text":"ann: go"}` {
		t.Fatalf("got %s, %v", outputs, err)
	}
}

func TestApprovalByUpdate(t *testing.T) {
	f := newFlow(t, gated, nil)
	update := func(d workflows.Decision, reject, complete func(error), accept func()) {
		f.UpdateWorkflow(workflows.Reject, "u"+d.Step+d.By, &updates{
			accept: accept, reject: reject, complete: func(_ any, err error) { complete(err) },
		}, d)
	}
	refused, done := false, false
	f.RegisterDelayedCallback(func() {
		update(workflows.Decision{Step: "other"}, func(err error) {
			refused = strings.Contains(err.Error(), `step "other" does not wait for approval; waiting: gate`)
		}, func(error) {}, func() { t.Error("a decision about another step was accepted") })
		update(workflows.Decision{Step: "gate", By: "bob", Comment: "too late in the week"}, func(err error) { t.Error(err) },
			func(err error) { done = err == nil }, func() {})
	}, time.Hour)
	_, err := f.run(`{}`)
	var app *temporal.ApplicationError
	if !errors.As(err, &app) || app.Message() != "step gate: rejected: it was rejected by bob: too late in the week" {
		t.Fatalf("got %v", err)
	}
	if !refused || !done {
		t.Errorf("the other step was refused: %v; the decision was taken: %v", refused, done)
	}
}

// updates tells what became of an update.
type updates struct {
	accept   func()
	reject   func(error)
	complete func(any, error)
}

func (u *updates) Accept()                       { u.accept() }
func (u *updates) Reject(err error)              { u.reject(err) }
func (u *updates) Complete(value any, err error) { u.complete(value, err) }

func TestApprovalTimesOut(t *testing.T) {
	f := newFlow(t, gated, nil)
	_, err := f.run(`{}`)
	var app *temporal.ApplicationError
	if !errors.As(err, &app) || app.Message() != "step gate: timeout: nobody decided within the step's timeout of 24h0m0s" {
		t.Fatalf("got %v", err)
	}
}

// childFailure is what comes of a failure in a child: which of them is the first is chance.
var childFailure = regexp.MustCompile(`step child\["([xy])"\]: oom: pipeline "c" \(p/1/child\["[xy]"\]\): step hello: oom: no`)

func TestChildPipeline(t *testing.T) {
	src := `
variable "who" { 
  type    = string 
  default = "nobody"
}
pipeline "p" {
  step "pipeline" "child" {
    for_each  = toset(["x", "y"])
    pipeline  = "c"
    variables = { who = each.key }
  }
  output "all" { value = [for one in step.child : one.outputs.text] }
}
pipeline "c" {
  step "work" "hello" { text = "hello ${var.who}" }
  output "text" { value = step.hello.text }
}`
	f := newFlow(t, src, nil)
	outputs, err := f.run(`{}`)
	if err != nil || outputs != `{"all":["hello x","hello y"]}` {
		t.Fatalf("got %s, %v", outputs, err)
	}

	f = newFlow(t, src, map[string]flowtest.Step{"hello": fails("oom")})
	_, err = f.run(`{}`)
	var app *temporal.ApplicationError
	if !errors.As(err, &app) || app.Type() != "oom" || !childFailure.MatchString(app.Message()) {
		t.Fatalf("got %v", err)
	}
}

func TestPostconditionIsRetried(t *testing.T) {
	f := newFlow(t, `
pipeline "p" {
  step "work" "a" {
    text = "x"
    retry {
      max_attempts = 3
      on           = ["postcondition"]
    }
    postcondition {
      condition     = self.text == "y"
      error_message = "It says ${self.text}."
    }
  }
}`, nil)
	_, err := f.run(`{}`)
	var app *temporal.ApplicationError
	if !errors.As(err, &app) || app.Type() != "postcondition" || !strings.Contains(app.Message(), "It says x.") {
		t.Fatalf("got %v", err)
	}
	if got, want := f.ran(), []string{"a", "a#2", "a#3"}; !slices.Equal(got, want) {
		t.Errorf("ran %q, want %q", got, want)
	}
}

func TestValueTakesNoActivity(t *testing.T) {
	f := newFlow(t, `
pipeline "p" {
  step "value" "sum" {
    value = { n = 1 + 2 }
    postcondition {
      condition     = self.value.n == 3
      error_message = "Wrong."
    }
  }
  output "n" { value = step.sum.value.n }
}`, nil)
	outputs, err := f.run(`{}`)
	if err != nil || outputs != `{"n":3}` || len(f.ran()) != 0 {
		t.Fatalf("got %s, %v after %v", outputs, err, f.ran())
	}
}

func TestConcurrencyWaitsForItsTurn(t *testing.T) {
	src := `
pipeline "p" {
  concurrency { key = "one" }
  step "work" "a" { text = "x" }
}`
	grant := func(granted bool) func(f *flow) {
		return func(f *flow) {
			f.RegisterDelayedCallback(func() {
				if r := f.report(t); r.Waiting != "concurrency one" || len(f.ran()) != 0 {
					t.Errorf("waiting for %q, ran %v", r.Waiting, f.ran())
				}
				f.SignalWorkflow("cpub_grant", workflows.Grant{Key: "other", Granted: true, Token: "mine"})
				f.SignalWorkflow("cpub_grant", workflows.Grant{Key: "one", Granted: true, Token: "of a request before a reset"})
				f.SignalWorkflow("cpub_grant", workflows.Grant{Key: "one", Granted: granted, Holders: 1, Token: "mine"})
			}, time.Hour)
		}
	}
	for name, tt := range map[string]struct {
		during func(f *flow)
		steps  int
		want   string
	}{
		"granted":   {grant(true), 1, ""},
		"rejected":  {grant(false), 0, "1 of 1 with the key"},
		"cancelled": {func(f *flow) { f.RegisterDelayedCallback(f.CancelWorkflow, time.Hour) }, 0, "canceled"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFlow(t, src, nil)
			f.lock(t)
			tt.during(f)
			_, err := f.run(`{}`)
			if (err == nil) != (tt.want == "") || err != nil && !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			if len(f.ran()) != tt.steps {
				t.Errorf("ran %v", f.ran())
			}
		})
	}
}

// TestConcurrencyAsksAgain: a lock that was terminated, or has forgotten the run, answers a later request.
func TestConcurrencyAsksAgain(t *testing.T) {
	f := newFlow(t, `
pipeline "p" {
  concurrency { key = "one" }
  step "work" "a" { text = "x" }
}`, nil)
	asked := 0
	f.OnActivity(workflows.AcquireActivity, mock.Anything, mock.Anything).Return(func(context.Context, workflows.LockRequest) (string, error) {
		asked++
		token := fmt.Sprint("request ", asked)
		if asked == 4 {
			f.RegisterDelayedCallback(func() { f.SignalWorkflow("cpub_grant", workflows.Grant{Key: "one", Granted: true, Token: token}) }, time.Second)
		}
		return token, nil
	})
	f.OnSignalExternalWorkflow(mock.Anything, mock.Anything, mock.Anything, mock.Anything, mock.Anything).Return(nil)
	began := f.Now()
	if _, err := f.run(`{}`); err != nil || asked != 4 || len(f.ran()) != 1 {
		t.Errorf("asked %d times, ran %v: %v", asked, f.ran(), err)
	}
	if took := f.Now().Sub(began); took < 7*time.Minute || took > 8*time.Minute { // 1, 2 and 4
		t.Errorf("it asked for the fourth time after %s", took)
	}
}
