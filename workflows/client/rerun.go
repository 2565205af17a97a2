package client

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"slices"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"

	"github.com/containerpub/cpub/engine"
	"github.com/containerpub/cpub/workflows"
)

// ErrOpen says that a run has not ended.
var ErrOpen = errors.New("the run is still under way")

// Past is a run that ended, with what another one can keep of it.
type Past struct {
	ID, RunID string
	*workflows.Past
}

// Past reads a run that ended, whatever its end was, out of its history. It needs no worker. A run under way is ErrOpen.
func (c *Client) Past(ctx context.Context, id, runID string) (*Past, error) {
	desc, err := c.temporal.DescribeWorkflowExecution(ctx, id, runID)
	if err != nil {
		return nil, c.wrapRun(err, id, "looking at")
	}
	info := desc.GetWorkflowExecutionInfo()
	runID = info.GetExecution().GetRunId()
	switch info.GetStatus() {
	case enumspb.WORKFLOW_EXECUTION_STATUS_RUNNING, enumspb.WORKFLOW_EXECUTION_STATUS_PAUSED:
		return nil, fmt.Errorf("%w: wait for the end of %q, or cancel it", ErrOpen, id)
	case enumspb.WORKFLOW_EXECUTION_STATUS_CONTINUED_AS_NEW:
		return nil, fmt.Errorf("%w: %s is an earlier part of run %q; leave the run id out", ErrOpen, runID, id)
	default:
	}
	history, err := c.recorded(ctx, id, runID)
	if err != nil {
		return nil, err
	}
	past, err := workflows.Recall(id, runID, history)
	if err != nil {
		return nil, err
	}
	return &Past{ID: id, RunID: runID, Past: past}, nil
}

// recorded is all of one history.
func (c *Client) recorded(ctx context.Context, id, runID string) (*historypb.History, error) {
	history := &historypb.History{}
	iter := c.temporal.GetWorkflowHistory(ctx, id, runID, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for iter.HasNext() {
		event, err := iter.Next()
		if err != nil {
			return nil, c.wrapRun(err, id, "reading the history of")
		}
		history.Events = append(history.Events, event)
	}
	return history, nil
}

// Rerun starts a new run of opts.Plan that keeps what the past run gave, where a step's type and resolved input are the same again.
// The steps `from`, those that the past run undid, and all that depend on either run again. It gives the addresses that may be kept.
func (c *Client) Rerun(ctx context.Context, past *Past, opts StartOptions, from []string) (started *Started, kept []string, err error) {
	if c.store == nil {
		return nil, nil, errNoStore
	}
	program, err := engine.Compile(opts.Plan)
	if err != nil {
		return nil, nil, err
	}
	again := slices.Clone(from)
	for _, name := range past.Undone {
		if opts.Plan.Step(name) != nil {
			again = append(again, name)
		}
	}
	reusable, err := program.Reusable(opts.Variables, past.Kept, again)
	if err != nil {
		return nil, nil, err
	}
	digest, err := c.keepEarlier(ctx, past, workflows.Earlier{Kept: reusable}, program.Dependents(again))
	if err != nil {
		return nil, nil, err
	}
	for _, k := range reusable {
		kept = append(kept, k.Step)
	}
	started, err = c.start(ctx, opts, digest)
	return started, kept, err
}

// keepChild is keepEarlier for a run that a step called; empty where there is nothing to keep, or it cannot be told: then it runs whole.
func (c *Client) keepChild(ctx context.Context, id string) (digest string, err error) {
	child, err := c.Past(ctx, id, "")
	var away *UnreachableError
	switch {
	case errors.As(err, &away) || ctx.Err() != nil:
		return "", err
	case err != nil:
		return "", nil //nolint:nilerr // it never began, has not ended, or another version wrote its history
	}
	program, err := engine.Compile(child.Plan)
	if err != nil {
		return "", nil //nolint:nilerr // another version made its plan
	}
	return c.keepEarlier(ctx, child, workflows.Earlier{Kept: child.Kept, Child: true, Undone: child.Undone}, program.Dependents(child.Undone))
}

// keepEarlier puts what a run keeps of a past one into the store, with what the runs keep that it calls: for all steps but those.
func (c *Client) keepEarlier(ctx context.Context, past *Past, earlier workflows.Earlier, but []string) (digest string, err error) {
	earlier.Run, earlier.Children = workflows.RunName(past.ID, past.RunID), map[string]string{}
	for _, call := range past.Calls {
		if slices.Contains(but, engine.StepName(call.Step)) {
			continue
		}
		kept, err := c.keepChild(ctx, call.WorkflowID)
		if err != nil {
			return "", err
		}
		if kept != "" {
			earlier.Children[call.Step] = kept
		}
	}
	if earlier.Child && len(earlier.Kept)+len(earlier.Children) == 0 {
		return "", nil
	}
	data, err := earlier.Pack()
	if err != nil {
		return "", err
	}
	a, err := c.store.Put(ctx, bytes.NewReader(data), "earlier", workflows.MediaTypeEarlier)
	if err != nil {
		return "", storeError(err, "keeping what the earlier run gave")
	}
	return a.Digest, nil
}
