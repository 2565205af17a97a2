package main

import (
	"reflect"
	"testing"
	"time"

	"github.com/containerpub/cpub/cmd/cpub/internal/view"
	"github.com/containerpub/cpub/engine"
	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/workflows/client"
)

// TestFold follows a step through its life, and checks that what was seen before is left alone.
func TestFold(t *testing.T) {
	at := func(s int) time.Time { return time.Date(2026, 11, 24, 12, 0, s, 0, time.UTC) }
	run := &view.Run{ID: "p/1", Pipeline: "p", Steps: []view.Step{{Name: "a", Type: "image_build", Status: view.Pending}}}
	for n, test := range []struct {
		event client.Event
		want  view.Step
	}{
		{client.Event{Kind: client.StepScheduled, Time: at(1)}, view.Step{Status: view.Queued}},
		{client.Event{Kind: client.StepStarted, Time: at(2), Attempt: 1}, view.Step{Status: view.Running, Attempt: 1, Started: at(2)}},
		{
			client.Event{Kind: client.StepLog, Text: "one\ntwo\n"},
			view.Step{Status: view.Running, Attempt: 1, Started: at(2), LogTail: []string{"one", "two"}},
		},
		{
			client.Event{Kind: client.StepProgress, Progress: &sdk.Progress{Done: 1}},
			view.Step{Status: view.Running, Attempt: 1, Started: at(2), LogTail: []string{"one", "two"}, Progress: sdk.Progress{Done: 1}},
		},
		{
			client.Event{Kind: client.StepRetried, Attempt: 2, Message: "lost"},
			view.Step{
				Status: view.Retrying, Attempt: 1, Started: at(2), LogTail: []string{"one", "two"}, Progress: sdk.Progress{Done: 1},
				Failure: &view.Failure{Message: "lost"},
			},
		},
		{
			client.Event{Kind: client.StepStarted, Time: at(5), Attempt: 2, Message: "lost"},
			view.Step{Status: view.Running, Attempt: 2, Started: at(5), LogTail: []string{"one", "two"}, Failure: &view.Failure{Message: "lost"}},
		},
		{
			client.Event{
				Kind: client.StepEnded, Time: at(6), Attempt: 2, Status: engine.StatusFailed,
				Error: &engine.StepError{Step: "a", Code: "exit", Kind: sdk.KindPermanent, Message: "no"},
			},
			view.Step{
				Status: view.Failed, Attempt: 2, Started: at(5), Ended: at(6), LogTail: []string{"one", "two"},
				Failure: &view.Failure{Step: "a", Code: "exit", Kind: "permanent", Message: "no"},
			},
		},
	} {
		before := *run
		before.Steps = append([]view.Step(nil), run.Steps...)
		test.event.Step, test.event.Type = "a", "image_build"
		test.want.Name, test.want.Type = "a", "image_build"
		after := fold(run, test.event)
		if !reflect.DeepEqual(*run, before) {
			t.Fatalf("event %d changed the run that was seen before", n)
		}
		if !reflect.DeepEqual(after.Steps[0], test.want) {
			t.Errorf("event %d: got %+v, want %+v", n, after.Steps[0], test.want)
		}
		run = after
	}
	if r := fold(run, client.Event{Kind: client.StepScheduled, Step: "new", Type: "value"}); len(r.Steps) != 2 || len(run.Steps) != 1 {
		t.Errorf("a step that nobody knew: %d steps, and %d before", len(r.Steps), len(run.Steps))
	}
}

func TestWaits(t *testing.T) {
	for name, test := range map[string]struct {
		statuses []string
		want     bool
	}{
		"not loaded":      {nil, true},
		"nothing started": {[]string{view.Pending, view.Pending}, true},
		"in a queue":      {[]string{view.Running, view.Queued}, true},
		"under way":       {[]string{view.Succeeded, view.Running, view.Pending}, false},
		"between tries":   {[]string{view.Retrying}, false},
	} {
		r := &view.Run{}
		for _, s := range test.statuses {
			r.Steps = append(r.Steps, view.Step{Status: s})
		}
		if got := waits(r); got != test.want {
			t.Errorf("%s: got %v", name, got)
		}
	}
}

func TestUIAddress(t *testing.T) {
	got := uiAddress("http://127.0.0.1:8233/", "default", "p/a b", "id")
	if want := "http://127.0.0.1:8233/namespaces/default/workflows/p%2Fa%20b/id/history"; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}
