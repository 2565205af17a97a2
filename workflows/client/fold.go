package client

import (
	"encoding/json"
	"fmt"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	failurepb "go.temporal.io/api/failure/v1"
	historypb "go.temporal.io/api/history/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"google.golang.org/protobuf/types/known/timestamppb"

	"github.com/containerpub/cpub/engine"
	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/workflows"
)

// fold makes a Run of its histories, event by event.
type fold struct {
	run   *Run
	plan  *engine.Plan
	steps map[int64]*Step // the scheduled event's id -> the step
	load  int64           // the scheduled event's id of the load activity
	// ordered holds the steps by where they stand in the plan.
	ordered
	chained bool // the history is one that goes on with another
	rerun   bool // the run may keep steps of an earlier one
	decided map[string]decided
	// emit learns what changed; before the run's end, closing lets it ask for what the history does not tell.
	emit    func(Event)
	closing func()
}

func newFold(id, runID string) *fold {
	return &fold{
		run:   &Run{ID: id, RunID: runID, Status: engine.StatusRunning, Steps: []*Step{}},
		steps: map[int64]*Step{}, ordered: newOrdered(), decided: map[string]decided{}, emit: func(Event) {}, closing: func() {},
	}
}

// event takes the next event of the history.
func (f *fold) event(e *historypb.HistoryEvent) {
	at := e.GetEventTime().AsTime()
	switch e.GetEventType() {
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_STARTED:
		f.started(e.GetWorkflowExecutionStartedEventAttributes(), at)
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_SCHEDULED:
		f.scheduled(e.GetEventId(), e.GetActivityTaskScheduledEventAttributes(), at)
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_STARTED:
		a := e.GetActivityTaskStartedEventAttributes()
		if s := f.steps[a.GetScheduledEventId()]; s != nil {
			f.attempt(s, int(a.GetAttempt()), at, a.GetIdentity(), a.GetLastFailure())
		}
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_COMPLETED:
		a := e.GetActivityTaskCompletedEventAttributes()
		if a.GetScheduledEventId() == f.load {
			f.loaded(a.GetResult())
			return
		}
		f.end(a.GetScheduledEventId(), at, engine.StatusSucceeded, a.GetResult(), nil)
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_FAILED:
		a := e.GetActivityTaskFailedEventAttributes()
		f.end(a.GetScheduledEventId(), at, engine.StatusFailed, nil, a.GetFailure())
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_TIMED_OUT:
		a := e.GetActivityTaskTimedOutEventAttributes()
		f.end(a.GetScheduledEventId(), at, engine.StatusFailed, nil, a.GetFailure())
	case enumspb.EVENT_TYPE_ACTIVITY_TASK_CANCELED:
		f.end(e.GetActivityTaskCanceledEventAttributes().GetScheduledEventId(), at, engine.StatusCancelled, nil, nil)
	default:
		if !f.builtin(e, at) {
			f.closed(e, at)
		}
	}
}

func (f *fold) started(a *historypb.WorkflowExecutionStartedEventAttributes, at time.Time) {
	if f.chained {
		return
	}
	f.run.Pipeline, f.run.StartedAt = a.GetWorkflowType().GetName(), at
	var variables json.RawMessage
	if fromPayload(a.GetInput(), &variables) == nil {
		f.run.Variables = variables
	}
	if len(f.run.Variables) == 0 {
		f.run.Variables = json.RawMessage("{}")
	}
	if p, ok := a.GetMemo().GetFields()[workflows.MemoPlan]; ok {
		_ = fromPayload(&commonpb.Payloads{Payloads: []*commonpb.Payload{p}}, &f.run.Plan) // else it stays empty until it is loaded
	}
	_, f.rerun = a.GetMemo().GetFields()[workflows.MemoRerun]
	f.emit(Event{Kind: RunStarted, Time: at})
}

// loaded learns the run's steps.
func (f *fold) loaded(result *commonpb.Payloads) {
	var l workflows.Loaded
	if f.plan != nil || fromPayload(result, &l) != nil {
		return
	}
	f.run.Plan = l.Digest
	plan, err := engine.DecodePlan(l.Plan)
	if err != nil {
		return
	}
	f.plan = plan
	for _, s := range plan.Steps {
		f.add(&Step{Name: s.Name, Type: s.Type, Status: engine.StatusPending})
	}
}

