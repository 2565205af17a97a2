package view

import (
	"encoding/json"
	"time"

	"github.com/containerpub/cpub/sdk"
)

// The kinds of events.
const (
	EventRun      = "run"      // the run began or ended
	EventStep     = "step"     // a step's status or attempt changed
	EventProgress = "progress" // a step says how far it is
	EventNotice   = "notice"   // something that the user should know
)

// Event is one change of a run. Its JSON is what --json prints, one object a line.
type Event struct {
	Time     time.Time       `json:"time"`
	Event    string          `json:"event"`
	ID       string          `json:"id"`
	RunID    string          `json:"run_id,omitempty"`
	Pipeline string          `json:"pipeline,omitempty"`
	Step     string          `json:"step,omitempty"`
	Type     string          `json:"type,omitempty"`
	Status   string          `json:"status,omitempty"`
	Attempt  int             `json:"attempt,omitempty"`
	Millis   *int64          `json:"duration_ms,omitempty"`
	Progress *sdk.Progress   `json:"progress,omitempty"`
	Outputs  json.RawMessage `json:"outputs,omitempty"`
	Failure  *Failure        `json:"error,omitempty"`
	LogTail  []string        `json:"log_tail,omitempty"`
	Message  string          `json:"message,omitempty"`
}

// Diff gives what changed from one look at a run to the next: steps in declared order, the run's end last. A nil
// before is a run that nothing was known of. Steps that only wait for others are no news.
func Diff(before, after *Run, now time.Time) []Event {
	var events []Event
	if before == nil {
		events = append(events, Event{
			Time: after.Started, Event: EventRun, ID: after.ID, RunID: after.RunID, Pipeline: after.Pipeline, Status: Running,
		})
		before = &Run{Status: Running}
	}
	for i := range after.Steps {
		if e := stepEvent(before.Step(after.Steps[i].Name), &after.Steps[i], now); e != nil {
			e.ID = after.ID
			events = append(events, *e)
		}
	}
	if after.Status != before.Status && Done(after.Status) {
		events = append(events, End(after, now))
	}
	return events
}

// End is the event of a run's end.
func End(r *Run, now time.Time) Event {
	millis := took(r.Started, r.Ended, now).Milliseconds()
	return Event{
		Time: at(r.Ended, now), Event: EventRun, ID: r.ID, RunID: r.RunID, Pipeline: r.Pipeline, Status: r.Status, Millis: &millis,
		Outputs: r.Outputs, Failure: r.Failure,
	}
}

func stepEvent(before, after *Step, now time.Time) *Event {
	if before == nil {
		before = &Step{Status: Pending}
	}
	e := &Event{Event: EventStep, Step: after.Name, Type: after.Type, Status: after.Status, Attempt: after.Attempt}
	switch {
	case after.Status != before.Status || after.Attempt != before.Attempt && after.Status == Running:
	case after.Progress != before.Progress && after.Status == Running:
		e.Time, e.Event, e.Progress = now, EventProgress, &after.Progress
		return e
	default:
		return nil
	}
	switch {
	case Done(after.Status):
		e.Time = at(after.Ended, now)
		e.Outputs, e.Failure = after.Outputs, after.Failure
		if !after.Started.IsZero() {
			millis := took(after.Started, after.Ended, now).Milliseconds()
			e.Millis = &millis
		}
		if after.Status == Failed {
			e.LogTail = after.LogTail
		}
	case after.Status == Retrying:
		e.Time, e.Failure, e.LogTail = now, after.Failure, after.LogTail
	default:
		e.Time = at(after.Started, now)
	}
	return e
}

// at is t, or now where t is not known.
func at(t, now time.Time) time.Time {
	if t.IsZero() {
		return now
	}
	return t
}
