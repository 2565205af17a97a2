package client

import (
	"context"
	"errors"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	"go.temporal.io/api/serviceerror"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/containerpub/cpub/workflows"
)

// first finds where a run began that continued as new, as far back as there are histories: its first run id. Another one that was not
// continued is its own first.
func (c *Client) first(ctx context.Context, id, runID string) (string, error) {
	info, err := c.describe(ctx, id, runID)
	if err != nil {
		return "", err
	}
	runID = info.GetExecution().GetRunId()
	for {
		event, err := c.temporal.GetWorkflowHistory(ctx, id, runID, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT).Next()
		if err != nil {
			return "", c.wrapRun(err, id, "reading the history of")
		}
		a := event.GetWorkflowExecutionStartedEventAttributes()
		before := a.GetContinuedExecutionRunId()
		if before == "" || a.GetInitiator() != enumspb.CONTINUE_AS_NEW_INITIATOR_WORKFLOW {
			return runID, nil
		}
		if _, err := c.describe(ctx, id, before); err != nil {
			var gone *NotFoundError
			if errors.As(err, &gone) { // its retention is over
				return runID, nil
			}
			return "", err
		}
		runID = before
	}
}

func (c *Client) describe(ctx context.Context, id, runID string) (*workflowpb.WorkflowExecutionInfo, error) {
	desc, err := c.temporal.DescribeWorkflowExecution(ctx, id, runID)
	if err != nil {
		return nil, c.wrapRun(err, id, "looking at")
	}
	return desc.GetWorkflowExecutionInfo(), nil
}

// reportTime is how long a worker has to tell how a run stands.
const reportTime = 3 * time.Second

// report asks a worker how a run stands; nil if none answers.
func (c *Client) report(ctx context.Context, id, runID string) *workflows.Report {
	ctx, cancel := context.WithTimeout(ctx, reportTime)
	defer cancel()
	value, err := c.temporal.QueryWorkflow(ctx, id, runID, workflows.StatusQuery)
	if err != nil {
		return nil
	}
	var r workflows.Report
	if value.Get(&r) != nil {
		return nil
	}
	return &r
}

// Cancel asks a run to end in good order: its steps are stopped and what they made is removed. A run id means all that it continued as.
func (c *Client) Cancel(ctx context.Context, id, runID string) error {
	first, err := c.chain(ctx, id, runID)
	if err != nil {
		return err
	}
	_, err = c.temporal.WorkflowService().RequestCancelWorkflowExecution(ctx, &workflowservice.RequestCancelWorkflowExecutionRequest{
		Namespace: c.namespace, WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: id}, FirstExecutionRunId: first,
		RequestId: newID(), Identity: "cpub",
	})
	var already *serviceerror.CancellationAlreadyRequested
	if errors.As(err, &already) {
		return nil
	}
	return c.wrapRun(err, id, "cancelling")
}

// Terminate ends a run at once, without any code of ours running: what its steps left is removed later, by the workers' sweepers. A run id
// means all that it continued as.
func (c *Client) Terminate(ctx context.Context, id, runID, reason string) error {
	first, err := c.chain(ctx, id, runID)
	if err != nil {
		return err
	}
	_, err = c.temporal.WorkflowService().TerminateWorkflowExecution(ctx, &workflowservice.TerminateWorkflowExecutionRequest{
		Namespace: c.namespace, WorkflowExecution: &commonpb.WorkflowExecution{WorkflowId: id}, FirstExecutionRunId: first,
		Reason: reason, Identity: "cpub",
	})
	return c.wrapRun(err, id, "terminating")
}

// chain is the first run id of what continued as that run; empty for the latest of the workflow id.
func (c *Client) chain(ctx context.Context, id, runID string) (string, error) {
	if runID == "" {
		return "", nil
	}
	info, err := c.describe(ctx, id, runID)
	if err != nil {
		return "", err
	}
	return info.GetFirstRunId(), nil
}
