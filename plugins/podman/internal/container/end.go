package container

import (
	"context"
	"fmt"
	"time"

	"github.com/containers/podman/v5/pkg/bindings/containers"

	"github.com/containerpub/cpub/plugins/podman/internal/client"
	"github.com/containerpub/cpub/sdk"
)

// end stops the container: SIGTERM, and SIGKILL when the grace is over. It returns the state of the stopped container.
func (a *run) end(ctx context.Context, gone <-chan struct{}) (*inspected, error) {
	a.req.Progress(sdk.Progress{Message: "stopping the container"})
	return a.halt(ctx, gone)
}

// halt is end, without a word.
func (a *run) halt(ctx context.Context, gone <-chan struct{}) (*inspected, error) {
	if err := a.signal(ctx, "TERM"); err != nil {
		return nil, err
	}
	grace := time.NewTimer(a.in.Grace.Std())
	defer grace.Stop()
	poll := time.NewTicker(poll)
	defer poll.Stop()
wait:
	for {
		select {
		case <-gone:
			break wait
		case <-grace.C:
			if err := a.signal(ctx, "KILL"); err != nil {
				return nil, err
			}
			break wait
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-poll.C:
			if state, err := a.ended(ctx, 0); err != nil || state != nil {
				return state, err
			}
		}
	}
	if a.watch != nil {
		a.watch.sample(ctx)
	}
	state, err := a.ended(ctx, settle)
	if err == nil && state == nil {
		err = fmt.Errorf("the container did not end %s after it was killed", settle)
	}
	return state, err
}

// signal sends a signal to the container's first process. A container that has ended is no error.
func (a *run) signal(ctx context.Context, name string) error {
	err := client.Retry(ctx, outage, func() error {
		call, cancel := a.Client.Context(ctx)
		defer cancel()
		return containers.Kill(call, a.name(), new(containers.KillOptions).WithSignal(name))
	})
	if err == nil || client.NotFound(err) || client.Conflict(err) {
		return nil
	}
	if state, ierr := a.inspect(ctx); ierr == nil && !state.running() {
		return nil
	}
	return fmt.Errorf("sending SIG%s to the container: %w", name, err)
}
