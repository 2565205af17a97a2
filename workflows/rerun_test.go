package workflows_test

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/mock"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	tclient "go.temporal.io/sdk/client"

	"github.com/containerpub/cpub/engine"
	"github.com/containerpub/cpub/workflows"
)

// history reads one of the recorded histories.
func history(t *testing.T, name string) *historypb.History {
	t.Helper()
	file, err := os.Open(filepath.Join("testdata", name))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = file.Close() }()
	h, err := tclient.HistoryFromJSON(file, tclient.HistoryJSONOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// addresses are those of what was kept.
func addresses(kept []engine.Kept) (out []string) {
	for _, k := range kept {
		out = append(out, k.Step)
	}
	return out
}

// TestRecall reads what runs gave out of histories that a real server recorded.
func TestRecall(t *testing.T) {
	whole := history(t, "succeeded.json")
	past, err := workflows.Recall("p/1", "run", whole)
	if err != nil {
		t.Fatal(err)
	}
	all := addresses(past.Kept)
	if len(all) == 0 || past.Plan == nil || len(past.Variables) == 0 {
		t.Fatalf("got %+v", past)
	}
	// Ended from outside, at any event: it gives what had succeeded by then, and never fails.
	for n := range len(whole.GetEvents()) {
		var done []string
		scheduled := map[int64]string{}
		for _, e := range whole.GetEvents()[:n] {
			switch e.GetEventType() {
			case enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
				scheduled[e.GetEventId()] = e.GetActivityTaskScheduledEventAttributes().GetActivityId()
			case enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
				if id := scheduled[e.GetActivityTaskCompletedEventAttributes().GetScheduledEventId()]; slices.Contains(all, id) {
					done = append(done, id)
				}
			default:
			}
		}
		switch whole.GetEvents()[n].GetEventType() {
		case enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED, enumspb.EVENT_TYPE_UPSERT_WORKFLOW_SEARCH_ATTRIBUTES, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED:
			continue // written at once with the turn before it
		default:
		}
		if len(done) == 0 {
			continue
		}
		cut := append(slices.Clone(whole.GetEvents()[:n]), &historypb.HistoryEvent{
			EventId: int64(n + 1), EventTime: whole.GetEvents()[n-1].GetEventTime(), EventType: enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED,
			Attributes: &historypb.HistoryEvent_WorkflowExecutionTerminatedEventAttributes{
				WorkflowExecutionTerminatedEventAttributes: &historypb.WorkflowExecutionTerminatedEventAttributes{},
			},
		})
		past, err := workflows.Recall("p/1", "run", &historypb.History{Events: cut})
		if err != nil {
			t.Fatalf("terminated after %d events: %v", n, err)
		}
		if got := addresses(past.Kept); !slices.Equal(got, done) {
			t.Errorf("terminated after %d events: kept %q, want %q", n, got, done)
		}
	}
	if _, err := workflows.Recall("p/1", "run", history(t, "variables.json")); err == nil || !strings.Contains(err.Error(), "before its first step") {
		t.Errorf("a run that was refused: got %v", err)
	}
}

func TestRerunKeeps(t *testing.T) {
	const src = `
variable "names" { type = set(string) }
variable "tail"  { type = string }
pipeline "p" {
  step "work" "each" {
    for_each = var.names
    text     = each.value
  }
  step "approval" "ok" { message = "sure?" }
  step "work" "last" {
    text       = "${step.ok.approver} ${join("", [for e in step.each : e.text])} ${var.tail}"
    depends_on = [step.ok]
  }
  output "text" { value = step.last.text }
}`
	kept := func(t *testing.T, f *flow) []engine.Kept {
		t.Helper()
		program, err := engine.Compile(f.plan)
		if err != nil {
			t.Fatal(err)
		}
		s, err := program.Schedule(engine.Start{Variables: []byte(`{"names":["a","b"],"tail":"x"}`)})
		if err != nil {
			t.Fatal(err)
		}
		for tasks := s.Ready(); len(tasks) > 0; tasks = s.Ready() {
			for _, task := range tasks {
				outputs := `{"text":"kept"}`
				if task.Type == "approval" {
					outputs = `{"approver":"ann","comment":"","decided_at":"2026-01-02T03:04:05Z"}`
				}
				s.Done(task.Step, engine.Outcome{Outputs: []byte(outputs)})
			}
		}
		return s.Kept()
	}
	f := newFlow(t, src, nil)
	data, err := (&workflows.Earlier{Run: "p/0/x", Kept: kept(t, f)}).Pack()
	if err != nil {
		t.Fatal(err)
	}
	f.OnActivity(workflows.RestoreActivity, mock.Anything, mock.Anything).Return(
		func(_ context.Context, req workflows.RestoreRequest) (*workflows.RestoredPart, error) {
			if req.Snapshot != "sha256:kept" {
				t.Errorf("asked for %+v", req)
			}
			cut := min(req.Offset+100, len(data)) // in parts
			return &workflows.RestoredPart{Part: data[req.Offset:cut], Last: cut == len(data)}, nil
		})
	if err := f.SetMemoOnStart(map[string]any{workflows.MemoRerun: "sha256:kept"}); err != nil {
		t.Fatal(err)
	}
	outputs, err := f.run(`{"names":["b","c"],"tail":"y"}`)
	if err != nil || outputs != `{"text":"ann keptc y"}` {
		t.Fatalf("got %s, %v", outputs, err)
	}
	if got, want := f.ran(), []string{`each["c"]`, "last"}; !slices.Equal(got, want) {
		t.Errorf("ran %q, want %q", got, want)
	}
	for _, s := range f.report(t).Steps {
		if want := s.Step == `each["b"]` || s.Step == "ok"; s.Kept != want {
			t.Errorf("%s is kept: %v", s.Step, s.Kept)
		}
	}
}
