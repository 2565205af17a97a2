package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"syscall"
	"text/tabwriter"
	"time"

	"github.com/containerpub/cpub/cmd/cpub-dev/internal/stack"
)

// stopTimeout is how long the services may take to end; then they are cut off.
const stopTimeout = 20 * time.Second

// run starts everything, runs the user's command or waits for a signal, and
// stops everything. The error carries the exit code.
func run(ctx context.Context, opts stack.Options, f flags) error {
	if err := isolate(); err != nil {
		return &exitError{exitFailed, err}
	}
	signals := make(chan os.Signal, 4)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(signals)

	services, err := startStack(ctx, opts, signals)
	if err != nil {
		return err
	}
	err = inside(ctx, services, f, signals)
	signal.Stop(signals) // a second Ctrl-C ends this process at once

	stopCtx, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	if stopErr := services.Stop(stopCtx); stopErr != nil && err == nil {
		return &exitError{exitFailed, stopErr}
	}
	return err
}

// startStack starts the services. A signal ends the start.
func startStack(ctx context.Context, opts stack.Options, signals <-chan os.Signal) (*stack.Stack, error) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	type outcome struct {
		services *stack.Stack
		err      error
	}
	done := make(chan outcome, 1)
	go func() {
		services, err := stack.Start(ctx, opts)
		done <- outcome{services, err}
	}()
	interrupted := false
	for {
		select {
		case <-signals:
			interrupted = true
			cancel()
		case o := <-done:
			if o.err != nil && interrupted {
				return nil, &exitError{exitFailed, errors.New("interrupted while the services were starting")}
			}
			if o.err != nil {
				return nil, &exitError{exitUnreachable, o.err}
			}
			return o.services, nil
		}
	}
}

// inside does what is done while the services run: the worker, the
// environment's file, and the user's command or the wait for a signal.
func inside(ctx context.Context, services *stack.Stack, f flags, signals <-chan os.Signal) (err error) {
	at := services.Endpoints()
	work, err := startWorker(ctx, at, f, signals)
	if err != nil {
		return err
	}
	defer func() {
		if stopErr := work.stop(); stopErr != nil && err == nil {
			err = &exitError{exitFailed, stopErr}
		}
	}()
	if f.envFile != "" {
		if err := writeEnv(f.envFile, at.Env()); err != nil {
			return &exitError{exitFailed, err}
		}
		defer func() { _ = os.Remove(f.envFile) }()
	}
	failed := firstOf(services.Failed(), work.failed())
	if len(f.command) > 0 {
		return runChild(f.command, at.Env(), signals, failed)
	}
	if err := printEndpoints(os.Stdout, at); err != nil {
		return &exitError{exitFailed, err}
	}
	select {
	case <-signals:
		return nil
	case err := <-failed:
		return &exitError{exitUnreachable, err}
	}
}

// firstOf yields what the first of the two channels yields.
func firstOf(a, b <-chan error) <-chan error {
	first := make(chan error, 1)
	go func() {
		select {
		case err := <-a:
			first <- err
		case err := <-b:
			first <- err
		}
	}()
	return first
}

// commandsDir is the folder of this program where cpub lies beside it, unless
// the PATH leads to that cpub already.
func commandsDir() string {
	self, err := os.Executable()
	if err != nil {
		return ""
	}
	beside, err := os.Stat(filepath.Join(filepath.Dir(self), "cpub"))
	if err != nil {
		return ""
	}
	if found, err := exec.LookPath("cpub"); err == nil {
		if there, err := os.Stat(found); err == nil && os.SameFile(beside, there) {
			return ""
		}
	}
	return filepath.Dir(self)
}

// printEndpoints tells a person where everything is.
func printEndpoints(w io.Writer, at stack.Endpoints) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, line := range [][2]string{
		{"Temporal", at.Temporal},
		{"Temporal UI", at.UI},
		{"S3", at.S3},
		{"Registry", at.Registry},
		{"State", at.Dir},
	} {
		if line[1] != "" {
			fmt.Fprintf(table, "%s\t%s\n", line[0], line[1])
		}
	}
	fmt.Fprintln(table, "\nIn another terminal:")
	if dir := commandsDir(); dir != "" {
		fmt.Fprintf(table, "  export %s:\"$PATH\"\n", shellQuote("PATH="+dir))
	}
	for _, variable := range at.Env() {
		fmt.Fprintf(table, "  export %s\n", shellQuote(variable))
	}
	fmt.Fprintln(table, "\nCtrl-C stops everything.")
	return table.Flush()
}
