//go:build integration

package worker_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/containerpub/cpub/engine"
	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/workflows/client"
	"github.com/containerpub/cpub/workflows/internal/flowtest"
)

const mended = `
variable "names" {
  type    = set(string)
  default = []
}
pipeline "rerun" {
  step "work" "each" {
    for_each = var.names
    text     = each.value
  }
  step "pipeline" "sub" {
    pipeline  = "child"
    variables = { text = step.each["a"].text }
  }
  step "work" "made" {
    text       = "made"
    depends_on = [step.sub]
    compensate "work" { text = "undo" }
  }
  step "work" "uses" { text = step.made.text }
  step "work" "last" { text = "${step.uses.text} ${step.sub.outputs.text}" }
  output "text" { value = step.last.text }
}
variable "text" {
  type    = string
  default = ""
}
pipeline "child" {
  step "work" "inner" { text = "in ${var.text}" }
  output "text" { value = step.inner.text }
}`

// TestRerun fails a run at its last step, by which one is undone, and reruns it: what stands is not done again, be it an instance or a child.
func TestRerun(t *testing.T) {
	l := newLab(t)
	var broken atomic.Bool
	broken.Store(true)
	echo := func(_ context.Context, _ engine.Call, _ engine.Observer) (json.RawMessage, error) {
		if broken.Load() {
			return nil, sdk.Failed("broken", nil, errors.New("not yet"))
		}
		return json.RawMessage(`{"text":"mended"}`), nil
	}
	h := flowtest.NewHost(map[string]flowtest.Step{"last": echo})
	serve(t, l.parts(t, h))
	plan, callees := flowtest.Plans(t, mended)
	first, err := l.client.Start(t.Context(), client.StartOptions{
		Plan: plan, Callees: callees, ID: "rerun-" + t.Name(), Variables: json.RawMessage(`{"names":["a","b"]}`),
	})
	if err != nil {
		t.Fatal(err)
	}
	if r := l.result(t, first); r.Status != engine.StatusFailed || r.Error.Code != "broken" {
		t.Fatalf("got %s, %+v", r.Status, r.Error)
	}
	broken.Store(false)
	before := len(h.Calls(""))
	past, err := l.client.Past(t.Context(), first.ID, "")
	if err != nil {
		t.Fatal(err)
	}
	second, kept, err := l.client.Rerun(t.Context(), past, client.StartOptions{Plan: plan, Callees: callees, Variables: json.RawMessage(`{"names":["a","b","c"]}`)}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{`each["a"]`, `each["b"]`, "sub"}; !slices.Equal(kept, want) {
		t.Errorf("kept %q, want %q", kept, want)
	}
	r := l.result(t, second)
	if r.Status != engine.StatusSucceeded || string(r.Outputs) != `{"text":"mended"}` {
		t.Fatalf("got %s %s, %+v", r.Status, r.Outputs, r.Error)
	}
	var ran []string
	for _, call := range h.Calls("")[before:] {
		ran = append(ran, call.Step)
	}
	slices.Sort(ran)
	if want := []string{`each["c"]`, "last", "made", "uses"}; !slices.Equal(ran, want) {
		t.Errorf("ran %q, want %q", ran, want)
	}

	// A rerun of the rerun, of which nothing changed, starts nothing.
	before = len(h.Calls(""))
	if past, err = l.client.Past(t.Context(), second.ID, ""); err != nil {
		t.Fatal(err)
	}
	third, _, err := l.client.Rerun(t.Context(), past, client.StartOptions{Plan: plan, Callees: callees, Variables: past.Variables}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if r := l.result(t, third); r.Status != engine.StatusSucceeded || string(r.Outputs) != `{"text":"mended"}` || len(h.Calls("")) != before {
		t.Errorf("got %s %s, and %d steps ran", r.Status, r.Outputs, len(h.Calls(""))-before)
	}
	if _, _, err := l.client.Rerun(t.Context(), past, client.StartOptions{Plan: plan, ID: strings.TrimPrefix(third.ID, "rerun/"), Variables: past.Variables}, nil); !errors.Is(err, client.ErrOther) {
		t.Errorf("an id that is taken: got %v", err)
	}
}

// TestRerunOfTerminated keeps what a run gave that was ended from outside, and refuses one under way.
func TestRerunOfTerminated(t *testing.T) {
	l := newLab(t)
	h := flowtest.NewHost(nil)
	serve(t, l.parts(t, h))
	const src = `
pipeline "ended" {
  step "work" "a" { text = "a" }
  step "wait" "pause" {
    duration   = "1h"
    depends_on = [step.a]
  }
}`
	first := l.start(t, src, t.Name(), `{}`)
	flowtest.Eventually(t, 30*time.Second, "step a is done", func() bool { return len(h.Calls("a")) == 1 })
	if _, err := l.client.Past(t.Context(), first.ID, ""); !errors.Is(err, client.ErrOpen) {
		t.Errorf("a run under way: got %v", err)
	}
	flowtest.Eventually(t, 30*time.Second, "step a has ended", func() bool {
		r, err := l.client.Run(t.Context(), first.ID, "")
		return err == nil && r.Step("a").Status == engine.StatusSucceeded
	})
	if err := l.client.Terminate(t.Context(), first.ID, "", "test"); err != nil {
		t.Fatal(err)
	}
	past, err := l.client.Past(t.Context(), first.ID, "")
	if err != nil || len(past.Kept) != 1 || past.Kept[0].Step != "a" {
		t.Fatalf("got %+v, %v", past, err)
	}
}

// TestRerunKeepsInChildren reruns a pipeline whose child, and a child of that, failed half way: they go on where they failed. A child that has
// succeeded, and whose pipeline has changed, keeps what did not change.
func TestRerunKeepsInChildren(t *testing.T) {
	src := func(tail string) string {
		return `
variable "text" {
  type    = string
  default = "x"
}
pipeline "outer" {
  step "pipeline" "good" { pipeline = "changed" }
  step "pipeline" "bad" {
    for_each  = { one = "1", two = "2" }
    pipeline  = "middle"
    variables = { text = each.value }
    depends_on = [step.good]
  }
}
pipeline "changed" {
  step "work" "same" { text = "same" }
  step "work" "tail" { text = "${step.same.text}` + tail + `" }
}
pipeline "middle" {
  step "work" "before" { text = "m${var.text}" }
  step "pipeline" "deep" {
    pipeline  = "inner"
    variables = { text = step.before.text }
  }
}
pipeline "inner" {
  step "work" "begin" { text = "i${var.text}" }
  step "work" "break" { text = step.begin.text }
}`
	}
	l := newLab(t)
	var broken atomic.Bool
	broken.Store(true)
	fail := func(ctx context.Context, call engine.Call, obs engine.Observer) (json.RawMessage, error) {
		if broken.Load() && strings.Contains(string(call.Input), "im1") {
			return nil, sdk.Failed("broken", nil, errors.New("not yet"))
		}
		return flowtest.Echo(ctx, call, obs)
	}
	h := flowtest.NewHost(map[string]flowtest.Step{"break": fail})
	serve(t, l.parts(t, h))
	ran := func(since int) (out []string) {
		for _, call := range h.Calls("")[since:] {
			var in struct{ Text string }
			if err := json.Unmarshal(call.Input, &in); err != nil {
				t.Fatal(err)
			}
			out = append(out, call.Step+" "+in.Text)
		}
		slices.Sort(out)
		return out
	}
	plan, callees := flowtest.Plans(t, src("1"))
	first, err := l.client.Start(t.Context(), client.StartOptions{Plan: plan, Callees: callees, ID: t.Name(), Variables: json.RawMessage(`{}`)})
	if err != nil {
		t.Fatal(err)
	}
	if r := l.result(t, first); r.Status != engine.StatusFailed {
		t.Fatalf("got %s", r.Status)
	}
	broken.Store(false)
	rerun := func(id, tail string, from ...string) (*client.Started, []string) {
		t.Helper()
		before := len(h.Calls(""))
		past, err := l.client.Past(t.Context(), id, "")
		if err != nil {
			t.Fatal(err)
		}
		plan, callees := flowtest.Plans(t, src(tail))
		s, _, err := l.client.Rerun(t.Context(), past, client.StartOptions{Plan: plan, Callees: callees, Variables: json.RawMessage(`{}`)}, from)
		if err != nil {
			t.Fatal(err)
		}
		if r := l.result(t, s); r.Status != engine.StatusSucceeded {
			t.Fatalf("got %s, %+v", r.Status, r.Error)
		}
		return s, ran(before)
	}
	second, got := rerun(first.ID, "1")
	if want := []string{"break im1"}; !slices.Equal(got, want) {
		t.Errorf("ran %q, want %q", got, want)
	}
	l.keep(t, "rerun", second.ID, "")
	l.keep(t, "rerun_child", second.ID+`/bad["one"]`, "")
	third, got := rerun(second.ID, "2")
	if want := []string{"tail same2"}; !slices.Equal(got, want) {
		t.Errorf("with a changed child ran %q, want %q", got, want)
	}
	if _, got = rerun(third.ID, "2", "bad"); !slices.Equal(got, []string{"before m1", "before m2", "begin im1", "begin im2", "break im1", "break im2"}) {
		t.Errorf("from a step that calls ran %q", got)
	}
}
