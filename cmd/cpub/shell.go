package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/containerpub/cpub/cmd/cpub/internal/view"
	"github.com/containerpub/cpub/engine"
	"github.com/containerpub/cpub/engine/host"
	"github.com/containerpub/cpub/engine/machine"
	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/schema"
	"github.com/containerpub/cpub/workflows/client"
)

// shellCommand is what shell was asked for.
type shellCommand struct {
	here

	runID     string
	timeLimit time.Duration
}

func newShell(c *stdio) *cobra.Command {
	s := &shellCommand{here: here{c: c}}
	cmd := &cobra.Command{
		Use:   "shell RUN STEP [-- COMMAND...]",
		Short: "Open a shell in what a step started with",
		Long: `shell makes the container of a step anew, with the image, files, environment, user,
network and limits that it had, and opens /bin/sh in it, or runs COMMAND. What the
step itself wrote is not there. The policy of this machine is checked as for the
step. The container is removed at the end, or when --time-limit is over. cpub ends
with the exit code of the shell.

` + hereHelp,
		Args: needs(2, -1, "a run's id and a step"),
		RunE: verb(func(cmd *cobra.Command, args []string) error {
			if dash := cmd.ArgsLenAtDash(); len(args) > 2 && dash != 2 {
				return usagef("the command stands after --: cpub shell %s %s -- %s", args[0], args[1], strings.Join(args[2:], " "))
			}
			return s.do(cmd.Context(), args[0], args[1], args[2:])
		}),
	}
	cmd.Flags().DurationVar(&s.timeLimit, "time-limit", time.Hour, "after which the shell is ended")
	runIDFlag(cmd, &s.runID)
	s.flags(cmd)
	return cmd
}

func (s *shellCommand) do(ctx context.Context, run, step string, command []string) error {
	if s.timeLimit < time.Second || s.timeLimit > 24*time.Hour {
		return usagef("--time-limit is at least 1s, and at most 24h")
	}
	m, err := s.find(ctx)
	if err != nil {
		return err
	}
	store, err := s.openStore(ctx, m)
	if err != nil {
		return err
	}
	defer store.Close()
	cl, err := s.temporal(ctx, m, store)
	if err != nil {
		return err
	}
	defer cl.Close()
	call, location, worker, err := s.call(ctx, cl, run, step)
	if err != nil {
		return err
	}
	if call.Input, err = schema.Canonical(call.Input); err != nil {
		return fmt.Errorf("reading the step's input: %w", err)
	}
	if err := m.Worker.Policy.Check(call.StepType, call.Input); err != nil {
		return &exitError{code: exitFailed, err: err}
	}
	call.Rules = m.Worker.Policy.ProviderRules()
	providers, stop, err := m.Host(ctx, store)
	if err != nil {
		return &exitError{code: exitUsage, err: err}
	}
	defer func() {
		if err := stop(); err != nil {
			s.c.note("stopping the providers: %v", err)
		}
	}()
	if call.Instance, err = instanceAt(ctx, m, providers, call.Instance, location); err != nil {
		return usagef("step %q of run %s was carried out by worker %s: %w", step, run, worker, err)
	}
	return s.open(ctx, providers, call, command)
}

// call is the step as it was asked for, under a key of the shell's own.
func (s *shellCommand) call(ctx context.Context, cl *client.Client, id, name string) (call engine.Call, location, worker string, err error) {
	run, err := cl.Run(ctx, id, s.runID)
	if err != nil {
		return call, "", "", err
	}
	step := run.Step(name)
	if step == nil {
		return call, "", "", usagef("run %s has no step %q", run.ID, name)
	}
	call, location, ok := step.Call()
	if !ok {
		return call, "", "", usagef("step %q of run %s has not been started by a provider (%s): there is nothing to open a shell in", name, run.ID, step.Status)
	}
	key := make([]byte, 16)
	_, _ = rand.Read(key) // never fails
	call.Key = hex.EncodeToString(key)
	return call, location, view.Clean(step.Worker), nil
}

// instanceAt is the instance of this machine that reaches the place where the step had to be carried out: the step's own, or else another one.
func instanceAt(ctx context.Context, m *machine.Machine, providers *host.Host, instance, location string) (string, error) {
	provider, _, _ := strings.Cut(instance, ".")
	for _, d := range providers.Describe(ctx) {
		name, _, _ := strings.Cut(d.Instance, ".")
		if d.Instance == instance && (location == "" || d.Location == location || d.Location == "") || location != "" && name == provider && d.Location == location {
			return d.Instance, nil
		}
	}
	where := m.Path
	if where == "" {
		where = machine.DefaultName
	}
	if location != "" {
		return "", fmt.Errorf("what it needs is at %s, which no provider instance of %s reaches: use the machine of that worker", location, where)
	}
	return "", fmt.Errorf("%s has no provider instance %s: use the machine of that worker", where, instance)
}

// open opens the shell on this process's own streams.
func (s *shellCommand) open(ctx context.Context, providers *host.Host, call engine.Call, command []string) error {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	ended := make(chan os.Signal, 1)
	signal.Notify(ended, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(ended)
	go func() {
		select {
		case <-ended:
			end(errStopped)
		case <-ctx.Done():
		}
	}()
	t := &terminal{c: s.c}
	defer t.restore()
	shell := sdk.Shell{
		Command: command, TimeLimit: s.timeLimit, Terminal: s.c.inTTY && s.c.outTTY, Sizes: t.sizes(ctx),
		Stdin: s.c.in, Stdout: s.c.out, Stderr: s.c.err,
	}
	shell.Ready = func() {
		if shell.Terminal {
			t.raw()
		}
	}
	code, err := providers.Shell(ctx, call, shell, func(text string) { s.c.note("%s", view.Clean(strings.TrimSpace(text))) })
	t.restore()
	var failure *sdk.Error
	switch {
	case errors.Is(context.Cause(ctx), errStopped):
		return exit(exitCancelled)
	case errors.Is(err, host.ErrUnable):
		return usagef("provider instance %s has no shells", call.Instance)
	case errors.As(err, &failure):
		return &exitError{code: exitFailed, err: err}
	case err != nil:
		return err
	}
	return exit(code)
}
