package main

import (
	"context"
	"errors"
	"log/slog"
)

// worker is what runWorker needs.
type worker struct {
	config   string // the path of worker.hcl
	stateDir string // of the worker and its providers, absolute
	log      *slog.Logger
	ready    func() // called once, when it polls
}

// runWorker runs the worker of one worker.hcl until ctx ends.
func runWorker(ctx context.Context, w worker) error {
	return errors.New("not linked")
}
