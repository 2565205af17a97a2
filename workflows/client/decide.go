package client

import (
	"context"
	"errors"
	"fmt"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	tclient "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"

	"github.com/containerpub/cpub/engine"
	"github.com/containerpub/cpub/workflows"
)

// UndecidedError says that a decision answers nothing: no step waits, another one does, or several do.
type UndecidedError struct {
	ID     string
	Reason string
}

func (e *UndecidedError) Error() string { return fmt.Sprintf("run %q: %s", e.ID, e.Reason) }

// decideTime is how long a worker has to take a decision.
const decideTime = 15 * time.Second

// Decision answers a step that waits for a person.
type Decision = workflows.Decision

// Approve answers a step of a run that waits for approval, and gives the step's address. What answers nothing is an *UndecidedError.
func (c *Client) Approve(ctx context.Context, id, runID string, d workflows.Decision) (step string, err error) {
	return c.decide(ctx, id, runID, workflows.Approve, d)
}

// Reject is Approve, with the opposite answer.
func (c *Client) Reject(ctx context.Context, id, runID string, d workflows.Decision) (step string, err error) {
	return c.decide(ctx, id, runID, workflows.Reject, d)
}

func (c *Client) decide(ctx context.Context, id, runID, answer string, d workflows.Decision) (step string, err error) {
	info, err := c.describe(ctx, id, runID)
	if err != nil {
		return "", err
	}
	switch info.GetStatus() {
	case enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, enumspb.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW:
	default:
		return "", &UndecidedError{ID: id, Reason: "it has ended already: " + string(statusOf(info.GetStatus()))}
	}
	within, cancel := context.WithTimeout(ctx, decideTime)
	defer cancel()
	handle, err := c.temporal.UpdateWorkflow(within, tclient.UpdateWorkflowOptions{
		WorkflowID: id, FirstExecutionRunID: info.GetFirstRunId(), UpdateName: answer, Args: []any{d},
		WaitForStage: tclient.WorkflowUpdateStageCompleted,
	})
	if err == nil {
		err = handle.Get(within, &step)
	}
	var app *temporal.ApplicationError
	switch {
	case err == nil:
		return step, nil
	case errors.As(err, &app):
		return "", &UndecidedError{ID: id, Reason: app.Message()}
	case ctx.Err() == nil && within.Err() != nil:
		return "", &UnreachableError{Service: "a worker of task queue " + workflows.TaskQueue, Err: fmt.Errorf("none took the decision within %s", decideTime)}
	}
	return "", c.wrapRun(err, id, "answering")
}

// Undecided are the steps of a run that wait for approval.
func (r *Run) Undecided() (steps []*Step) {
	for _, s := range r.Steps {
		if s.Approval != "" && s.Status == engine.StatusRunning {
			steps = append(steps, s)
		}
	}
	return steps
}
