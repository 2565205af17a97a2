package workflows

import (
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"slices"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/log"
	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/containerpub/cpub/engine"
	"github.com/containerpub/cpub/sdk"
)

// Earlier is what a run keeps of an earlier one. It lies in the store, packed, and the memo names it.
type Earlier struct {
	// Run is the earlier run's name.
	Run  string        `json:"run"`
	Kept []engine.Kept `json:"kept"`
	// Children are what the runs keep that this one starts, by the address of the calling step: digests of their Earliers.
	Children map[string]string `json:"children,omitempty"`
	// Child tells that this is a child's: what of Kept stands is found when its variables are known. The steps Undone run again.
	Child  bool     `json:"child,omitempty"`
	Undone []string `json:"undone,omitempty"`
}

// maxEarlier is the most bytes of an Earlier, packed: all of it becomes part of the run's history.
const maxEarlier = 16 << 20

// MediaTypeEarlier is the media type of a packed Earlier.
const MediaTypeEarlier = "application/vnd.cpub.earlier.v1+gzip"

// Pack encodes it for the store.
func (e *Earlier) Pack() ([]byte, error) {
	data, err := pack(e)
	if err == nil && len(data) > maxEarlier {
		err = fmt.Errorf("what the run would keep has %d bytes, more than the %d that are possible: run the pipeline anew", len(data), maxEarlier)
	}
	return data, err
}

// reused is what the run keeps of an earlier one, as the memo says.
func (r *run) reused(ctx workflow.Context, variables json.RawMessage) ([]engine.Kept, error) {
	p, ok := r.info.Memo.GetFields()[MemoRerun]
	if !ok {
		return nil, nil
	}
	var digest string
	if err := fromMemo(p, &digest); err != nil {
		return nil, runError(&engine.StepError{Code: codePlan, Kind: sdk.KindPermanent, Message: fmt.Sprintf("the memo's %s is no string: %v", MemoRerun, err)})
	}
	data, err := fetch(ctx, digest, "what an earlier run gave")
	if err != nil {
		return nil, err
	}
	var earlier Earlier
	if err := unpack(data, &earlier); err != nil {
		return nil, runError(&engine.StepError{Code: codePlan, Kind: sdk.KindPermanent, Message: err.Error()})
	}
	r.children = earlier.Children
	if !earlier.Child {
		return earlier.Kept, nil
	}
	again := slices.DeleteFunc(earlier.Undone, func(name string) bool { return !r.program.Has(name) })
	reusable, err := r.program.Reusable(variables, earlier.Kept, again)
	if err != nil {
		return nil, runError(&engine.StepError{Code: codeVariables, Kind: sdk.KindInvalid, Message: err.Error()})
	}
	return reusable, nil
}

// Past is a run as its history leaves it.
type Past struct {
	// Plan and Variables are what it was started with.
	Plan      *engine.Plan
	Variables json.RawMessage
	// Kept are the steps that succeeded and were not undone; Undone those that were.
	Kept   []engine.Kept
	Undone []string
	// Calls are the runs that steps called, in declared order of the steps.
	Calls []Called
}

// Called is a run that a step called.
type Called struct {
	// Step is the step's address.
	Step       string
	WorkflowID string
}

// ErrRecall is wrapped by the errors of histories that cannot be gone through.
var ErrRecall = errors.New("its history does not tell what it gave")

// Recall replays a closed run's history, which holds all that its steps gave, by whatever they were carried out.
func Recall(id, runID string, history *historypb.History) (*Past, error) {
	r, err := replay(id, runID, upToEnd(history.GetEvents()))
	if err != nil {
		return nil, err
	}
	if r.sched == nil {
		return nil, fmt.Errorf("%w: run %q ended before its first step: start it anew", ErrRecall, id)
	}
	plan, err := engine.DecodePlan(r.loaded.Plan)
	if err != nil {
		return nil, err
	}
	return &Past{Plan: plan, Variables: r.variables, Kept: r.sched.Kept(), Undone: r.sched.Undone(), Calls: called(id, r.sched.Calls())}, nil
}

// ReportOf is what the workflow would answer to StatusQuery at the end of its last turn, by its history, of a run under way as well as of one
// that ended.
func ReportOf(id, runID string, history *historypb.History) (*Report, error) {
	r, err := replay(id, runID, upToLastTurn(history.GetEvents()))
	if err != nil {
		return nil, err
	}
	return r.report()
}

// replay goes through a history, and gives what the run knows at its end.
func replay(id, runID string, events []*historypb.HistoryEvent) (*run, error) {
	r := &run{}
	replayer := worker.NewWorkflowReplayer()
	replayer.RegisterDynamicWorkflow(func(ctx workflow.Context, args converter.EncodedValues) (json.RawMessage, error) {
		return pipeline(ctx, args, r)
	}, workflow.DynamicRegisterOptions{})
	quiet := log.NewStructuredLogger(slog.New(slog.DiscardHandler))
	err := replayer.ReplayWorkflowHistoryWithOptions(quiet, &historypb.History{Events: events}, worker.ReplayWorkflowHistoryOptions{
		OriginalExecution: workflow.Execution{ID: id, RunID: runID},
	})
	if err != nil {
		return nil, fmt.Errorf("%w: going through the history of run %q, which another version may have written: %w", ErrRecall, id, err)
	}
	if r.info == nil {
		return nil, fmt.Errorf("%w: run %q has not had its first turn", ErrRecall, id)
	}
	return r, nil
}

