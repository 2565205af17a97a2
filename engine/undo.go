package engine

import (
	"cmp"
	"slices"
)

// undoable are the instances that can be undone, the last to end first.
func (s *Schedule) undoable() (out []ref) {
	for i, step := range s.script.plan() {
		if step.Compensate == nil {
			continue
		}
		for k := range s.steps[i].instances {
			if s.steps[i].instances[k].status == StatusSucceeded {
				out = append(out, ref{step: i, instance: k, undo: true})
			}
		}
	}
	slices.SortFunc(out, func(a, b ref) int { return cmp.Compare(s.instance(b).ended, s.instance(a).ended) })
	return out
}

// startUndo starts the next thing to undo.
func (s *Schedule) startUndo(tasks []Task) []Task {
	for s.running == 0 && len(s.undo) > 0 {
		r := s.undo[0]
		s.undo = s.undo[1:]
		task, err := s.script.task(r, s)
		if err != nil {
			s.undid(r, Outcome{Err: err})
			continue
		}
		s.instance(r).undone = StatusRunning
		s.running++
		s.units[s.address(r)] = r
		tasks = append(tasks, s.named(r, *task))
	}
	return tasks
}

// undid takes what came of undoing something. A failure is noted, and stops nothing.
func (s *Schedule) undid(r ref, o Outcome) {
	inst := s.instance(r)
	err := o.Err
	switch {
	case o.Cancelled:
		err = &StepError{Code: CodeCancelled, Kind: kindPermanent, Message: "it was cancelled"}
	case err == nil:
		_, err = s.script.settle(r, s, o.Outputs)
	}
	if err == nil {
		inst.undone = StatusSucceeded
		return
	}
	err.Step = s.address(r)
	inst.undone, inst.undoErr = StatusFailed, err
	if s.late == nil {
		s.late = err
	}
}
