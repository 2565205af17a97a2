package machine

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	"github.com/containerpub/cpub/engine/artifact"
	"github.com/containerpub/cpub/engine/host"
)

// Host starts the provider instances for one command, beside the worker, in folders of its own. Those that do not start are no error: what is
// asked of them fails. Store may be nil where no step's files are needed. The returned function stops them.
func (m *Machine) Host(ctx context.Context, store *artifact.Store) (_ *host.Host, stop func() error, err error) {
	dir, err := os.MkdirTemp("", "cpub-machine-") // 0700
	if err != nil {
		return nil, nil, fmt.Errorf("making a folder for the providers: %w", err)
	}
	remove := func() error { return artifact.RemoveAll(dir) }
	instances, err := m.Instances(ctx, dir)
	if err != nil {
		return nil, nil, errors.Join(err, remove())
	}
	h, err := host.New(ctx, host.Options{
		Instances: instances, Registries: m.Worker.Registries, Artifacts: store, Cache: filepath.Join(dir, "cache"), StateDir: dir,
		Partial: true, Logger: slog.New(slog.DiscardHandler),
	})
	if err != nil {
		return nil, nil, errors.Join(err, remove())
	}
	return h, func() error { return errors.Join(h.Close(), remove()) }, nil
}

// Cache is the folder of the local copies of artifacts.
func (m *Machine) Cache() string { return filepath.Join(m.State, "cache") }
