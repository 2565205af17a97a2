package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/containerpub/cpub/cmd/cpub-dev/internal/stack"
	"github.com/containerpub/cpub/cmd/cpub-dev/internal/workerfile"
	"github.com/containerpub/cpub/engine"
	"github.com/containerpub/cpub/engine/config"
	"github.com/containerpub/cpub/engine/machine"
	"github.com/containerpub/cpub/workflows/worker"
)

// readyPatience is how long the worker may take before the user is told that
// it has not started yet. It goes on trying.
const readyPatience = 20 * time.Second

// work is the worker while it runs in this process; nil when there is none.
type work struct {
	cancel context.CancelFunc
	ended  chan error
	fatal  chan error
	log    *os.File
}

// startWorker runs the worker, unless the user does not want it, and returns
// when it is ready, or when it takes so long that the user is told.
func startWorker(ctx context.Context, at stack.Endpoints, f flags, signals <-chan os.Signal) (*work, error) {
	if f.noWorker {
		return nil, nil
	}
	state := filepath.Join(at.Dir, "worker")
	path, err := writeWorkerFile(ctx, at, state)
	if err != nil {
		return nil, &exitError{exitFailed, err}
	}
	m, err := machine.Find(ctx, machine.Options{Config: path, State: state})
	if err != nil {
		return nil, &exitError{exitUsage, err} // the user's own, or it would be right
	}
	logFile, err := os.OpenFile(filepath.Join(at.Dir, "log", "worker.log"), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return nil, &exitError{exitFailed, fmt.Errorf("opening the worker's log: %w", err)}
	}
	ctx, cancel := context.WithCancel(ctx)
	w := &work{cancel: cancel, ended: make(chan error, 1), fatal: make(chan error, 1), log: logFile}
	level := &slog.LevelVar{} // what a person is shown while the worker starts
	level.Set(slog.LevelWarn)
	log := slog.New(slog.NewMultiHandler(
		slog.NewJSONHandler(logFile, nil),
		slog.NewTextHandler(os.Stderr, &slog.HandlerOptions{Level: level}),
	))
	ready := make(chan struct{})
	go func() {
		err := worker.Run(ctx, worker.Settings{
			Machine: m, Reattach: os.Getenv("CPUB_REATTACH_PROVIDERS"), Log: log, Ready: func() { close(ready) },
		})
		if err != nil && ctx.Err() == nil {
			w.fatal <- fmt.Errorf("the worker ended: %w", err)
		}
		w.ended <- err
	}()
	return w, w.await(ready, level, signals)
}

// writeWorkerFile writes worker.hcl into the state folder, and says so when the
// user's own is used instead.
func writeWorkerFile(ctx context.Context, at stack.Endpoints, state string) (string, error) {
	providers, err := machine.LocalProviders(ctx, state)
	if err != nil {
		return "", err
	}
	m := config.Machine{
		Temporal: &config.Temporal{Address: at.Temporal, Namespace: at.Namespace},
		StoreURL: at.Store, Providers: providers,
	}
	if at.S3 != "" {
		m.S3 = &config.MachineS3{Endpoint: at.S3, Region: stack.Region, AccessKey: at.AccessKey, SecretKey: at.SecretKey}
	}
	if at.Registry != "" {
		m.Registries = []string{at.Registry}
	}
	path, kept, err := workerfile.Write(at.Dir, m)
	if kept {
		fmt.Fprintf(os.Stderr, "cpub-dev: %s was changed and is used as it is\n", path)
	}
	return path, err
}

// await returns when the worker is ready or has failed, at a signal, or after
// a while.
func (w *work) await(ready <-chan struct{}, shown *slog.LevelVar, signals <-chan os.Signal) error {
	select {
	case <-ready:
	case <-signals:
		return &exitError{exitFailed, errors.Join(errors.New("interrupted while the worker was starting"), w.stop())}
	case err := <-w.fatal:
		code := exitFailed
		if wrong := new(engine.DiagnosticsError); errors.As(err, &wrong) {
			code = exitUsage // the user's own worker.hcl
		}
		return &exitError{code, errors.Join(err, w.stop())}
	case <-time.After(readyPatience):
		fmt.Fprintf(os.Stderr, "cpub-dev: the worker is not ready yet; it goes on trying, see %s\n", w.log.Name())
	}
	shown.Set(slog.LevelError + 1) // from now on the terminal is the command's
	return nil
}

// failed yields why the worker ended by itself.
func (w *work) failed() <-chan error {
	if w == nil {
		return nil
	}
	return w.fatal
}

// stop lets the steps under way detach and ends the worker.
func (w *work) stop() error {
	if w == nil {
		return nil
	}
	w.cancel()
	<-w.ended
	return w.log.Close()
}
