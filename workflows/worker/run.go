package worker

import (
	"context"
	"errors"
	"fmt"
	"sync"

	tclient "go.temporal.io/sdk/client"
)

// Run serves pipelines and steps until ctx ends, and then lets go of what is under way: steps detach, so that the next worker adopts
// them. It waits, and says so, for Temporal and for providers that cannot be reached yet. An error means that the worker could not
// go on.
func Run(ctx context.Context, s Settings) error {
	s.defaults()
	h, err := startHealth(s.Listen, s.Log)
	if err != nil {
		return err
	}
	defer h.close()

	var described []Description
	err = await(ctx, s.Log, "starting the providers", func(ctx context.Context) error {
		var err error
		described, err = s.Host.Describe(ctx)
		return err
	})
	if err != nil {
		return stopped(ctx, err)
	}
	s.Temporal.MetricsHandler = h.metrics(s.Temporal.MetricsHandler)
	c, err := dial(ctx, &s, pollTimes(s.Instances, described))
	if err != nil {
		return stopped(ctx, err)
	}
	defer c.Close()
	return serve(ctx, c, &s, described, h)
}

// stopped makes an end by ctx no error.
func stopped(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return nil
	}
	return err
}

// serve polls until ctx ends or a worker cannot go on.
func serve(ctx context.Context, c tclient.Client, s *Settings, described []Description, h *health) error {
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
