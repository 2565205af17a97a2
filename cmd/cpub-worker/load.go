package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/containerpub/cpub/engine"
	"github.com/containerpub/cpub/engine/config"
	"github.com/containerpub/cpub/workflows/worker"
)

// load reads worker.hcl, and tells what is wrong with it.
func load(f flags, log *slog.Logger, stderr io.Writer) (worker.Settings, bool) {
	file, diags := config.LoadWorker(f.config)
	if diags.HasErrors() {
		fmt.Fprintln(stderr, &engine.DiagnosticsError{Diags: diags, Files: file.Files})
		return worker.Settings{}, false
	}
	state, err := stateDir(f.state)
	if err == nil {
		err = os.MkdirAll(state, 0o700)
	}
	if err != nil {
		fmt.Fprintf(stderr, "cpub-worker: the state folder: %v\n", err)
		return worker.Settings{}, false
	}
	return worker.Settings{
		Config: file, StateDir: state, StoreURL: os.Getenv("CPUB_STORE"), Listen: f.listen,
		Reattach: os.Getenv("CPUB_REATTACH_PROVIDERS"), Log: log,
	}, true
}

// serve runs the worker. What is wrong in worker.hcl, but shows only to its providers, is told with its places.
func serve(ctx context.Context, s worker.Settings) error {
	err := worker.Run(ctx, s)
	var wrong *engine.DiagnosticsError
	if errors.As(err, &wrong) {
		return fmt.Errorf("worker.hcl: %w", wrong)
	}
	return err
}