// called are the runs behind calls of the run with that id. A step that kept an earlier call's outputs names the run in them.
func called(id string, calls []engine.PastCall) (out []Called) {
	for _, call := range calls {
		var outputs struct {
			WorkflowID string `json:"workflow_id"`
		}
		if json.Unmarshal(call.Outputs, &outputs) != nil || outputs.WorkflowID == "" {
			outputs.WorkflowID = childID(id, call.ID)
		}
		out = append(out, Called{Step: call.Step, WorkflowID: outputs.WorkflowID})
	}
	return out
}

// upToEnd gives a run that was ended from outside a last turn, in which it learns what it had not yet. The replayer does not take the turn
// that a history ends in the middle of, and does not ask what the one before it led to: so one more follows.
func upToEnd(events []*historypb.HistoryEvent) []*historypb.HistoryEvent {
	if len(events) == 0 {
		return events
	}
	end := events[len(events)-1]
	switch end.GetEventType() {
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT:
	default:
		return events
	}
	t := turnsOf(events[:len(events)-1], end.GetEventTime())
	state, scheduled, started := t.last()
	if state == enumspb.EVENT_TYPE_WORKFLOW_TASK_STARTED && started < int64(len(t.events)) { // it ended while others reported
		t.add(&historypb.HistoryEvent{EventType: enumspb.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT, Attributes: &historypb.HistoryEvent_WorkflowTaskTimedOutEventAttributes{
			WorkflowTaskTimedOutEventAttributes: &historypb.WorkflowTaskTimedOutEventAttributes{ScheduledEventId: scheduled, StartedEventId: started},
		}})
		state = enumspb.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT
	}
	switch state {
	case enumspb.EVENT_TYPE_WORKFLOW_TASK_STARTED:
	case enumspb.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED:
		started = t.start(scheduled)
	default:
		scheduled = t.schedule()
		started = t.start(scheduled)
	}
	t.add(&historypb.HistoryEvent{EventType: enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED, Attributes: &historypb.HistoryEvent_WorkflowTaskCompletedEventAttributes{
		WorkflowTaskCompletedEventAttributes: &historypb.WorkflowTaskCompletedEventAttributes{ScheduledEventId: scheduled, StartedEventId: started},
	}})
	t.start(t.schedule())
	return t.events
}

// upToLastTurn gives a run that goes on, or was ended from outside, a turn to begin with after its last one, as the replayer takes no turn that none
// follows.
func upToLastTurn(events []*historypb.HistoryEvent) []*historypb.HistoryEvent {
	if len(events) == 0 {
		return events
	}
	end := events[len(events)-1]
	switch end.GetEventType() {
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED,
		enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW:
		return events
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED, enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT:
		events = events[:len(events)-1]
	default:
	}
	t := turnsOf(events, end.GetEventTime())
	switch state, scheduled, _ := t.last(); state {
	case enumspb.EVENT_TYPE_WORKFLOW_TASK_STARTED:
	case enumspb.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED:
		t.start(scheduled)
	default:
		t.start(t.schedule())
	}
	return t.events
}

// turnsOf are the turns of a history that is not changed itself.
func turnsOf(events []*historypb.HistoryEvent, at *timestamppb.Timestamp) *turns {
	return &turns{events: slices.Clone(events), at: at}
}

// turns are a history that grows by turns of the workflow.
type turns struct {
	events []*historypb.HistoryEvent
	at     *timestamppb.Timestamp
}

func (t *turns) add(e *historypb.HistoryEvent) (id int64) {
	e.EventId, e.EventTime = int64(len(t.events)+1), t.at
	t.events = append(t.events, e)
	return e.GetEventId()
}

func (t *turns) schedule() (id int64) {
	return t.add(&historypb.HistoryEvent{EventType: enumspb.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED, Attributes: &historypb.HistoryEvent_WorkflowTaskScheduledEventAttributes{
		WorkflowTaskScheduledEventAttributes: &historypb.WorkflowTaskScheduledEventAttributes{},
	}})
}

func (t *turns) start(scheduled int64) (id int64) {
	return t.add(&historypb.HistoryEvent{EventType: enumspb.EVENT_TYPE_WORKFLOW_TASK_STARTED, Attributes: &historypb.HistoryEvent_WorkflowTaskStartedEventAttributes{
		WorkflowTaskStartedEventAttributes: &historypb.WorkflowTaskStartedEventAttributes{ScheduledEventId: scheduled},
	}})
}

// last is how far the last turn is, and where it was scheduled and started.
func (t *turns) last() (state enumspb.EventType, scheduled, started int64) {
	for _, e := range t.events {
		switch kind := e.GetEventType(); kind {
		case enumspb.EVENT_TYPE_WORKFLOW_TASK_SCHEDULED:
			state, scheduled = kind, e.GetEventId()
		case enumspb.EVENT_TYPE_WORKFLOW_TASK_STARTED:
			state, started = kind, e.GetEventId()
		case enumspb.EVENT_TYPE_WORKFLOW_TASK_COMPLETED, enumspb.EVENT_TYPE_WORKFLOW_TASK_FAILED, enumspb.EVENT_TYPE_WORKFLOW_TASK_TIMED_OUT:
			state = kind
		default:
		}
	}
	return state, scheduled, started
}
