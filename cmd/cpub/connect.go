package main

import (
	"context"
	"errors"
	"os"

	"github.com/containerpub/cpub/engine"
	"github.com/containerpub/cpub/engine/artifact"
	"github.com/containerpub/cpub/engine/config"
	"github.com/containerpub/cpub/workflows/client"
)

// remedy is what helps where a service cannot be reached.
const remedy = `Start the whole stack on this machine with "make dev" or "cpub-dev", which prints where it is, or run this inside it:
cpub-dev -- cpub …. TEMPORAL_ADDRESS and CPUB_STORE name services that run elsewhere.
With a Temporal of your own, start "cpub-worker": on this machine it needs no configuration, and shares its store with cpub.`

// connect reaches Temporal, and the store where the command needs it. The client must be closed.
func connect(ctx context.Context, c *stdio, withStore bool) (*client.Client, func(), error) {
	opts := client.Options{}
	closeStore := func() {}
	url := storeURL(c)
	if url != "" {
		store, err := artifact.Open(ctx, url)
		if err != nil && withStore {
			return nil, nil, unreachablef("the store %s cannot be used: %w\n%s", url, err, remedy)
		}
		if err == nil {
			opts.Store, closeStore = store, func() { _ = store.Close() }
		}
	}
	cl, err := client.Dial(ctx, opts)
	if err != nil {
		closeStore()
		return nil, nil, err
	}
	done := func() { cl.Close(); closeStore() }
	if withStore && url == "" {
		done()
		return nil, nil, usagef("CPUB_STORE does not name the worker's store, where plans and logs are kept\n%s", remedy)
	}
	return cl, done, nil
}

// storeURL is the store that CPUB_STORE names. Without it, it is the user's own, which a worker without a worker.hcl keeps, or empty where no
// such worker has ever run.
func storeURL(c *stdio) string {
	if url := c.getenv("CPUB_STORE"); url != "" {
		return url
	}
	dir, err := config.DefaultStoreDir()
	if err == nil {
		_, err = os.Stat(dir)
	}
	if err != nil {
		return ""
	}
	return config.FileStoreURL(dir)
}

// coded gives an error of the parts that a command stands on the exit code that it means.
func coded(err error) error {
	var (
		exit        *exitError
		unreachable *client.UnreachableError
		missing     *client.NotFoundError
		unscheduled *client.NoScheduleError
		owned       *client.OwnedError
		mistakes    *engine.DiagnosticsError
	)
	switch {
	case err == nil, errors.As(err, &exit):
		return err
	case errors.As(err, &unreachable):
		return unreachablef("%w\n%s", err, remedy)
	case errors.As(err, &unscheduled), errors.As(err, &owned):
		return &exitError{code: exitUsage, err: err}
	case errors.As(err, &missing), errors.As(err, &mistakes), errors.Is(err, client.ErrOther):
		return &exitError{code: exitUsage, err: err}
	}
	return &exitError{code: exitFailed, err: err}
}