func (f *fold) scheduled(id int64, a *historypb.ActivityTaskScheduledEventAttributes, at time.Time) {
	switch a.GetActivityType().GetName() {
	case workflows.LoadActivity:
		f.load = id
		return
	case workflows.AcquireActivity:
		var req workflows.LockRequest
		if fromPayload(a.GetInput(), &req) == nil {
			f.run.Waiting = "concurrency " + req.Key
			f.emit(Event{Kind: RunWaits, Time: at, Message: f.run.Waiting})
		}
		return
	case workflows.ReleaseActivity, workflows.KeepActivity, workflows.RestoreActivity:
		return
	}
	s := f.begun(a.GetActivityId(), a.GetActivityType().GetName(), at)
	s.Queue, s.Waiting = a.GetTaskQueue().GetName(), "queued"
	var input json.RawMessage
	if fromPayload(a.GetInput(), &input) == nil {
		s.Input = input
	}
	if h, ok := workflows.HeaderOf(a.GetHeader()); ok {
		s.Key, s.keys, s.header = h.Key, append(s.keys, h.Key), h
	}
	f.steps[id] = s
	f.emit(Event{Kind: StepScheduled, Time: at, Step: s.Name, Type: s.Type})
}

// begun notes that a step was started under that id: for the first time, or again.
func (f *fold) begun(id, stepType string, at time.Time) *Step {
	f.run.Waiting = "" // it is the run's turn
	name, round := splitID(id)
	s := f.step(name)
	if s == nil {
		s = &Step{Name: name, Type: stepType}
		f.add(s)
	}
	if round > 1 || s.EndedAt != nil {
		*s = Step{Name: s.Name, Type: s.Type, Round: round, keys: s.keys}
	}
	s.Type, s.Status, s.ScheduledAt, s.events = stepType, engine.StatusRunning, &at, true
	return s
}

// attempt notes that an attempt of a step began.
func (f *fold) attempt(s *Step, n int, at time.Time, worker string, last *failurepb.Failure) {
	known := s.Attempt >= n && s.StartedAt != nil
	s.Attempt, s.StartedAt, s.Worker, s.Waiting = n, &at, worker, ""
	if last != nil {
		s.LastFailure = message(last)
	}
	if !known {
		f.emit(Event{Kind: StepStarted, Time: at, Step: s.Name, Type: s.Type, Attempt: n, Message: s.LastFailure})
	}
}

func (f *fold) end(id int64, at time.Time, status engine.Status, outputs *commonpb.Payloads, failure *failurepb.Failure) {
	s := f.steps[id]
	if s == nil {
		return
	}
	delete(f.steps, id)
	s.Status, s.EndedAt, s.Waiting, s.Progress = status, &at, "", nil
	var raw json.RawMessage
	if fromPayload(outputs, &raw) == nil {
		s.Outputs = raw
	}
	if failure != nil {
		s.Error = workflows.FailureOf(failure)
		s.Error.Step = s.Name
		s.Outputs = s.Error.Outputs
		if failure.GetCanceledFailureInfo() != nil {
			s.Status, s.Error = engine.StatusCancelled, nil
		}
	}
	f.tellEnd(s, at)
}

func (f *fold) tellEnd(s *Step, at time.Time) {
	f.emit(Event{Kind: StepEnded, Time: at, Step: s.Name, Type: s.Type, Attempt: s.Attempt, Status: s.Status, Outputs: s.Outputs, Error: s.Error})
}

