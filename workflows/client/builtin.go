package client

import (
	"encoding/json"
	"strings"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"

	"github.com/containerpub/cpub/engine"
	"github.com/containerpub/cpub/engine/eval"
	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/workflows"
)

// decided is an answer to an approval.
type decided struct {
	workflows.Decision
	approved bool
}

// builtin takes the events of what no provider carries out, and of a run that goes on in another history.
func (f *fold) builtin(e *historypb.HistoryEvent, at time.Time) bool {
	switch e.GetEventType() {
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CONTINUED_AS_NEW:
		f.run.RunID = e.GetWorkflowExecutionContinuedAsNewEventAttributes().GetNewExecutionRunId()
		f.chained, f.steps = true, map[int64]*Step{}
	case enumspb.EVENT_TYPE_TIMER_STARTED:
		f.timer(e, at)
	case enumspb.EVENT_TYPE_TIMER_FIRED:
		f.end(e.GetTimerFiredEventAttributes().GetStartedEventId(), at, engine.StatusSucceeded, nil, nil)
	case enumspb.EVENT_TYPE_TIMER_CANCELED:
		f.end(e.GetTimerCanceledEventAttributes().GetStartedEventId(), at, engine.StatusCancelled, nil, nil)
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_ACCEPTED:
		a := e.GetWorkflowExecutionUpdateAcceptedEventAttributes()
		in := a.GetAcceptedRequest().GetInput()
		var d workflows.Decision
		if fromPayload(in.GetArgs(), &d) == nil {
			f.decided[a.GetProtocolInstanceId()] = decided{d, in.GetName() == workflows.Approve}
		}
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_UPDATE_COMPLETED:
		a := e.GetWorkflowExecutionUpdateCompletedEventAttributes()
		var step string
		if d, ok := f.decided[a.GetMeta().GetUpdateId()]; ok && fromPayload(a.GetOutcome().GetSuccess(), &step) == nil {
			f.answered(step, d, at)
		}
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_SIGNALED:
		a := e.GetWorkflowExecutionSignaledEventAttributes()
		f.signaled(a.GetSignalName(), a.GetInput(), at)
	default:
		return f.child(e, at)
	}
	return true
}

// timer notes what a timer is of: of a step that waits, or of one that runs again.
func (f *fold) timer(e *historypb.HistoryEvent, at time.Time) {
	var summary string
	if fromPayload(&commonpb.Payloads{Payloads: []*commonpb.Payload{e.GetUserMetadata().GetSummary()}}, &summary) != nil {
		return
	}
	until := at.Add(e.GetTimerStartedEventAttributes().GetStartToFireTimeout().AsDuration())
	if id, ok := strings.CutSuffix(summary, " runs again"); ok {
		name, round := splitID(id)
		if s := f.step(name); s != nil {
			*s = Step{
				Name: s.Name, Type: s.Type, Status: engine.StatusRunning, Round: round, ScheduledAt: s.ScheduledAt, Key: s.Key, keys: s.keys,
				events: true, Waiting: "runs again at " + until.Local().Format(time.TimeOnly),
			}
		}
		return
	}
	if f.typeOf(summary) != eval.TypeWait {
		return
	}
	if s := f.step(summary); s == nil || s.Status != engine.StatusRunning || s.Waiting == "" {
		s = f.begun(summary, eval.TypeWait, at)
		s.StartedAt = &at
		f.emit(Event{Kind: StepStarted, Time: at, Step: s.Name, Type: s.Type})
	}
	s := f.step(summary)
	s.Waiting, f.steps[e.GetEventId()] = "until "+until.Local().Format(time.DateTime), s
}

// typeOf is the type of what has that address; empty if the plan has no such.
func (f *fold) typeOf(address string) string {
	if f.plan == nil {
		return ""
	}
	step := f.plan.Step(baseOf(address))
	switch {
	case step == nil:
		return ""
	case strings.HasSuffix(address, ".compensate"):
		if step.Compensate == nil {
			return ""
		}
		return step.Compensate.Type
	}
	return step.Type
}

func (f *fold) signaled(name string, input *commonpb.Payloads, at time.Time) {
	switch name {
	case workflows.Approve, workflows.Reject:
		var d workflows.Decision
		if fromPayload(input, &d) == nil && d.Step != "" {
			f.answered(d.Step, decided{d, name == workflows.Approve}, at)
		}
	case workflows.GrantSignal:
		var g workflows.Grant
		if fromPayload(input, &g) == nil && g.Granted {
			f.run.Waiting = ""
		}
	}
}

