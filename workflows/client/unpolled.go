package client

import (
	"context"
	"slices"
	"time"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/containerpub/cpub/engine"
	"github.com/containerpub/cpub/workflows"
)

// pollTime is how long a worker's poll lasts, and a little more: a poller that was not seen for longer polls no more.
const pollTime = 70 * time.Second

// Unpolled names the task queues that a run waits for and that no worker polls. A worker that is full does not poll either, but was
// seen lately; so the answer errs towards silence.
func (c *Client) Unpolled(ctx context.Context, id, runID string) ([]string, error) {
	run, err := c.Run(ctx, id, runID)
	if err != nil || run.EndedAt != nil {
		return nil, err
	}
	queues := map[string]enumspb.TaskQueueType{}
	var names []string
	for _, s := range run.Steps {
		if s.Status == engine.StatusRunning && s.Waiting == "queued" && !slices.Contains(names, s.Queue) {
			names, queues[s.Queue] = append(names, s.Queue), enumspb.TASK_QUEUE_TYPE_ACTIVITY
		}
	}
	if len(names) == 0 {
		names, queues[workflows.TaskQueue] = []string{workflows.TaskQueue}, enumspb.TASK_QUEUE_TYPE_WORKFLOW
	}
	var unpolled []string
	for _, name := range names {
		seen, err := c.polled(ctx, name, queues[name])
		if err != nil {
			return nil, err
		}
		if !seen {
			unpolled = append(unpolled, name)
		}
	}
	return unpolled, nil
}

// polled tells whether a worker polls a queue, or did so lately.
func (c *Client) polled(ctx context.Context, name string, kind enumspb.TaskQueueType) (bool, error) {
	resp, err := c.temporal.DescribeTaskQueue(ctx, name, kind)
	if err != nil {
		return false, c.wrap(err, "looking at task queue %q", name)
	}
	for _, p := range resp.GetPollers() {
		if time.Since(p.GetLastAccessTime().AsTime()) < pollTime {
			return true, nil
		}
	}
	return false, nil
}
