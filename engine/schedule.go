package engine

import (
	"encoding/json"
	"fmt"
	"time"
)

// Status is how far a step is, or how a run ended.
type Status string

// The statuses of steps. A run is running, succeeded, failed or cancelled.
const (
	StatusPending   Status = "pending"
	StatusRunning   Status = "running"
	StatusSucceeded Status = "succeeded"
	StatusSkipped   Status = "skipped"
	StatusFailed    Status = "failed"
	StatusCancelled Status = "cancelled"
)

// ended tells that nothing more happens to a step of that status.
func (s Status) ended() bool { return s != StatusPending && s != StatusRunning }

// Schedule is the state of one run: which steps are ready, which are done, and what came of it. It is driven from outside: Ready
// gives what to start, Done takes what came of it, until Result has one. The same calls in the same order give the same answers,
// always. It is not safe for concurrent use.
type Schedule struct {
	script script
	start  Start
	steps  []stepState // in declared order
	byName map[string]int
	after  [][]int // index of a step -> of those that wait for it, in declared order

	maxParallel int
	timeout     time.Duration
	running     int
	cancelled   bool
	err         *StepError // the failure that ended the run
	result      *Result
}

// stepState is what a Schedule knows of one step.
type stepState struct {
	status  Status
	waits   int             // for so many steps yet
	outputs json.RawMessage // nil unless succeeded
	err     *StepError
}

// script evaluates what a pipeline's text says. Program implements it; tests do with functions.
type script interface {
	// names and deps are the steps in declared order and what each depends on.
	plan() []Step
	// task evaluates a step whose dependencies are done. A nil task without an error is a step that `when` leaves out.
	task(index int, s *Schedule) (*Task, *StepError)
	// checkOutputs says whether a step's outputs can be what its type promises.
	checkOutputs(index int, outputs json.RawMessage) *StepError
	// outputs evaluates the pipeline's outputs: a JSON object.
	outputs(s *Schedule) (json.RawMessage, *StepError)
}

// newSchedule is a run at its beginning.
func newSchedule(sc script, start Start, maxParallel int) *Schedule {
	plan := sc.plan()
	s := &Schedule{
		script: sc, start: start, maxParallel: max(maxParallel, 1),
		steps: make([]stepState, len(plan)), byName: make(map[string]int, len(plan)), after: make([][]int, len(plan)),
	}
	for i, step := range plan {
		s.byName[step.Name] = i
	}
	for i, step := range plan {
		s.steps[i].status = StatusPending
		for _, dep := range step.Deps {
			if d, ok := s.byName[dep]; ok {
				s.steps[i].waits++
				s.after[d] = append(s.after[d], i)
			}
		}
	}
	return s
}

// Ready gives the steps to start now, in declared order, so many that max_parallel are under way, and counts them as started. Steps
// that `when` leaves out, and steps whose expressions fail, end here without being given.
func (s *Schedule) Ready() []Task {
	var tasks []Task
	for i := 0; i < len(s.steps) && !s.stopped() && s.running < s.maxParallel; i++ {
		if s.steps[i].status != StatusPending || s.steps[i].waits > 0 {
			continue
		}
		task, err := s.script.task(i, s)
		switch {
		case err != nil:
			s.end(i, StatusFailed, nil, err)
		case task == nil:
			s.end(i, StatusSkipped, nil, nil)
			i = s.firstFreed(i) - 1
		default:
			s.steps[i].status = StatusRunning
			s.running++
			tasks = append(tasks, *task)
		}
	}
	return tasks
}

// firstFreed is where to look on after a step was skipped: a step that waited for it alone may stand before it.
func (s *Schedule) firstFreed(skipped int) int {
	if a := s.after[skipped]; len(a) > 0 && a[0] < skipped {
		return a[0]
	}
	return skipped + 1
}

// Done takes what came of a step that Ready gave. A step that is not under way is left as it is: outcomes may be told twice.
func (s *Schedule) Done(step string, o Outcome) {
	i, ok := s.byName[step]
	if !ok || s.steps[i].status != StatusRunning {
		return
	}
	s.running--
	switch {
	case o.Cancelled:
		s.cancelled = true
		s.end(i, StatusCancelled, nil, nil)
	case o.Err != nil:
		s.end(i, StatusFailed, nil, o.Err)
	default:
		if err := s.script.checkOutputs(i, o.Outputs); err != nil {
			s.end(i, StatusFailed, nil, err)
			return
		}
		s.end(i, StatusSucceeded, o.Outputs, nil)
	}
}

// end settles a step.
func (s *Schedule) end(i int, status Status, outputs json.RawMessage, err *StepError) {
	s.steps[i].status, s.steps[i].outputs, s.steps[i].err = status, outputs, err
	if err != nil {
		err.Step = s.script.plan()[i].Name
		if s.err == nil {
			s.err = err
		}
	}
	for _, a := range s.after[i] {
		s.steps[a].waits--
	}
}

// Cancel lets no further step start. Those under way are the caller's to end.
func (s *Schedule) Cancel() { s.cancelled = true }

// stopped tells that no further step starts.
func (s *Schedule) stopped() bool { return s.cancelled || s.err != nil }

// Outputs are a succeeded step's outputs; nil for any other.
func (s *Schedule) Outputs(step string) json.RawMessage {
	if i, ok := s.byName[step]; ok {
		return s.steps[i].outputs
	}
	return nil
}

// Status is a step's status; empty for a step that there is not.
func (s *Schedule) Status(step string) Status {
	if i, ok := s.byName[step]; ok {
		return s.steps[i].status
	}
	return ""
}

// Result is how the run ended; false as long as steps are under way or may start. Call it after Ready gave nothing.
func (s *Schedule) Result() (Result, bool) {
	if s.running > 0 || !s.stopped() && s.left() {
		return Result{}, false
	}
	if s.result == nil {
		r := s.conclude()
		s.result = &r
	}
	return *s.result, true
}

// left tells that a step has not ended.
func (s *Schedule) left() bool {
	for i := range s.steps {
		if !s.steps[i].status.ended() {
			return true
		}
	}
	return false
}

// conclude makes the result. A failure that came before a cancel is what is told; a cancel that came too late changes nothing.
func (s *Schedule) conclude() Result {
	r := Result{Status: StatusSucceeded, Error: s.err}
	switch {
	case s.err != nil:
		r.Status = StatusFailed
	case s.left() || s.anyCancelled():
		r.Status = StatusCancelled
	default:
		outputs, err := s.script.outputs(s)
		if err == nil && len(outputs) > MaxOutputs {
			err = &StepError{Code: CodeTooLarge, Kind: kindPermanent, Message: fmt.Sprintf(
				"the pipeline's outputs have %d bytes, more than the %d that are possible: hand over large values as artifacts", len(outputs), MaxOutputs)}
		}
		if err != nil {
			r.Status, r.Error = StatusFailed, err
			break
		}
		r.Outputs = outputs
	}
	r.Steps = s.States()
	return r
}

func (s *Schedule) anyCancelled() bool {
	for i := range s.steps {
		if s.steps[i].status == StatusCancelled {
			return true
		}
	}
	return false
}

// States are all steps as they stand, in declared order.
func (s *Schedule) States() []StepState {
	states := make([]StepState, len(s.steps))
	for i, step := range s.script.plan() {
		states[i] = StepState{Step: step.Name, Type: step.Type, Status: s.steps[i].status, Error: s.steps[i].err}
	}
	return states
}