// answered notes a decision at the approval that it is of. One that waits no more takes none.
func (f *fold) answered(address string, d decided, at time.Time) {
	if f.typeOf(address) != eval.TypeApproval {
		return
	}
	s := f.step(address)
	if s != nil && s.EndedAt != nil {
		return
	}
	if s == nil || s.ScheduledAt == nil {
		s = f.begun(address, eval.TypeApproval, at)
	}
	s.Status, s.EndedAt, s.Waiting, s.Approval = engine.StatusSucceeded, &at, "", ""
	if !d.approved {
		s.Status = engine.StatusFailed
		s.Error = &engine.StepError{Step: s.Name, Code: "rejected", Kind: sdk.KindPermanent, Message: workflows.Rejected(d.Decision)}
	}
	f.tellEnd(s, at)
}

// child takes the events of child workflows.
func (f *fold) child(e *historypb.HistoryEvent, at time.Time) bool {
	switch e.GetEventType() {
	case enumspb.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_INITIATED:
		id := e.GetStartChildWorkflowExecutionInitiatedEventAttributes().GetWorkflowId()
		if task, ok := childStep(id, f.run.ID); ok {
			s := f.begun(task, eval.TypePipeline, at)
			s.Child, f.steps[e.GetEventId()] = id, s
			f.emit(Event{Kind: StepScheduled, Time: at, Step: s.Name, Type: s.Type})
		}
	case enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_STARTED:
		if s := f.steps[e.GetChildWorkflowExecutionStartedEventAttributes().GetInitiatedEventId()]; s != nil {
			s.StartedAt = &at
			f.emit(Event{Kind: StepStarted, Time: at, Step: s.Name, Type: s.Type, Message: s.Child})
		}
	case enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_COMPLETED:
		a := e.GetChildWorkflowExecutionCompletedEventAttributes()
		f.end(a.GetInitiatedEventId(), at, engine.StatusSucceeded, f.called(a.GetInitiatedEventId(), a.GetResult()), nil)
	case enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_FAILED:
		a := e.GetChildWorkflowExecutionFailedEventAttributes()
		f.endChild(a.GetInitiatedEventId(), at, workflows.RunFailureOf(a.GetFailure()))
	case enumspb.EVENT_TYPE_START_CHILD_WORKFLOW_EXECUTION_FAILED:
		a := e.GetStartChildWorkflowExecutionFailedEventAttributes()
		f.endChild(a.GetInitiatedEventId(), at, &engine.StepError{Code: "terminated", Kind: sdk.KindPermanent, Message: "a run of this id is there already"})
	case enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_CANCELED:
		f.end(e.GetChildWorkflowExecutionCanceledEventAttributes().GetInitiatedEventId(), at, engine.StatusCancelled, nil, nil)
	case enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TERMINATED:
		id := e.GetChildWorkflowExecutionTerminatedEventAttributes().GetInitiatedEventId()
		f.endChild(id, at, &engine.StepError{Code: "terminated", Kind: sdk.KindPermanent, Message: "it was terminated"})
	case enumspb.EVENT_TYPE_CHILD_WORKFLOW_EXECUTION_TIMED_OUT:
		id := e.GetChildWorkflowExecutionTimedOutEventAttributes().GetInitiatedEventId()
		f.endChild(id, at, &engine.StepError{Code: sdk.CodeTimeout, Kind: sdk.KindPermanent, Message: "its own timeout in Temporal ran out"})
	default:
		return false
	}
	return true
}

// called are the outputs of a step whose child gave that.
func (f *fold) called(id int64, result *commonpb.Payloads) *commonpb.Payloads {
	s := f.steps[id]
	if s == nil {
		return nil
	}
	var outputs json.RawMessage
	_ = fromPayload(result, &outputs) // what is no JSON is no output
	data, err := json.Marshal(map[string]any{"outputs": outputs, "workflow_id": s.Child})
	if err != nil {
		return nil
	}
	return &commonpb.Payloads{Payloads: []*commonpb.Payload{{Metadata: map[string][]byte{"encoding": []byte("json/plain")}, Data: data}}}
}

// endChild is end of a child that failed.
func (f *fold) endChild(id int64, at time.Time, err *engine.StepError) {
	s := f.steps[id]
	if s == nil {
		return
	}
	delete(f.steps, id)
	s.Status, s.EndedAt, s.Waiting = engine.StatusFailed, &at, ""
	s.Error = &engine.StepError{Step: s.Name, Code: err.Code, Kind: err.Kind, Message: err.Message}
	f.tellEnd(s, at)
}
