package client

import (
	"context"

	"github.com/containerpub/cpub/workflows"
)

// LiveRuns are the names (workflows.RunName) of the runs of every open workflow in the namespace: what belongs to another one is needed no more.
func (c *Client) LiveRuns(ctx context.Context) ([]string, error) {
	live, err := workflows.LiveRuns(ctx, c.temporal)
	return live, c.wrap(err, "asking for open runs")
}
