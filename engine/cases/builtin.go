package cases

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/hashicorp/hcl/v2"

	"github.com/containerpub/cpub/engine"
	"github.com/containerpub/cpub/engine/eval"
	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/schema"
)

// What a case sees in run.* and where a moment is needed: the same in each.
const (
	runID     = "00000000-0000-4000-8000-000000000000"
	startedAt = "2030-01-01T00:00:00Z"
)

// builtin carries out a step of the engine's own: a wait ends at once, an approval is given, a pipeline runs.
func (r *run) builtin(ctx context.Context, address string, task engine.Task) (engine.Outcome, hcl.Diagnostics) {
	switch task.Type {
	case eval.TypeWait:
		return outputs(map[string]any{"ended_at": waitedUntil(task.Input)}), nil
	case eval.TypeApproval:
		return outputs(map[string]any{"approver": "test", "decided_at": startedAt}), nil
	default:
		return r.call(ctx, address, task)
	}
}

func outputs(v map[string]any) engine.Outcome {
	data, err := json.Marshal(v)
	if err != nil {
		return engine.Outcome{Err: &engine.StepError{Code: engine.CodeInvalid, Kind: sdk.KindInvalid, Message: err.Error()}}
	}
	return engine.Outcome{Outputs: data}
}

// waitedUntil is when a wait with this input is over, had it begun with the run.
func waitedUntil(input json.RawMessage) string {
	var in struct{ Duration, At string }
	begin, _ := time.Parse(time.RFC3339, startedAt) // our own constant
	if json.Unmarshal(input, &in) != nil {
		return startedAt
	}
	if d, err := schema.ParseDuration(in.Duration); err == nil {
		return begin.Add(d.Std()).Format(time.RFC3339Nano)
	}
	if at, err := time.Parse(time.RFC3339, in.At); err == nil && at.After(begin) {
		return at.UTC().Format(time.RFC3339Nano)
	}
	return startedAt
}

// call runs the pipeline that a step calls.
func (r *run) call(ctx context.Context, address string, task engine.Task) (engine.Outcome, hcl.Diagnostics) {
	var in struct {
		Pipeline  string          `json:"pipeline"`
		Variables json.RawMessage `json:"variables"`
	}
	failed := func(code, message string) engine.Outcome {
		return engine.Outcome{Err: &engine.StepError{
			Code: code, Kind: sdk.KindPermanent, Message: fmt.Sprintf("pipeline %q (%s): %s", in.Pipeline, address, message),
		}}
	}
	if err := json.Unmarshal(task.Input, &in); err != nil {
		return failed(engine.CodeInvalid, err.Error()), nil
	}
	plan := r.suite.plans[task.Callee]
	if plan == nil {
		return failed(engine.CodeInvalid, "its plan is missing"), nil
	}
	result, diags, err := r.drive(ctx, plan, in.Variables, address+"/", nil)
	var mistakes *engine.DiagnosticsError
	switch {
	case errors.As(err, &mistakes):
		return failed(engine.CodeInvalid, mistakes.Error()), nil
	case err != nil:
		return engine.Outcome{}, hcl.Diagnostics{problem(r.c.DeclRange, "Cannot run", "%s.", err)}
	case diags.HasErrors():
		return engine.Outcome{}, diags
	case result.Status == engine.StatusCancelled:
		return engine.Outcome{Cancelled: true}, nil
	case result.Status != engine.StatusSucceeded:
		return failed(result.Error.Code, result.Error.Error()), nil
	}
	return outputs(map[string]any{"outputs": result.Outputs, "workflow_id": "test/" + address}), nil
}
