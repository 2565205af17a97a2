package service

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/containerpub/cpub/plugins/podman/internal/pod"
	"github.com/containerpub/cpub/sdk"
)

// poll is how often systemd is asked.
const poll = 100 * time.Millisecond

// settled is how long a service without a healthcheck must have been active to count as one that runs.
const settled = time.Second

var errStartLimit = errors.New("the start limit is over")

// wait waits until the service is active, and healthy if it has a healthcheck.
func (a *attempt) wait(ctx context.Context) error {
	a.req.Progress(sdk.Progress{Message: "waiting for " + a.unit()})
	ctx, cancel := context.WithTimeoutCause(ctx, a.in.StartLimit.Std(), errStartLimit)
	defer cancel()
	var since time.Time
	for {
		unit, err := a.host.Manager.Unit(ctx, a.unit())
		if err != nil && ctx.Err() == nil {
			return err
		}
		interval := poll
		switch {
		case unit.Active == "active" && a.health != nil:
			ok, err := pod.Healthy(ctx, a.Client, a.in.Name)
			if ok {
				return nil
			}
			if err != nil && ctx.Err() == nil {
				a.req.Logf("%s", err) // the container may just have ended: the next look tells
			}
			interval = a.health.Interval.Std()
		case unit.Active == "active" && since.IsZero():
			since = time.Now()
		case unit.Active == "active" && time.Since(since) >= settled:
			return nil
		case unit.Active == "failed", unit.Active == "inactive" && a.in.Restart == "no" && !since.IsZero():
			return sdk.Failed(sdk.CodeExit, nil, fmt.Errorf("the service %s failed (%s)", a.unit(), unit.Result))
		case unit.Active != "active":
			since = time.Time{}
		}
		select {
		case <-time.After(interval):
		case <-ctx.Done():
			if context.Cause(ctx) != errStartLimit { //nolint:errorlint // it is the very one
				return context.Cause(ctx)
			}
			return sdk.Failed(sdk.CodeTimeLimit, nil, fmt.Errorf("the service %s is not up after %s: %s", a.unit(), a.in.StartLimit, describe(unit)))
		}
	}
}

func describe(u Unit) string {
	if u.Active == "active" {
		return "its healthcheck fails"
	}
	return fmt.Sprintf("it is %s (%s, %s)", u.Active, u.Sub, u.Result)
}

// settle waits until the unit is in one of the states, or has gone.
func (a *attempt) settle(ctx context.Context, states ...string) error {
	for {
		unit, err := a.host.Manager.Unit(ctx, a.unit())
		if err == nil && slices.Contains(states, unit.Active) {
			return nil
		}
		if err == nil && unit.Active == "failed" {
			return fmt.Errorf("the unit %s failed (%s)", a.unit(), unit.Result)
		}
		select {
		case <-time.After(poll):
		case <-ctx.Done():
			return errors.Join(fmt.Errorf("waiting for %s: %w", a.unit(), context.Cause(ctx)), err)
		}
	}
}
