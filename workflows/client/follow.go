package client

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/api/serviceerror"

	"github.com/containerpub/cpub/engine"
	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/workflows"
)

// Kind is what an Event tells.
type Kind string

// The kinds of events.
const (
	RunStarted    Kind = "run_started"
	RunWaits      Kind = "run_waits"      // its turn has not come, for what the message says
	StepScheduled Kind = "step_scheduled" // it is in its queue
	StepStarted   Kind = "step_started"   // an attempt runs
	StepProgress  Kind = "step_progress"
	StepLog       Kind = "step_log"
	StepRetried   Kind = "step_retried" // an attempt failed or was lost, another one follows
	StepEnded     Kind = "step_ended"
	RunEnded      Kind = "run_ended"
	// Disconnected tells that Temporal does not answer; following goes on when it does again.
	Disconnected Kind = "disconnected"
	Reconnected  Kind = "reconnected"
)

// Event is something that happened in a run.
type Event struct {
	Kind     Kind              `json:"event"`
	Time     time.Time         `json:"time"`
	Step     string            `json:"step,omitempty"`
	Type     string            `json:"type,omitempty"`
	Attempt  int               `json:"attempt,omitempty"`
	Status   engine.Status     `json:"status,omitempty"` // of StepEnded and RunEnded
	Message  string            `json:"message,omitempty"`
	Progress *sdk.Progress     `json:"progress,omitempty"`
	Stream   string            `json:"stream,omitempty"` // of StepLog: "stdout", "stderr" or "step", the provider's own words
	Text     string            `json:"text,omitempty"`   // of StepLog: parts of lines, or many
	Outputs  json.RawMessage   `json:"outputs,omitempty"`
	Error    *engine.StepError `json:"error,omitempty"`
	// Approval is what is to be decided, of StepStarted.
	Approval string `json:"approval,omitempty"`
}

// followEvery is how often a follower looks at what the history does not tell: attempts, progress, logs.
const followEvery = 500 * time.Millisecond

// Follow tells emit what happens in a run, from its beginning on, until it ends, and returns how it stood then. It outlasts a server
// that cannot be reached for a while. emit is called from one goroutine.
func (c *Client) Follow(ctx context.Context, id, runID string, emit func(Event)) (*Run, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	runID, err := c.first(ctx, id, runID)
	if err != nil {
		return nil, err
	}
	f := &follower{client: c, fold: newFold(id, runID), logs: map[string]int{}, emit: emit}
	f.fold.emit = func(e Event) { f.forward(ctx, e) }
	f.fold.closing = func() { f.ask(ctx) }
	events, failed := make(chan *historypb.HistoryEvent), make(chan error, 1)
	go func() { failed <- c.history(ctx, id, runID, events) }()
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	for !f.fold.ended() {
		select {
		case e := <-events:
			f.fold.event(e)
		case <-tick.C:
			f.look(ctx)
		case err := <-failed:
			return nil, c.wrapRun(err, id, "following")
		}
	}
	f.fold.flatten()
	return f.fold.run, nil
}

// maxStale is how often in a row the server's own token for the next page of a history may be refused.
const maxStale = 10

// history sends a run's events, waiting for those to come, until ctx ends. A server that does not answer is asked again.
func (c *Client) history(ctx context.Context, id, runID string, events chan<- *historypb.HistoryEvent) error {
	var last int64
	stale := 0 // how often in a row the server did not know its own token any more
	for {
		iter := c.temporal.GetWorkflowHistory(ctx, id, runID, true, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
		for iter.HasNext() {
			e, err := iter.Next()
			if err != nil {
				var unreachable *UnreachableError
				var refused *serviceerror.InvalidArgument
				switch {
				case ctx.Err() != nil:
					return err
				case errors.As(err, &refused) && last > 0 && stale < maxStale: // a token for the next page can grow stale in a busy run
					stale++
				case !errors.As(c.wrap(err, "reading the history"), &unreachable):
					return err
				}
				break
			}
			if e.GetEventId() <= last {
				continue
			}
			last, stale = e.GetEventId(), 0
			select {
			case events <- e:
			case <-ctx.Done():
				return ctx.Err()
			}
			if a := e.GetWorkflowExecutionContinuedAsNewEventAttributes(); a != nil {
				runID, last = a.GetNewExecutionRunId(), 0
				break
			}
		}
		if last == 0 {
			continue
		}
		select {
		case <-time.After(followEvery):
		case <-ctx.Done():
			return ctx.Err()
		}
	}
}

// follower is one Follow under way.
type follower struct {
	client *Client
	fold   *fold
	logs   map[string]int // key -> how much of its log was told
	emit   func(Event)
	away   bool // Temporal does not answer
	asked  time.Time
	silent time.Duration // how long not to ask again: longer where nobody answers, or slowly
}

// forward hands an event on, and before a step's end the rest of its log.
func (f *follower) forward(ctx context.Context, e Event) {
	if e.Kind == StepEnded {
		f.log(ctx, f.fold.step(e.Step))
	}
	f.emit(e)
}

// look asks for what the history does not tell.
func (f *follower) look(ctx context.Context) {
	desc, err := f.client.temporal.DescribeWorkflowExecution(ctx, f.fold.run.ID, f.fold.run.RunID)
	if ctx.Err() != nil {
		return
	}
	if (err != nil) != f.away {
		f.away = err != nil
		e := Event{Kind: Reconnected, Time: time.Now()}
		if err != nil {
			e.Kind, e.Message = Disconnected, err.Error()
		}
		f.emit(e)
	}
	if err != nil {
		return
	}
	f.fold.pending(desc.GetPendingActivities())
	if time.Since(f.asked) > f.silent {
		f.ask(ctx)
	}
	f.fold.flatten()
	for _, s := range f.fold.run.Steps {
		if s.Status == engine.StatusRunning {
			f.log(ctx, s)
		}
	}
}

// ask has the workflow tell what its history does not, if there is such.
func (f *follower) ask(ctx context.Context) {
	if !f.fold.untold() {
		return
	}
	begun := time.Now()
	r := f.client.report(ctx, f.fold.run.ID, f.fold.run.RunID)
	f.asked = time.Now()
	f.silent = max(followEvery, 4*f.asked.Sub(begun))
	f.fold.report(r)
}

// log tells what is new in a step's log. A store that fails is asked again the next time.
func (f *follower) log(ctx context.Context, s *Step) {
	if f.client.store == nil || s == nil || s.Key == "" {
		return
	}
	entries, next, _ := f.client.store.ReadLog(ctx, workflows.LogKey(s.Key), f.logs[s.Key])
	f.logs[s.Key] = next
	for _, e := range entries {
		if e.Text != "" {
			f.emit(Event{Kind: StepLog, Time: e.Time, Step: s.Name, Type: s.Type, Attempt: s.Attempt, Stream: e.Stream, Text: e.Text})
		}
	}
}
