package workflows

import (
	"encoding/json"
	"time"

	"github.com/containerpub/cpub/engine"
)

// Report is a run as it stands: the answer to StatusQuery.
type Report struct {
	Pipeline string        `json:"pipeline"`
	Plan     string        `json:"plan,omitempty"` // digest; empty until it is loaded
	Status   engine.Status `json:"status"`
	// Waiting says why nothing runs yet: the run's turn has not come.
	Waiting string       `json:"waiting,omitempty"`
	Steps   []StepReport `json:"steps"`
	// Outputs are the run's, once it succeeded.
	Outputs json.RawMessage   `json:"outputs,omitempty"`
	Error   *engine.StepError `json:"error,omitempty"`
}

// StepReport is one step of a run as it stands.
type StepReport struct {
	engine.StepState
	Key      string `json:"key,omitempty"`
	Instance string `json:"instance,omitempty"`
	Queue    string `json:"queue,omitempty"`
	// ScheduledAt is when the workflow gave the step to its queue, EndedAt when it learned of the end.
	ScheduledAt *time.Time `json:"scheduled_at,omitempty"`
	EndedAt     *time.Time `json:"ended_at,omitempty"`
	// Approval is what is to be decided, of a step that waits for a person.
	Approval string `json:"approval,omitempty"`
}

// What an answer to a query takes is bounded by Temporal, at 2 MiB. Beyond longReport a report says of a step no more than how it ended, and
// beyond maxReport nothing of those of which the history tells that, or there is nothing to tell.
const (
	longReport = 1 << 20
	maxReport  = 3 << 19
	endReport  = 15 << 17
)

// report answers StatusQuery.
func (r *run) report() (*Report, error) {
	rep := &Report{Pipeline: r.info.WorkflowType.Name, Plan: r.loaded.Digest, Status: engine.StatusRunning, Waiting: r.waiting, Steps: []StepReport{}}
	if r.sched == nil {
		return rep, nil
	}
	if r.final != nil {
		rep.Status, rep.Outputs, rep.Error = r.final.Status, r.final.Outputs, r.final.Error
	}
	size := len(rep.Outputs)
	for _, state := range r.sched.States() {
		t := r.tracks[state.Step]
		size += sizeOf(state)
		if size > longReport { // an answer has its limits; the history has it all
			size -= len(state.Outputs)
			state.Outputs = nil
		}
		told := t != nil && t.Queue != "" && t.Ended != nil || state.Status == engine.StatusPending
		if size > maxReport && told || size > endReport {
			size -= sizeOf(state)
			continue
		}
		step := StepReport{StepState: state}
		if t != nil {
			step.ScheduledAt, step.EndedAt = &t.Scheduled, t.Ended
			if size <= longReport {
				step.Key, step.Instance, step.Queue = t.Key, t.Instance, t.Queue
				size += len(t.Key) + len(t.Instance) + len(t.Queue)
			}
		}
		if a := r.approvals[state.Step]; a != nil {
			step.Approval = a.message
		}
		rep.Steps = append(rep.Steps, step)
	}
	return rep, nil
}

// sizeOf is about how many bytes a step takes in a report.
func sizeOf(s engine.StepState) int {
	n := 200 + len(s.Step) + len(s.Outputs)
	if s.Error != nil {
		n += len(s.Error.Message) + len(s.Error.Outputs)
	}
	return n
}
