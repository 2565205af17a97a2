package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/containerpub/cpub/engine"
	"github.com/containerpub/cpub/engine/machine"
	"github.com/containerpub/cpub/workflows/worker"
)

// load makes the settings of worker.hcl, or of the default configuration where none is named and none is here.
func load(ctx context.Context, f flags, log *slog.Logger) (worker.Settings, error) {
	m, err := machine.Find(ctx, f.options())
	if err != nil {
		return worker.Settings{}, err
	}
	if m.Path != "" {
		log.Info("configuration", "file", m.Path)
	} else {
		log.Info("configuration: no worker.hcl is here, so the default for a developer's own machine; cpub-worker -print-config shows it",
			"store", m.StoreURL)
	}
	return worker.Settings{Machine: m, Listen: f.listen, Reattach: os.Getenv("CPUB_REATTACH_PROVIDERS"), Log: log}, nil
}

func (f flags) options() machine.Options { return machine.Options{Config: f.config, State: f.state} }

// printConfig prints what the worker would run by.
func printConfig(ctx context.Context, f flags, stdout io.Writer) error {
	text, err := machine.Text(ctx, f.options())
	if err == nil {
		_, err = stdout.Write(text)
	}
	return err
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
