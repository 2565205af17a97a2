package worker

import (
	"context"
	"errors"
	"fmt"
	"sync"

	tclient "go.temporal.io/sdk/client"

	"github.com/containerpub/cpub/engine/host"
)

// Serve polls for pipelines and steps until ctx ends, and then lets go of what is under way: steps detach, so that the next worker
// adopts them. It waits, and says so, for a Temporal that cannot be reached yet. An error means that it could not go on.
func Serve(ctx context.Context, p Parts) error {
	p.defaults()
	h, err := startHealth(ctx, p.Listen, p.Log)
	if err != nil {
		return err
	}
	defer h.close(ctx)
	return p.run(ctx, h)
}

// run is Serve where health is served already.
func (s *Parts) run(ctx context.Context, h *health) error {
	described := s.Host.Describe(ctx)
	s.Temporal.MetricsHandler = h.metrics(s.Temporal.MetricsHandler)
	c, err := dial(ctx, s, pollTimes(s.Instances, described))
	if err != nil {
		return stopped(ctx, err)
	}
	defer c.Close()
	return s.serve(ctx, c, described, h)
}

// stopped makes an end by ctx no error.
func stopped(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil //nolint:nilerr // told to stop, it stops
	}
	return err
}

// serve polls until ctx ends or a worker cannot go on.
func (s *Parts) serve(ctx context.Context, c tclient.Client, described []host.Described, h *health) error {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	fatal := func(err error) { end(&fatalError{err}) }
	all, err := queues(c, s, described, fatal)
	if err != nil {
		return err
	}
	started := all[:0:0]
	defer func() {
		h.ready(nil)
		stop(started)
		s.Log.Info("stopped")
	}()
	for _, q := range all {
		err := await(ctx, s.Log, "polling "+q.name, func(context.Context) error { return q.worker.Start() })
		if err != nil {
			return stopped(ctx, err)
		}
		started = append(started, q)
	}
	for _, d := range described {
		s.Log.Info("serving", "instance", d.Instance, "version", d.Info.Version, "location", d.Location,
			"max_concurrent", maxConcurrent(s.Instances, d.Instance))
	}
	s.Log.Info("ready", "temporal", s.Temporal.HostPort, "namespace", s.Temporal.Namespace)
	h.ready(func(ctx context.Context) error { return checkNamespace(ctx, c, s.Temporal.Namespace) })
	if s.Ready != nil {
		s.Ready()
	}
	sweep(ctx, c, s)
	<-ctx.Done()
	var gone *fatalError
	if errors.As(context.Cause(ctx), &gone) {
		return fmt.Errorf("the worker cannot go on: %w", gone.err)
	}
	return nil
}

// fatalError is what ended a worker of Temporal's.
type fatalError struct{ err error }

func (e *fatalError) Error() string { return e.err.Error() }

// stop stops all workers at once: none may take up what another one has just let go.
func stop(all []queue) {
	var wg sync.WaitGroup
	for _, q := range all {
		wg.Go(q.worker.Stop)
	}
	wg.Wait()
}
