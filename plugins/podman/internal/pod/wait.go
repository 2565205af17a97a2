package pod

import (
	"context"
	"fmt"
	"time"

	"github.com/containers/podman/v5/libpod/define"
	"github.com/containers/podman/v5/pkg/bindings/containers"

	"github.com/containerpub/cpub/plugins/podman/internal/client"
	"github.com/containerpub/cpub/sdk"
)

const (
	// poll is how often Podman is asked whether a container runs.
	poll = 100 * time.Millisecond
	// settled is how long a container without a healthcheck must have run to count as one that runs.
	settled = time.Second
)

// wait waits until all containers run, and are healthy where they have a healthcheck.
func (a *attempt) wait(ctx context.Context) error {
	a.req.Progress(sdk.Progress{Message: "waiting for the pod " + a.name})
	ctx, cancel := context.WithTimeoutCause(ctx, a.in.StartLimit.Std(), errStartLimit)
	defer cancel()
	for _, m := range a.members {
		if err := a.up(ctx, m); err != nil {
			a.lastWords(ctx, m)
			return Within("container."+m.short, err)
		}
	}
	return nil
}

var errStartLimit = fmt.Errorf("the start limit is over")

// up waits for one container.
func (a *attempt) up(ctx context.Context, m *member) error {
	interval := poll
	if m.health != nil {
		interval = m.health.Interval.Std()
	}
	for {
		state, err := a.state(ctx, m)
		switch {
		case err != nil:
			return err
		case state.Running && m.health == nil && time.Since(state.StartedAt) >= settled:
			return nil
		case state.Running && m.health != nil:
			ok, err := Healthy(ctx, a.Client, m.Name())
			if ok {
				return nil
			}
			if err != nil && ctx.Err() == nil && !client.Conflict(err) {
				a.req.Logf("%s", err) // the container may just have ended: the next look tells
			}
		case !state.Running && a.in.restarts() == "no" && state.Status == define.ContainerStateExited.String():
			return sdk.Failed(sdk.CodeExit, nil, fmt.Errorf("the container %s exited with %d", m.short, state.ExitCode))
		}
		select {
		case <-time.After(interval):
		case <-ctx.Done():
			if context.Cause(ctx) != errStartLimit { //nolint:errorlint // it is the very one
				return context.Cause(ctx)
			}
			return sdk.Failed(sdk.CodeTimeLimit, nil, fmt.Errorf("the container %s is not up after %s: %s", m.short, a.in.StartLimit, describe(state, m)))
		}
	}
}

func describe(state *define.InspectContainerState, m *member) string {
	switch {
	case !state.Running:
		return fmt.Sprintf("it is %s (exit code %d)", state.Status, state.ExitCode)
	case m.health != nil:
		return "its healthcheck fails"
	default:
		return "it has just been started again"
	}
}

func (a *attempt) state(ctx context.Context, m *member) (*define.InspectContainerState, error) {
	var state *define.InspectContainerState
	err := client.Retry(ctx, a.in.StartLimit.Std(), func() error {
		call, cancel := a.Client.Context(ctx)
		defer cancel()
		d, err := containers.Inspect(call, m.Name(), nil)
		if err == nil {
			state = d.State
		}
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("inspecting the container %s: %w", m.Name(), err)
	}
	return state, nil
}

// restarts is the restart policy without its number.
func (in Input) restarts() string {
	policy, _, _ := ParseRestart(in.Restart) // decode has refused what it cannot read
	return policy
}

// lastWords puts the end of a container's log into the step's.
func (a *attempt) lastWords(ctx context.Context, m *member) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*time.Second)
	defer cancel()
	Tail(ctx, a.Client, m.Name(), a.req)
}
