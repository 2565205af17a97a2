//go:build integration

package worker_test

import (
	"encoding/json"
	"testing"
	"time"

	"github.com/containerpub/cpub/engine"
	"github.com/containerpub/cpub/workflows/client"
	"github.com/containerpub/cpub/workflows/internal/flowtest"
)

// TestStatusWithoutAWorker asks how runs stand once their worker is gone: it is told as with one.
func TestStatusWithoutAWorker(t *testing.T) {
	const src = `
variable "who" { type = string }
pipeline "alone" {
  step "value" "known" { value = { who = var.who } }
  step "work" "each" {
    for_each = toset(["a", "b"])
    text     = each.value
  }
  step "work" "never" {
    when = var.who == "nobody"
    text = "x"
  }
  step "approval" "sure" {
    message    = "go on, ${step.known.value.who}?"
    depends_on = [step.each]
  }
  step "work" "last" {
    text       = "last"
    depends_on = [step.sure]
  }
}`
	l := newLab(t)
	stop := serve(t, l.parts(t, flowtest.NewHost(nil)))
	open := l.start(t, src, t.Name()+"-open", `{"who":"Ann"}`)
	ended := l.start(t, src, t.Name()+"-ended", `{"who":"Bob"}`)
	for _, s := range []*client.Started{open, ended} {
		l.waitsForApproval(t, s.ID, s.RunID, map[bool]string{true: "go on, Ann?", false: "go on, Bob?"}[s == open])
	}
	if err := l.client.Terminate(t.Context(), ended.ID, "", "test"); err != nil {
		t.Fatal(err)
	}
	with := l.look(t, open)
	stop()
	without := l.look(t, open)
	if a, b := inJSON(t, with), inJSON(t, without); a != b {
		t.Errorf("with a worker\n%s\nwithout\n%s", a, b)
	}
	l.standsAtApproval(t, open, "go on, Ann?")
	l.standsAtApproval(t, ended, "")
}

func (l *lab) look(t *testing.T, s *client.Started) *client.Run {
	t.Helper()
	run, err := l.client.Run(t.Context(), s.ID, s.RunID)
	if err != nil {
		t.Fatal(err)
	}
	return run
}

// inJSON is a run as --json shows it.
func inJSON(t *testing.T, run *client.Run) string {
	t.Helper()
	data, err := json.MarshalIndent(run, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func (l *lab) standsAtApproval(t *testing.T, s *client.Started, approval string) {
	t.Helper()
	began := time.Now()
	run := l.look(t, s)
	for name, want := range map[string]engine.Status{
		"known": engine.StatusSucceeded, `each["a"]`: engine.StatusSucceeded, `each["b"]`: engine.StatusSucceeded, "never": engine.StatusSkipped,
		"sure": engine.StatusRunning, "last": engine.StatusPending,
	} {
		if step := run.Step(name); step == nil || step.Status != want {
			t.Errorf("%s: step %s is %+v, want %s", s.ID, name, step, want)
		}
	}
	if known := run.Step("known"); known == nil || string(known.Outputs) == "" {
		t.Errorf("%s: the value has no outputs: %+v", s.ID, known)
	}
	if sure := run.Step("sure"); approval != "" && (sure == nil || sure.Approval != approval) {
		t.Errorf("%s: the approval is %+v", s.ID, sure)
	}
	if took := time.Since(began); took > 20*time.Second {
		t.Errorf("it took %s", took)
	}
}
