package engine

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/schema"
)

// Runner carries out steps, by whatever means. engine/host implements it with provider processes; tests with functions.
//
// Its methods may be called concurrently.
type Runner interface {
	// Run carries out one attempt of one step and returns its outputs, as JSON with the shape of the type's outputs. Errors are, or
	// wrap, *sdk.Error where they are anything but transient. A repeated call with the same key goes on with what the
	// lost attempt before it began. When ctx ends, its cause is sdk.ErrDetached to leave the work running, and anything
	// else to stop and remove it.
	Run(ctx context.Context, call Call, obs Observer) (json.RawMessage, error)
	// Release ends the life of what successful steps of these keys kept. Calls may repeat.
	Release(ctx context.Context, keys []string) error
}

// ErrLost is wrapped by the error of a Run that gave no answer: the provider died or hung, or inputs and outputs could not be had or kept.
// What it did may be going on, or be done, and the next attempt adopts it.
var ErrLost = errors.New("the attempt was lost")

// Call is one attempt of one step.
type Call struct {
	// Instance is the provider instance that serves it, such as "podman.local".
	Instance string `json:"instance"`
	StepType string `json:"step_type"`
	// Step is the step's address, such as `image`.
	Step string `json:"step"`
	// Run is workflow id and first run id, joined by "/".
	Run      string `json:"run"`
	Pipeline string `json:"pipeline"`
	Key      string `json:"key"`
	Attempt  int    `json:"attempt"`
	// Returned tells that the attempt before this one returned a failure.
	Returned bool `json:"returned,omitempty"`
	// Queued is how long the attempt waited for a worker.
	Queued time.Duration   `json:"queued,omitempty"`
	Input  json.RawMessage `json:"input"`
	// Secrets are the texts of Input in which secrets stand, by name.
	Secrets    []schema.SecretText `json:"secrets,omitempty"`
	Checkpoint json.RawMessage     `json:"checkpoint,omitempty"`
	// SchemaDigest is the digest of the schema that the plan was checked against; empty for calls that no plan made.
	SchemaDigest string    `json:"schema_digest,omitempty"`
	Rules        sdk.Rules `json:"rules"`
	// LogKey is where in the store the live log of this step goes.
	LogKey string `json:"log_key,omitempty"`
}

// Observer learns what an attempt reports while it runs. Its methods may be called concurrently, and not after Run returned.
type Observer interface {
	// Log takes output as it comes; stream is "stdout", "stderr" or "step".
	Log(stream string, p []byte)
	Progress(p sdk.Progress)
	Checkpoint(data json.RawMessage)
}
