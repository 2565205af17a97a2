package client

import (
	"time"

	"github.com/containerpub/cpub/engine"
	"github.com/containerpub/cpub/engine/eval"
	"github.com/containerpub/cpub/workflows"
)

// untold tells whether the run has steps whose end or beginning the history does not tell.
func (f *fold) untold() bool {
	if f.plan == nil {
		return false
	}
	if f.rerun {
		return true
	}
	for i := range f.plan.Steps {
		s := &f.plan.Steps[i]
		if s.ForEach || s.Type == eval.TypeValue || s.Type == eval.TypeApproval || s.Type == eval.TypeWait {
			return true
		}
		if s.Compensate != nil && (s.Compensate.Type == eval.TypeValue || s.Compensate.Type == eval.TypeApproval) {
			return true
		}
	}
	return false
}

// report takes how the workflow says that it stands, for what its history does not tell.
func (f *fold) report(r *workflows.Report) {
	if r == nil || f.plan == nil || len(r.Steps) == 0 {
		return
	}
	names := map[string][]string{}
	for i := range r.Steps {
		told := &r.Steps[i]
		base := baseOf(told.Step)
		names[base] = append(names[base], told.Step)
		s := f.step(told.Step)
		if s == nil {
			s = &Step{Name: told.Step, Type: told.Type, Status: engine.StatusPending}
			f.add(s)
		}
		f.reported(s, told)
	}
	for base, order := range names {
		if len(order) > 1 {
			f.sort(base, order)
		}
	}
}

// reported takes one step.
func (f *fold) reported(s *Step, told *workflows.StepReport) {
	ended := told.Status != engine.StatusPending && told.Status != engine.StatusRunning
	if s.events && s.EndedAt != nil {
		if s.Outputs == nil && told.Status == s.Status && s.Status == engine.StatusSucceeded { // what a timer leaves, or a decision
			s.Outputs = told.Outputs
		}
		return
	}
	if s.events && !(ended && told.EndedAt != nil && s.Type == eval.TypeApproval) {
		return
	}
	before := s.Status
	s.Status, s.Kept, s.Approval, s.Waiting, s.ScheduledAt, s.EndedAt = told.Status, told.Kept, told.Approval, "", told.ScheduledAt, told.EndedAt
	s.StartedAt = s.ScheduledAt
	if s.Approval != "" {
		s.Waiting = "approval"
	}
	s.Outputs, s.Error = told.Outputs, told.Error
	if s.Status == before {
		return
	}
	at := time.Now()
	if s.EndedAt != nil {
		at = *s.EndedAt
	}
	switch {
	case ended:
		f.tellEnd(s, at)
	case s.Status == engine.StatusRunning && s.ScheduledAt != nil && s.Type != eval.TypePipeline && (s.Approval != "" || s.Type == eval.TypeWait):
		f.emit(Event{Kind: StepStarted, Time: *s.ScheduledAt, Step: s.Name, Type: s.Type, Approval: s.Approval})
	}
}
