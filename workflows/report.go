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
