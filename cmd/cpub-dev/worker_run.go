package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"

	"github.com/containerpub/cpub/engine"
	"github.com/containerpub/cpub/engine/config"
	"github.com/containerpub/cpub/workflows/worker"
)

// daemon is what runWorker needs.
type daemon struct {
	config   string // the path of worker.hcl
	stateDir string // of the worker and its providers, absolute
	log      *slog.Logger
	ready    func() // called once, when it polls
}

// runWorker runs the worker of one worker.hcl until ctx ends. What is wrong in
// the file is told with its place.
func runWorker(ctx context.Context, d daemon) error {
	file, diags := config.LoadWorker(d.config)
	if diags.HasErrors() {
		return &engine.DiagnosticsError{Diags: diags, Files: file.Files}
	}
	if err := os.MkdirAll(d.stateDir, 0o700); err != nil {
		return fmt.Errorf("making the worker's folder: %w", err)
	}
	return worker.Run(ctx, worker.Settings{
		Config:   file,
		StateDir: d.stateDir,
		Reattach: os.Getenv("CPUB_REATTACH_PROVIDERS"),
		Log:      d.log,
		Ready:    d.ready,
	})
}
