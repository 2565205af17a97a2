package workflows

import (
	"context"
	"fmt"

	"go.temporal.io/api/workflowservice/v1"
	tclient "go.temporal.io/sdk/client"
)

// LiveRuns are the runs of every open workflow in the namespace: ours by their first run id, anybody's that calls our steps by the
// current one.
func LiveRuns(ctx context.Context, c tclient.Client) ([]string, error) {
	live := []string{}
	var page []byte
	for {
		resp, err := c.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
			Query: `CloseTime IS NULL`, PageSize: 1000, NextPageToken: page,
		})
		if err != nil {
			return nil, fmt.Errorf("listing open workflows: %w", err)
		}
		for _, e := range resp.GetExecutions() {
			id, run, first := e.GetExecution().GetWorkflowId(), e.GetExecution().GetRunId(), e.GetFirstRunId()
			if first == "" {
				if first, err = firstRun(ctx, c, id, run); err != nil {
					return nil, err
				}
			}
			live = append(live, RunName(id, run))
			if first != "" && first != run {
				live = append(live, RunName(id, first))
			}
		}
		if page = resp.GetNextPageToken(); len(page) == 0 {
			return live, nil
		}
	}
}

// firstRun asks for what a list does not tell.
func firstRun(ctx context.Context, c tclient.Client, id, run string) (string, error) {
	desc, err := c.DescribeWorkflowExecution(ctx, id, run)
	if err != nil {
		return "", fmt.Errorf("asking for the first run of %s: %w", id, err)
	}
	return desc.GetWorkflowExecutionInfo().GetFirstRunId(), nil
}
