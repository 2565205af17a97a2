package engine

import (
	"encoding/json"
	"strings"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/containerpub/cpub/engine/eval"
	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/schema"
)

// MaxOutputs is the most bytes of JSON that the outputs of a step, or of a pipeline, may have. More is an artifact.
const MaxOutputs = 64 << 10

// The codes of failures that the engine itself finds.
const (
	CodeInvalid    = "invalid"     // an expression failed, or gave what the step type does not take
	CodeTooLarge   = "too_large"   // outputs over MaxOutputs
	CodeBadOutputs = "bad_outputs" // outputs that the step type does not promise
	CodeLocations  = "locations"   // inputs that exist in two different places
	// A precondition or a postcondition does not hold; `until` did not within its attempts.
	CodePrecondition  = "precondition"
	CodePostcondition = eval.CodePostcondition
	CodeUntil         = "until"
	// CodeCancelled is the code of what was cancelled after the run was over.
	CodeCancelled = "cancelled"
)

const (
	kindPermanent = sdk.KindPermanent
	kindInvalid   = sdk.KindInvalid
)

// Start is what one run is started with.
type Start struct {
	// Variables are a JSON object; null and nothing mean the defaults.
	Variables json.RawMessage `json:"variables,omitempty"`
	// WorkflowID and RunID (of the first run) name the run.
	WorkflowID string `json:"workflow_id"`
	RunID      string `json:"run_id"`
	// StartedAt is RFC 3339 in UTC.
	StartedAt string `json:"started_at"`
	// Kept are steps of an earlier run; those that come to the same input again are not started.
	Kept []Kept `json:"kept,omitempty"`
}

// Task is one run of one step to start.
type Task struct {
	// Step is the step's address: `image`, `invoke["a"]` of an instance, `image.compensate` of what undoes it.
	Step string
	// ID is the address, with "#2" and so on behind it when the step runs again by itself.
	ID   string
	Type string
	// Delay is how long to wait before it starts.
	Delay time.Duration
	// Late tells what happens after the run failed, was cancelled or is over: a cancel of the run does not reach it.
	Late bool
	// Callee is the plan that a step of the type `pipeline` runs.
	Callee string
	// Outputs are those of a step that is done as soon as it is evaluated. Ready gives no such task.
	Outputs json.RawMessage
	// Provider is the instance that the step asks for, "podman.builder", or empty.
	Provider string
	// Input is the resolved configuration: a JSON object without what is null.
	Input json.RawMessage
	// Secrets are the texts of Input in which secrets stand.
	Secrets      []schema.SecretText
	SchemaDigest string
	// Location is where the step must run, because something that it uses exists there only; empty: anywhere.
	Location string
	// Timeout is one attempt's; zero: none of its own.
	Timeout time.Duration
	// QueueTimeout is how long the step may wait for a worker; zero: as long as it takes.
	QueueTimeout time.Duration
	Retry        RetryPolicy
	// Each is what `each` means to an instance of a step with for_each; cty.NilVal to any other.
	Each cty.Value
	// Summary is for people: the step's name.
	Summary string
}

// RetryPolicy is how failures of a step are retried.
type RetryPolicy struct {
	// MaxAttempts counts the first attempt too, and none that was lost with its worker.
	MaxAttempts        int
	InitialInterval    time.Duration
	BackoffCoefficient float64
	MaxInterval        time.Duration
	// On names the codes of permanent failures that are retried all the same.
	On []string
}

// DefaultRetry is the policy of steps that say nothing else.
func DefaultRetry() RetryPolicy {
	return RetryPolicy{MaxAttempts: 5, InitialInterval: time.Second, BackoffCoefficient: 2, MaxInterval: time.Minute}
}

// Outcome is what came of a step: outputs, an error, or its cancellation.
type Outcome struct {
	Outputs   json.RawMessage
	Err       *StepError
	Cancelled bool
}

// StepError is why a step, or the pipeline itself (then Step is empty), failed.
type StepError struct {
	Step string `json:"step,omitempty"`
	// Code is a stable word for programs: a provider's, such as "oom", or one of the engine's.
	Code    string   `json:"code,omitempty"`
	Kind    sdk.Kind `json:"kind,omitempty"`
	Message string   `json:"message"`
	// Outputs are what is known of the step all the same (exit code, receipt).
	Outputs json.RawMessage `json:"outputs,omitempty"`
}

// Error is "step STEP: CODE: message".
func (e *StepError) Error() string {
	var parts []string
	if e.Step != "" {
		parts = append(parts, "step "+e.Step)
	}
	if e.Code != "" {
		parts = append(parts, e.Code)
	}
	return strings.Join(append(parts, e.Message), ": ")
}

// StepState is one step of a run, or one instance of a step with for_each, as it stands. What undid a step comes right behind it.
type StepState struct {
	Step   string `json:"step"`
	Type   string `json:"type"`
	Status Status `json:"status"`
	// Outputs are those of a step that succeeded.
	Outputs json.RawMessage `json:"outputs,omitempty"`
	Error   *StepError      `json:"error,omitempty"`
	// Kept tells that the outputs are an earlier run's, and the step was not started.
	Kept bool `json:"kept,omitempty"`
}

// Result is how a run ended.
type Result struct {
	Status Status `json:"status"`
	// Outputs are a JSON object; of a run that succeeded.
	Outputs json.RawMessage `json:"outputs,omitempty"`
	Error   *StepError      `json:"error,omitempty"`
	Steps   []StepState     `json:"steps"`
}