// closed takes the events by which a run ends.
func (f *fold) closed(e *historypb.HistoryEvent, at time.Time) {
	var failure *engine.StepError
	status := engine.StatusFailed
	switch e.GetEventType() {
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_COMPLETED:
		status = engine.StatusSucceeded
		var outputs json.RawMessage
		if fromPayload(e.GetWorkflowExecutionCompletedEventAttributes().GetResult(), &outputs) == nil {
			f.run.Outputs = outputs
		}
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_FAILED:
		failure = workflows.RunFailureOf(e.GetWorkflowExecutionFailedEventAttributes().GetFailure())
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_CANCELED:
		status = engine.StatusCancelled
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TERMINATED:
		a := e.GetWorkflowExecutionTerminatedEventAttributes()
		failure = &engine.StepError{Code: "terminated", Kind: sdk.KindPermanent, Message: fmt.Sprintf("terminated by %s: %s", a.GetIdentity(), a.GetReason())}
	case enumspb.EVENT_TYPE_WORKFLOW_EXECUTION_TIMED_OUT:
		failure = &engine.StepError{Code: sdk.CodeTimeout, Kind: sdk.KindPermanent, Message: "the workflow's own timeout in Temporal ran out"}
	default:
		return
	}
	f.closing()
	f.run.Status, f.run.EndedAt, f.run.Error, f.run.Waiting = status, &at, failure, ""
	f.flatten()
	for _, s := range f.run.Steps {
		switch {
		case s.Status == engine.StatusPending && status == engine.StatusSucceeded:
			s.Status = engine.StatusSkipped
		case s.Status == engine.StatusRunning: // the run ended over it
			s.Status, s.EndedAt, s.Waiting, s.Approval = engine.StatusCancelled, &at, "", ""
		}
	}
	f.markFailed(failure)
	f.emit(Event{Kind: RunEnded, Time: at, Status: status, Outputs: f.run.Outputs, Error: failure})
}

// markFailed shows a failure at the step whose expressions failed, of which the history has nothing else.
func (f *fold) markFailed(e *engine.StepError) {
	if e == nil || e.Step == "" {
		return
	}
	if s := f.step(e.Step); s != nil && s.Status == engine.StatusPending {
		s.Status, s.Error = engine.StatusFailed, e
	}
}

// flatten brings the run's steps up to date.
func (f *fold) flatten() { f.run.Steps = f.all() }

// ended tells that nothing more comes.
func (f *fold) ended() bool { return f.run.EndedAt != nil }

// pending takes what Temporal knows of steps under way, which the history does not say.
func (f *fold) pending(infos []*workflowpb.PendingActivityInfo) {
	for _, p := range infos {
		name, _ := splitID(p.GetActivityId())
		s := f.step(name)
		if s == nil || s.EndedAt != nil || s.ScheduledAt == nil {
			continue
		}
		switch {
		case p.GetState() == enumspb.PENDING_ACTIVITY_STATE_SCHEDULED && p.GetAttempt() > 1:
			f.waits(s, p)
		case p.GetState() == enumspb.PENDING_ACTIVITY_STATE_SCHEDULED:
			s.Waiting = "queued"
		case p.GetLastStartedTime() != nil:
			f.attempt(s, int(p.GetAttempt()), p.GetLastStartedTime().AsTime(), p.GetLastWorkerIdentity(), p.GetLastFailure())
		}
		f.heartbeat(s, p.GetHeartbeatDetails())
	}
}

// waits notes that a step is between two attempts.
func (f *fold) waits(s *Step, p *workflowpb.PendingActivityInfo) {
	s.Waiting = "queued"
	if until := p.GetScheduledTime(); until.IsValid() && until.AsTime().After(time.Now()) {
		s.Waiting = "retry at " + clock(until)
	}
	if s.Attempt < int(p.GetAttempt()) {
		s.Attempt, s.LastFailure, s.StartedAt = int(p.GetAttempt()), message(p.GetLastFailure()), nil
		f.emit(Event{Kind: StepRetried, Time: time.Now(), Step: s.Name, Type: s.Type, Attempt: s.Attempt, Message: s.LastFailure})
	}
}

func clock(t *timestamppb.Timestamp) string { return t.AsTime().Local().Format(time.TimeOnly) }

func (f *fold) heartbeat(s *Step, payloads *commonpb.Payloads) {
	var h workflows.Heartbeat
	if fromPayload(payloads, &h) != nil || h.Progress == nil {
		return
	}
	if s.Progress == nil || *s.Progress != *h.Progress {
		s.Progress = h.Progress
		f.emit(Event{Kind: StepProgress, Time: time.Now(), Step: s.Name, Type: s.Type, Attempt: s.Attempt, Progress: h.Progress})
	}
}

// message is a failure in one line.
func message(f *failurepb.Failure) string {
	if f == nil {
		return ""
	}
	return workflows.FailureOf(f).Message
}
