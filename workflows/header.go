package workflows

import (
	"context"
	"fmt"
	"time"

	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/workflow"

	"github.com/containerpub/cpub/sdk/schema"
)

// Header is what the pipeline workflow tells a step's activity beside its input. Activities that others call have none.
type Header struct {
	Key string `json:"key"`
	// Run is RunName's; Pipeline the pipeline's name.
	Run      string `json:"run"`
	Pipeline string `json:"pipeline"`
	// SchemaDigest is the digest of the step type's schema that the plan was checked against.
	SchemaDigest string `json:"schema_digest,omitempty"`
	// Secrets are the texts of the input in which secrets stand, by name.
	Secrets []schema.SecretText `json:"secrets,omitempty"`
	// MaxAttempts is how many attempts may fail before the step does; those that were lost do not count.
	MaxAttempts int `json:"max_attempts,omitempty"`
	// On are the codes of permanent failures that are retried all the same.
	On []string `json:"on,omitempty"`
	// Timeout is one attempt's; zero: none but Temporal's.
	Timeout time.Duration `json:"timeout,omitempty"`
}

// headerKey is where contexts, of workflows and of activities, hold a Header.
type headerKey struct{}

// Propagator carries the header `cpub` from the pipeline workflow to its activities. Every client of a worker needs it.
func Propagator() workflow.ContextPropagator { return propagator{} }

type propagator struct{}

// InjectFromWorkflow writes the header of an activity that the workflow schedules.
func (propagator) InjectFromWorkflow(ctx workflow.Context, w workflow.HeaderWriter) error {
	h, ok := ctx.Value(headerKey{}).(Header)
	if !ok {
		return nil
	}
	payload, err := converter.GetDefaultDataConverter().ToPayload(h)
	if err != nil {
		return fmt.Errorf("encoding the header %s: %w", headerName, err)
	}
	w.Set(headerName, payload)
	return nil
}

// Extract reads the header that came with an activity.
func (propagator) Extract(ctx context.Context, r workflow.HeaderReader) (context.Context, error) {
	payload, ok := r.Get(headerName)
	if !ok {
		return ctx, nil
	}
	var h Header
	if err := converter.GetDefaultDataConverter().FromPayload(payload, &h); err != nil {
		return nil, fmt.Errorf("decoding the header %s: %w", headerName, err)
	}
	return context.WithValue(ctx, headerKey{}, h), nil
}

// Inject has nothing to carry: a client starts runs without the header.
func (propagator) Inject(context.Context, workflow.HeaderWriter) error { return nil }

// ExtractToWorkflow has nothing to take: a workflow makes its own keys.
func (propagator) ExtractToWorkflow(ctx workflow.Context, _ workflow.HeaderReader) (workflow.Context, error) {
	return ctx, nil
}
