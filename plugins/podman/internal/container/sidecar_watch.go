package container

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/containerpub/cpub/plugins/podman/internal/client"
	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/contract"
)

// trouble is why a container must be stopped.
type trouble struct {
	endedBy string
	err     error
}

// raise tells of the first trouble.
func (a *run) raise(endedBy string, err error) {
	select {
	case a.troubles <- trouble{endedBy, err}:
	default:
	}
}

// watchSidecars follows the sidecars: their logs, and their ends, until stopWatching.
func (a *run) watchSidecars(ctx context.Context) {
	ends, cancel := context.WithCancel(ctx)
	var all sync.WaitGroup
	for _, s := range a.sidecars {
		s.logs = s.followLogs(ctx, s.output.output())
		all.Go(func() {
			if err := s.awaitEnd(ends); err != nil {
				a.raise(contract.EndedBySidecar, err)
			}
		})
	}
	a.stopWatching = sync.OnceFunc(func() {
		cancel()
		all.Wait()
	})
}

// unwatch ends the watching of sidecars.
func (a *run) unwatch() {
	if a.stopWatching != nil {
		a.stopWatching()
	}
}

// awaitSidecars waits until the sidecars are well.
func (a *run) awaitSidecars(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	ready := make(chan error, len(a.sidecars))
	var all sync.WaitGroup
	defer func() {
		cancel()
		all.Wait()
	}()
	for _, s := range a.sidecars {
		all.Go(func() { ready <- s.awaitReady(ctx) })
	}
	for range a.sidecars {
		select {
		case err := <-ready:
			if err != nil {
				return err
			}
		case t := <-a.troubles:
			return t.err
		}
	}
	return nil
}

func (s *sidecar) awaitReady(ctx context.Context) error {
	if s.in.Healthcheck == nil {
		state, err := s.ended(ctx, 0)
		if state != nil {
			err = s.failed(ctx, exited(state))
		}
		return err
	}
	err := s.checkUntil(ctx, s.state.startedAt, func(well bool) bool { return well })
	if unhealthy := new(errUnhealthy); errors.As(err, unhealthy) {
		return s.failed(ctx, "it never got ready: "+unhealthy.why)
	}
	return err
}

// awaitEnd waits until the sidecar has ended, which no sidecar should before its step's container, or is unhealthy. Nil if ctx ended first.
func (s *sidecar) awaitEnd(ctx context.Context) error {
	gone, stop := s.exitOf(s.state.pid)
	defer stop()
	asked := time.NewTicker(time.Second)
	defer asked.Stop()
	for {
		patience := time.Duration(0)
		select {
		case <-ctx.Done():
			return nil
		case <-gone:
			patience, gone = settle, nil
		case <-asked.C:
		}
		state, err := s.ended(ctx, patience)
		if ctx.Err() != nil {
			return nil // nobody asks any more
		}
		if err != nil && !client.NotFound(err) {
			continue
		}
		switch {
		case err != nil:
			return s.failed(ctx, "its container was removed")
		case state != nil:
			return s.failed(ctx, exited(state))
		case patience > 0:
			// Podman starts a container again that another one depends on, just when that one starts.
			return s.failed(ctx, "its process is gone")
		}
	}
}

func exited(state *inspected) string { return fmt.Sprintf("it exited with %d", state.exitCode) }

// endedBefore tells of a sidecar that ended before its step's container did, which nobody may have seen yet.
func (a *run) endedBefore(ctx context.Context, end time.Time) error {
	for _, s := range a.sidecars {
		if s.state == nil {
			continue // not made
		}
		state, err := s.ended(ctx, 0)
		if err != nil {
			return ofSidecar(s.sidecar, err)
		}
		if state != nil && state.finishedAt.Before(end) {
			return s.failed(ctx, exited(state))
		}
	}
	return nil
}

// failed is the failure of a sidecar, with its last lines.
func (s *sidecar) failed(ctx context.Context, why string) error {
	text := fmt.Sprintf("the sidecar %q failed: %s", s.sidecar, why)
	if last := s.lastLines(ctx); last != "" {
		text += "; its last lines:\n" + last
	}
	return sdk.Failed(sdk.CodeSidecar, nil, errors.New(text))
}

// watchHealth watches the health of the containers while the step's own runs.
func (a *run) watchHealth(ctx context.Context, started time.Time) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var all sync.WaitGroup
	never := func(bool) bool { return false }
	if a.in.Healthcheck != nil {
		all.Go(func() {
			if e := new(errUnhealthy); errors.As(a.checkUntil(ctx, started, never), e) {
				a.raise(contract.EndedByUnhealthy, errors.New("the container is unhealthy: "+e.why))
			}
		})
	}
	for _, s := range a.sidecars {
		if s.in.Healthcheck == nil {
			continue
		}
		all.Go(func() {
			if e := new(errUnhealthy); errors.As(s.checkUntil(ctx, s.state.startedAt, never), e) {
				a.raise(contract.EndedBySidecar, s.failed(ctx, "it is unhealthy: "+e.why))
			}
		})
	}
	return func() {
		cancel()
		all.Wait()
	}
}
