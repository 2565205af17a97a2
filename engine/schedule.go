package engine

import (
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"github.com/containerpub/cpub/engine/eval"
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

// phase is the part of a run that is under way. They follow each other in this order; a run that succeeded has no undo and no
// onFailure, one that was cancelled no onFailure.
type phase string

const (
	phaseMain      phase = ""
	phaseUndo      phase = "undo"
	phaseOnFailure phase = "on_failure"
	phaseFinally   phase = "finally"
	phaseDone      phase = "done"
)

// Schedule is the state of one run: which steps are ready, which are done, and what came of it. It is driven from outside: Ready
// gives what to start, Done takes what came of it, until Result has one. The same calls in the same order give the same answers,
// always. It is not safe for concurrent use.
//
// A failure in the main part lets nothing more start there; what is under way ends. Then what succeeded is undone (compensate), in
// reverse order of its ending and one at a time, then on_failure runs, then finally. A cancel does the same without on_failure. In these
// later parts a failure stops nothing else.
type Schedule struct {
	script script
	start  Start
	steps  []stepState // in declared order
	byName map[string]int
	after  [][]int        // index of a step -> of those that wait for it, in declared order
	units  map[string]ref // what is under way, by address
	kept   map[string]*Kept

	maxParallel int
	call        eval.PipelineCall
	phase       phase
	running     int
	endings     int   // how many instances ended
	undo        []ref // what is to be undone yet, in order
	cancelled   bool
	err         *StepError // the failure that ended the main part
	late        *StepError // the first failure after it
	outputs     json.RawMessage
	result      *Result
}

// ref names one run of one instance of a step, or of what undoes it.
type ref struct {
	step, instance int
	undo           bool
}

// stepState is what a Schedule knows of one step.
type stepState struct {
	status      Status
	waits       int // for so many steps yet
	keyed       bool
	maxParallel int        // of its instances
	instances   []instance // one, for a step without for_each; none before it is opened
	next        int        // the first instance that was never started
	again       []int      // instances to run once more
	active      int        // instances under way
	left        int        // instances that have not ended
	err         *StepError // why it failed before it had instances
}

// instance is what a Schedule knows of one instance of a step.
type instance struct {
	key     string
	status  Status
	outputs json.RawMessage // nil unless succeeded
	err     *StepError
	round   int           // how often it was started, this time included
	delay   time.Duration // before it starts again
	ended   int           // its place among those that ended, from 1
	undone  Status        // how far undoing it is; empty: not begun
	undoErr *StepError
	input   string // the digest of what it was started with
	kept    bool   // its outputs are another run's
}

// expansion is what opening a step gives.
type expansion struct {
	skip bool
	// keyed tells that the step has for_each: an instance for each key.
	keyed       bool
	keys        []string
	maxParallel int // 0: no bound
}

// verdict is what a step's own conditions say of its success.
type verdict struct {
	again bool
	delay time.Duration
}

// script evaluates what a pipeline's text says. Program implements it; tests do with functions.
type script interface {
	// plan gives the steps in declared order and what each depends on.
	plan() []Step
	// open evaluates what is known of a step before its instances: for_each, and `when` unless that differs between them.
	open(step int, s *Schedule) (expansion, *StepError)
	// task evaluates an instance. A nil task without an error is one that `when` leaves out.
	task(r ref, s *Schedule) (*Task, *StepError)
	// settle says whether outputs can be what the step's type promises, whether its postconditions hold, and whether it runs again.
	settle(r ref, s *Schedule, outputs json.RawMessage) (verdict, *StepError)
	// outputs evaluates the pipeline's outputs: a JSON object.
	outputs(s *Schedule) (json.RawMessage, *StepError)
}

// newSchedule is a run at its beginning.
func newSchedule(sc script, start Start, maxParallel int) *Schedule {
	plan := sc.plan()
	s := &Schedule{
		script: sc, start: start, maxParallel: max(maxParallel, 1), units: map[string]ref{}, kept: keptByAddress(start.Kept),
		steps: make([]stepState, len(plan)), byName: make(map[string]int, len(plan)), after: make([][]int, len(plan)),
	}
	for i, step := range plan {
		s.byName[step.Name] = i
	}
	for i, step := range plan {
		s.steps[i].status = StatusPending
		for _, dep := range step.Deps {
			if d, ok := s.byName[dep]; ok && plan[d].Section == step.Section { // those of the main part have ended when a later one begins
				s.steps[i].waits++
				s.after[d] = append(s.after[d], i)
			}
		}
	}
	return s
}

// Ready gives what to start now, in declared order, so much that max_parallel steps are under way, and counts it as started. Steps
// that `when` leaves out, that compute alone, and whose expressions fail, end here without being given.
func (s *Schedule) Ready() []Task {
	var tasks []Task
	for {
		if s.phase == phaseUndo {
			tasks = s.startUndo(tasks)
		} else {
			tasks = s.startSteps(tasks)
		}
		if s.running > 0 || !s.advance() {
			return tasks
		}
	}
}

// section is the part of the pipeline whose steps run now.
func (s *Schedule) section() eval.Section {
	switch s.phase {
	case phaseOnFailure:
		return eval.OnFailure
	case phaseFinally:
		return eval.Finally
	default:
		return eval.Main
	}
}

// startSteps starts what can start in this phase.
func (s *Schedule) startSteps(tasks []Task) []Task {
	plan, section := s.script.plan(), s.section()
	for i := 0; i < len(s.steps) && s.phase != phaseDone && !s.stopped() && s.running < s.maxParallel; i++ {
		st := &s.steps[i]
		if st.status.ended() || st.waits > 0 || plan[i].Section != section {
			continue
		}
		if st.status == StatusPending {
			s.open(i)
		}
		tasks = s.startInstances(i, tasks)
		if st.status.ended() {
			i = s.firstFreed(i) - 1
		}
	}
	return tasks
}

// firstFreed is where to look on after a step ended at once: a step that waited for it alone may stand before it.
func (s *Schedule) firstFreed(ended int) int {
	if a := s.after[ended]; len(a) > 0 && a[0] < ended {
		return a[0]
	}
	return ended + 1
}

// open gives a step its instances.
func (s *Schedule) open(i int) {
	x, err := s.script.open(i, s)
	st := &s.steps[i]
	switch {
	case err != nil:
		st.err = err
		s.failed(i, err, s.script.plan()[i].Name)
		s.endStep(i, StatusFailed)
	case x.skip:
		s.endStep(i, StatusSkipped)
	case x.keyed && len(x.keys) == 0:
		st.keyed = true
		s.endStep(i, StatusSucceeded)
	default:
		st.status, st.keyed, st.maxParallel = StatusRunning, x.keyed, x.maxParallel
		if !x.keyed {
			x.keys = []string{""}
		}
		st.instances, st.left = make([]instance, len(x.keys)), len(x.keys)
		for k, key := range x.keys {
			st.instances[k] = instance{key: key, status: StatusPending}
		}
	}
}

// startInstances starts instances of one step, those that run again first.
func (s *Schedule) startInstances(i int, tasks []Task) []Task {
	st := &s.steps[i]
	for !s.stopped() && s.running < s.maxParallel && (st.maxParallel == 0 || st.active < st.maxParallel) {
		r := ref{step: i}
		switch {
		case len(st.again) > 0:
			r.instance, st.again = st.again[0], st.again[1:]
		case st.next < len(st.instances):
			r.instance = st.next
			st.next++
		default:
			return tasks
		}
		tasks = s.startOne(r, tasks)
	}
	return tasks
}

// startOne starts an instance, or ends it where there is nothing to start.
func (s *Schedule) startOne(r ref, tasks []Task) []Task {
	inst := s.instance(r)
	inst.round++
	task, err := s.script.task(r, s)
	switch {
	case err != nil:
		s.endInstance(r, StatusFailed, nil, err)
	case task == nil:
		s.endInstance(r, StatusSkipped, nil, nil)
	case task.Outputs != nil:
		s.settle(r, task.Outputs)
	case s.reuse(r, task): // it has ended
	default:
		inst.input = task.inputDigest()
		s.under(r)
		return append(tasks, s.named(r, *task))
	}
	return tasks
}

// under counts an instance as under way.
func (s *Schedule) under(r ref) {
	s.instance(r).status = StatusRunning
	s.steps[r.step].active++
	s.running++
	s.units[s.address(r)] = r
}

// named gives a task its names.
func (s *Schedule) named(r ref, task Task) Task {
	inst := s.instance(r)
	task.Step = s.address(r)
	task.ID, task.Summary, task.Late = s.taskID(r), task.Step, s.phase != phaseMain
	if !r.undo {
		task.Delay = inst.delay
	}
	return task
}

// taskID is the address, and which time it runs where it is not the first.
func (s *Schedule) taskID(r ref) string {
	if round := s.instance(r).round; round > 1 && !r.undo {
		return fmt.Sprintf("%s#%d", s.address(r), round)
	}
	return s.address(r)
}

func (s *Schedule) instance(r ref) *instance { return &s.steps[r.step].instances[r.instance] }

// address is `image`, `invoke["a"]`, or either with ".compensate".
func (s *Schedule) address(r ref) string {
	name := Address(s.script.plan()[r.step].Name, s.instance(r).key, s.steps[r.step].keyed)
	if r.undo {
		name += ".compensate"
	}
	return name
}

// Done takes what came of a task that Ready gave. One that is not under way is left as it is: outcomes may be told twice.
func (s *Schedule) Done(step string, o Outcome) {
	r, ok := s.units[step]
	if !ok {
		return
	}
	delete(s.units, step)
	s.running--
	if r.undo {
		s.undid(r, o)
		return
	}
	s.steps[r.step].active--
	switch {
	case o.Cancelled:
		s.endCancelled(r)
	case o.Err != nil:
		s.endInstance(r, StatusFailed, nil, o.Err)
	default:
		s.settle(r, o.Outputs)
	}
}

func (s *Schedule) endCancelled(r ref) {
	if s.phase == phaseMain {
		s.cancelled = true
		s.endInstance(r, StatusCancelled, nil, nil)
		return
	}
	s.endInstance(r, StatusFailed, nil, &StepError{Code: CodeCancelled, Kind: kindPermanent, Message: "it was cancelled"})
}

// settle takes a success: it may be none, or not the last run of the step.
func (s *Schedule) settle(r ref, outputs json.RawMessage) {
	v, err := s.script.settle(r, s, outputs)
	switch {
	case err != nil:
		s.endInstance(r, StatusFailed, nil, err)
	case !v.again:
		s.endInstance(r, StatusSucceeded, outputs, nil)
	case s.stopped():
		s.endInstance(r, StatusCancelled, nil, nil)
	default:
		inst := s.instance(r)
		inst.status, inst.delay = StatusPending, v.delay
		s.steps[r.step].again = append(s.steps[r.step].again, r.instance)
	}
}

// endInstance settles an instance for good, and with the last one its step.
func (s *Schedule) endInstance(r ref, status Status, outputs json.RawMessage, err *StepError) {
	inst, st := s.instance(r), &s.steps[r.step]
	s.endings++
	inst.status, inst.outputs, inst.err, inst.ended = status, outputs, err, s.endings
	if err != nil {
		s.failed(r.step, err, s.address(r))
	}
	if st.left--; st.left == 0 {
		s.endStep(r.step, st.together())
	}
}

// together is the status of a step by those of its instances.
func (st *stepState) together() Status {
	seen := map[Status]bool{}
	for i := range st.instances {
		seen[st.instances[i].status] = true
	}
	switch {
	case seen[StatusFailed]:
		return StatusFailed
	case seen[StatusCancelled] || seen[StatusPending]:
		return StatusCancelled
	case seen[StatusSucceeded] || len(st.instances) == 0:
		return StatusSucceeded
	default:
		return StatusSkipped
	}
}

// failed notes a failure, which ends the main part unless the step says otherwise. One that comes after a cancel is that cancel's doing.
func (s *Schedule) failed(step int, err *StepError, address string) {
	err.Step = address
	switch {
	case s.script.plan()[step].ContinueOnError:
	case s.phase == phaseMain && s.err == nil && !s.cancelled:
		s.err = err
	case s.phase != phaseMain && s.late == nil:
		s.late = err
	}
}

func (s *Schedule) endStep(i int, status Status) {
	s.steps[i].status = status
	for _, a := range s.after[i] {
		s.steps[a].waits--
	}
}

// Cancel lets no further step start. Those under way are the caller's to end. It changes nothing once the main part is over.
func (s *Schedule) Cancel() {
	if s.phase == phaseMain {
		s.cancelled = true
	}
}

// Fail does as Cancel does, and has the run fail with err.
func (s *Schedule) Fail(err *StepError) {
	if s.phase == phaseMain && s.err == nil {
		s.err = err
	}
}

// stopped tells that nothing further starts in the main part.
func (s *Schedule) stopped() bool { return s.phase == phaseMain && (s.cancelled || s.err != nil) }

// advance goes to the next phase, once nothing is under way in this one. It reports false when there is none.
func (s *Schedule) advance() bool {
	switch s.phase {
	case phaseMain:
		s.endMain()
	case phaseUndo:
		s.phase = phaseFinally
		if s.err != nil {
			s.phase = phaseOnFailure
		}
	case phaseOnFailure:
		s.phase = phaseFinally
	case phaseFinally:
		s.phase = phaseDone
	case phaseDone:
		return false
	}
	return s.phase != phaseDone
}

// endMain settles how the main part ended, and what follows it.
func (s *Schedule) endMain() {
	for i := range s.steps {
		if st := &s.steps[i]; st.status == StatusRunning { // some of its instances will never start
			st.status = st.together()
		}
	}
	if s.err == nil && !s.cancelled && s.wasCancelled() {
		s.err = &StepError{Code: CodeInvalid, Kind: kindPermanent, Message: "the plan's steps wait for each other"}
	}
	if s.err == nil && !s.wasCancelled() {
		outputs, err := s.script.outputs(s)
		if err == nil && len(outputs) > MaxOutputs {
			err = &StepError{Code: CodeTooLarge, Kind: kindPermanent, Message: fmt.Sprintf(
				"the pipeline's outputs have %d bytes, more than the %d that are possible: hand over large values as artifacts", len(outputs), MaxOutputs)}
		}
		s.outputs, s.err = outputs, err
	}
	s.phase = phaseFinally
	if s.err != nil || s.wasCancelled() {
		s.outputs, s.phase = nil, phaseUndo
		s.undo = s.undoable()
	}
}

// wasCancelled tells that a cancel changed something: one that came too late does not.
//
// A step that failed while it was being cancelled counts: it might have been retried, had there been no cancel.
func (s *Schedule) wasCancelled() bool {
	for i, step := range s.script.plan() {
		if step.Section != eval.Main {
			continue
		}
		st := &s.steps[i]
		if s.cancelled && s.err == nil && st.status == StatusFailed && !step.ContinueOnError {
			return true
		}
		if !st.status.ended() || slices.ContainsFunc(st.instances, func(inst instance) bool {
			return !inst.status.ended() || inst.status == StatusCancelled
		}) {
			return true
		}
	}
	return false
}
