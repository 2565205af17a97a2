package container

import (
	"context"
	"errors"
	"time"

	"github.com/containerpub/cpub/plugins/podman/internal/cgroup"
	"github.com/containerpub/cpub/plugins/podman/internal/client"
	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/contract"
)

// poll is how often Podman is asked for the state of a container whose process cannot be watched.
const poll = 100 * time.Millisecond

// settle is how long Podman may take to record the end of a process that is gone.
const settle = 10 * time.Second

// readAdopted finds the cgroup and the limits of a container that an earlier attempt started.
func (a *run) readAdopted(ctx context.Context, state *inspected) error {
	info, err := a.Client.Info(ctx)
	if err != nil {
		return err
	}
	if state.running() {
		limits, group, err := a.readBack(ctx, a.in.expectsAdopted(a.saved.Limits), state, info)
		if err == nil {
			a.watch = newWatch(ctx, limits, group)
			a.watch.start = a.saved.start()
			return nil
		}
		// It may have ended while it was read; it never got here with less than was asked for.
		if state, ierr := a.inspect(ctx); ierr != nil || !state.ended() {
			return err
		}
	}
	host, err := a.Client.Host()
	if err != nil {
		a.watch = &watch{limits: a.saved.Limits}
		return nil //nolint:nilerr // it was allowed to run all the same
	}
	above, err := cgroup.At(ctx, host, parent(a.req.Key, info.Host.CgroupManager))
	if err != nil {
		return err
	}
	a.watch = &watch{
		limits: a.saved.Limits, group: above.Child("libpod-" + state.id), start: a.saved.start(),
		scoped: info.Host.CgroupManager == "systemd", distant: a.distant(),
	}
	return nil
}

// follow goes with the container to its end: log, counters, time limit, cancel.
func (a *run) follow(ctx context.Context, state *inspected) (any, error) {
	output, err := newOutput(a.req, int64(a.in.OutputLimit))
	if err != nil {
		return nil, err
	}
	a.req.Progress(sdk.Progress{Message: "running"})
	logs := a.followLogs(ctx, output)
	stopHealth := a.watchHealth(ctx, state.startedAt)
	endedBy, state, err := a.await(ctx, state)
	stopHealth()
	if err == nil && endedBy == "" {
		if a.why = a.endedBefore(ctx, state.finishedAt); a.why != nil {
			endedBy = contract.EndedBySidecar
		}
	}
	serr := a.endSidecars(ctx)
	// The follower is slow to notice the end, and 4.3.1's loses lines then: the rest is read in one go.
	lerr := logs.finish(ctx, err == nil)
	cerr := output.close()
	if err != nil && state != nil && endedBy == contract.EndedByCancelled {
		return nil, a.cancelled(ctx, state, err)
	}
	if err != nil {
		return nil, err
	}
	if err := errors.Join(lerr, cerr, serr); err != nil {
		return nil, err
	}
	return a.result(ctx, state, endedBy, output)
}

// await waits for the container's end, and brings it about at the time limit. It tells what ended the container, empty
// meaning that it ended by itself.
func (a *run) await(ctx context.Context, state *inspected) (string, *inspected, error) {
	gone, stop := a.exitOf(state.pid)
	defer stop()
	limit := time.NewTimer(time.Until(state.startedAt.Add(a.in.TimeLimit.Std())))
	defer limit.Stop()
	sample := time.NewTicker(a.sampling())
	defer sample.Stop()
	// On another machine the group tells of the end, if there is one that can be seen.
	grouped := gone == nil && a.watch.sample(ctx)
	asked := time.NewTicker(a.polling(gone != nil || grouped))
	defer asked.Stop()
	for {
		select {
		case <-ctx.Done():
			state, err := a.interrupted(ctx, gone)
			return contract.EndedByCancelled, state, err
		case <-limit.C:
			if state, err := a.ended(ctx, 0); err != nil || state != nil {
				return "", state, err // it ended just before
			}
			state, err := a.end(ctx, gone)
			return contract.EndedByTimeLimit, state, err
		case t := <-a.troubles:
			if state, err := a.ended(ctx, 0); err != nil || state != nil {
				return "", state, err
			}
			a.why = t.err
			state, err := a.end(ctx, gone)
			return t.endedBy, state, err
		case <-gone:
			a.watch.sample(ctx) // before Podman removes the group
			state, err := a.ended(ctx, settle)
			if err == nil && state == nil {
				err = errors.New("the container's process is gone, but Podman does not record its end")
			}
			return "", state, err
		case <-sample.C:
			if a.watch.sample(ctx) || !grouped {
				continue
			}
			if state, err := a.ended(ctx, 0); err != nil || state != nil {
				return "", state, err
			}
		case <-asked.C:
			if state, err := a.ended(ctx, 0); err != nil || state != nil {
				return "", state, err
			}
		}
	}
}

// ended asks whether the container has ended, for at most d. It gives nil if it has not.
func (a *run) ended(ctx context.Context, d time.Duration) (*inspected, error) {
	for deadline := time.Now().Add(d); ; {
		var state *inspected
		err := client.Retry(ctx, outage, func() (err error) {
			state, err = a.inspect(ctx)
			return err
		})
		if err != nil {
			return nil, err
		}
		if state.ended() {
			return state, nil
		}
		if !time.Now().Before(deadline) {
			return nil, nil //nolint:nilnil // it has not
		}
		select {
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		case <-time.After(10 * time.Millisecond):
		}
	}
}

// interrupted reacts to the end of the attempt's context: a cancel stops the container (removing it is cleanup's), a detach
// leaves it alone.
func (a *run) interrupted(ctx context.Context, gone <-chan struct{}) (*inspected, error) {
	cause := context.Cause(ctx)
	if errors.Is(cause, sdk.ErrDetached) {
		return nil, cause
	}
	stop, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
	defer cancel()
	state, err := a.end(stop, gone)
	return state, errors.Join(cause, err)
}
