package worker

import (
	"context"
	"fmt"
	"time"

	"go.temporal.io/api/workflowservice/v1"
	tclient "go.temporal.io/sdk/client"

	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/schema"
	"github.com/containerpub/cpub/workflows"
)

// sweepTime is how long one sweep may take.
const sweepTime = 5 * time.Minute

// sweep removes, now and then until ctx ends, what runs left behind that are closed, or gone.
func sweep(ctx context.Context, c tclient.Client, s *Parts) {
	tick := time.NewTicker(s.SweepEvery)
	defer tick.Stop()
	for {
		removed, err := sweepOnce(ctx, c, s)
		switch {
		case ctx.Err() != nil:
			return
		case err != nil:
			s.Log.Warn("sweeping failed; trying again", "error", err, "in", s.SweepEvery.String())
		case removed > 0:
			s.Log.Info("swept up what closed runs left", "removed", removed)
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return
		}
	}
}

func sweepOnce(ctx context.Context, c tclient.Client, s *Parts) (int, error) {
	ctx, cancel := context.WithTimeout(ctx, sweepTime)
	defer cancel()
	live, err := liveRuns(ctx, c)
	if err != nil {
		return 0, err
	}
	return s.Host.Sweep(ctx, sdk.Sweep{LiveRuns: live, Grace: schema.Duration(s.SweepGrace)})
}

// liveRuns are the runs of every open workflow in the namespace: ours by their first run id, anybody's that calls our steps by the
// current one.
func liveRuns(ctx context.Context, c tclient.Client) ([]string, error) {
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
			live = append(live, workflows.RunName(id, run))
			if first != "" && first != run {
				live = append(live, workflows.RunName(id, first))
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
