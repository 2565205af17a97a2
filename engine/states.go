package engine

import (
	"encoding/json"

	"github.com/containerpub/cpub/engine/eval"
)

// Outputs are a succeeded step's outputs, or an instance's, by its address; nil for any other.
func (s *Schedule) Outputs(address string) json.RawMessage {
	if i, ok := s.byName[address]; ok && !s.steps[i].keyed && len(s.steps[i].instances) == 1 {
		return s.steps[i].instances[0].outputs
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

// Settings are what the pipeline says of its runs.
func (s *Schedule) Settings() eval.PipelineCall { return s.call }

// Failure is what the run failed with so far, or nil.
func (s *Schedule) Failure() *StepError { return s.err }

// Result is how the run ended; false as long as steps are under way or may start. Call it after Ready gave nothing.
func (s *Schedule) Result() (Result, bool) {
	if s.phase != phaseDone {
		return Result{}, false
	}
	if s.result == nil {
		s.result = &Result{Status: StatusSucceeded, Outputs: s.outputs, Error: s.err, Steps: s.States()}
		switch {
		case s.err != nil:
			s.result.Status = StatusFailed
		case s.wasCancelled():
			s.result.Status = StatusCancelled
		case s.late != nil:
			s.result.Status, s.result.Error, s.result.Outputs = StatusFailed, s.late, nil
		}
	}
	return *s.result, true
}

// States are all steps as they stand, in declared order, those with for_each by instance once they have some.
func (s *Schedule) States() []StepState {
	states := make([]StepState, 0, len(s.steps))
	for i, step := range s.script.plan() {
		st := &s.steps[i]
		if len(st.instances) == 0 {
			states = append(states, StepState{Step: step.Name, Type: step.Type, Status: st.status, Error: st.err})
			continue
		}
		for k := range st.instances {
			inst := &st.instances[k]
			r := ref{step: i, instance: k}
			states = append(states, StepState{
				Step: s.address(r), Type: step.Type, Status: s.shown(inst), Error: inst.err, Outputs: inst.outputs, Kept: inst.kept,
			})
			if inst.undone != "" {
				r.undo = true
				states = append(states, StepState{Step: s.address(r), Type: step.Compensate.Type, Status: inst.undone, Error: inst.undoErr})
			}
		}
	}
	return states
}

// shown is an instance's status for people: one that waits to run again is under way.
func (s *Schedule) shown(inst *instance) Status {
	switch {
	case inst.status != StatusPending || inst.round == 0:
		return inst.status
	case s.phase == phaseMain:
		return StatusRunning
	default:
		return StatusCancelled
	}
}
