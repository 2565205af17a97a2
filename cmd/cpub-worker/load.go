package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"os"

	"github.com/containerpub/cpub/engine"
	"github.com/containerpub/cpub/engine/config"
	"github.com/containerpub/cpub/workflows/worker"
)

// load makes the settings of worker.hcl, or of the default configuration where none is named and none is here.
func load(ctx context.Context, f flags, log *slog.Logger) (worker.Settings, error) {
	state, err := stateDir(f.state)
	if err != nil {
		return worker.Settings{}, fmt.Errorf("no state folder: %w; set -state", err)
	}
	s := worker.Settings{
		StateDir: state, StoreURL: os.Getenv("CPUB_STORE"), Listen: f.listen, Reattach: os.Getenv("CPUB_REATTACH_PROVIDERS"), Log: log,
	}
	path, err := f.configFile()
	if err != nil {
		return s, err
	}
	if path != "" {
		s.Config, err = config.LoadWorker(path)
		if err == nil {
			log.Info("configuration", "file", path)
		}
		return s, err
	}
	text, err := defaultFile(ctx, state)
	if err == nil {
		s.Config, err = config.ParseWorker(defaultName, text)
	}
	if err == nil {
		log.Info("configuration: no worker.hcl is here, so the default for a developer's own machine; cpub-worker -print-config shows it",
			"store", s.Config.StoreURL)
	}
	return s, err
}

// configFile is the path of worker.hcl: the one that was named, or the one in the working directory. Empty: there is none.
func (f flags) configFile() (string, error) {
	if f.config != "" {
		return f.config, nil
	}
	if path := os.Getenv("CPUB_WORKER_CONFIG"); path != "" {
		return path, nil
	}
	_, err := os.Stat("worker.hcl")
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", fmt.Errorf("looking for worker.hcl: %w", err)
	}
	return "worker.hcl", nil
}

// printConfig prints what the worker would run by.
func printConfig(ctx context.Context, f flags, stdout io.Writer) error {
	path, err := f.configFile()
	var text []byte
	switch {
	case err != nil:
	case path != "":
		text, err = os.ReadFile(path)
	default:
		var state string
		if state, err = stateDir(f.state); err == nil {
			text, err = defaultFile(ctx, state)
		}
	}
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
