package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/containerpub/cpub/engine/artifact"
	"github.com/containerpub/cpub/engine/host"
	"github.com/containerpub/cpub/engine/machine"
	"github.com/containerpub/cpub/workflows/client"
)

// here is this machine, as the worker on it is configured.
type here struct {
	c             *stdio
	config, state string
}

// flags are those of every command that works on a worker's machine.
func (h *here) flags(cmd *cobra.Command) {
	cmd.Flags().StringVar(&h.config, "config", "", "the worker's file (default CPUB_WORKER_CONFIG, else worker.hcl here, else as a worker without one)")
	cmd.Flags().StringVar(&h.state, "state", "", "the worker's folder (default STATE_DIRECTORY, else the user's)")
}

// hereHelp is what the help of every such command says.
const hereHelp = `It works on the machine of a worker, with the worker.hcl that it finds as
cpub-worker does, and starts the providers named there for itself.`

// find reads the worker's configuration.
func (h *here) find(ctx context.Context) (*machine.Machine, error) {
	folders, err := providerFolders(h.c)
	if err != nil {
		return nil, err
	}
	scratch, remove, err := tempDir()
	if err != nil {
		return nil, err
	}
	defer remove()
	m, err := machine.Find(ctx, machine.Options{Config: h.config, State: h.state, Folders: folders, Scratch: scratch})
	if err != nil {
		return nil, &exitError{code: exitUsage, err: err}
	}
	return m, nil
}

// start starts the worker's providers. Call stop when done.
func (h *here) start(ctx context.Context, store *artifact.Store) (m *machine.Machine, providers *host.Host, stop func(), err error) {
	if m, err = h.find(ctx); err != nil {
		return nil, nil, nil, err
	}
	providers, end, err := m.Host(ctx, store)
	if err != nil {
		return nil, nil, nil, &exitError{code: exitUsage, err: err}
	}
	return m, providers, func() {
		if err := end(); err != nil {
			h.c.note("stopping the providers: %v", err)
		}
	}, nil
}

// temporal connects to the Temporal that the worker uses. Close it when done.
func (h *here) temporal(ctx context.Context, m *machine.Machine, store *artifact.Store) (*client.Client, error) {
	opts := client.Options{}
	if store != nil {
		opts.Store = store
	}
	if t := m.Worker.Temporal; t != nil {
		opts.Address, opts.Namespace = t.Address, t.Namespace
	}
	return client.Dial(ctx, opts)
}

// openStore opens the worker's store. Close it when done.
func (h *here) openStore(ctx context.Context, m *machine.Machine) (*artifact.Store, error) {
	if m.StoreURL == "" {
		return nil, usagef("no store is named: worker.hcl has no store block, and CPUB_STORE is not set")
	}
	store, err := artifact.Open(ctx, m.StoreURL)
	if err != nil {
		return nil, unreachablef("%w", err)
	}
	return store, nil
}

// liveRuns are the runs that the worker's Temporal has open.
func (h *here) liveRuns(ctx context.Context, m *machine.Machine) ([]string, error) {
	cl, err := h.temporal(ctx, m, nil)
	if err != nil {
		return nil, err
	}
	defer cl.Close()
	return cl.LiveRuns(ctx)
}

// complain tells of instances that could not be asked, and gives an error if that was all of them.
func (h *here) complain(all []host.Items) error {
	able, failed := 0, []error{}
	for _, i := range all {
		switch {
		case i.Err == nil:
			able++
		case errors.Is(i.Err, host.ErrUnable): // it has nothing of that kind
		default:
			failed = append(failed, fmt.Errorf("%s: %w", i.Instance, i.Err))
		}
	}
	if able == 0 && len(failed) > 0 {
		return unreachablef("%w", errors.Join(failed...))
	}
	for _, err := range failed {
		h.c.note("%v", err)
	}
	return nil
}
