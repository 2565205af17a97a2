package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/containerpub/cpub/workflows/client"
)

// logsCommand is what logs was asked for.
type logsCommand struct {
	c              *stdio
	asJSON, follow bool
	tail           int
	since          string
	runID          string
}

func newLogs(c *stdio) *cobra.Command {
	l := &logsCommand{c: c}
	cmd := &cobra.Command{
		Use:   "logs RUN [STEP]",
		Short: "Print what a run's steps wrote",
		Long: `logs prints what the steps of a run wrote, or one of them. Logs outlive containers
and workers. With -f it goes on until the run ends.`,
		Args: needs(1, 2, "a run's id"),
		RunE: verb(func(cmd *cobra.Command, args []string) error { return l.run(cmd.Context(), append(args, "")) }),
	}
	cmd.Flags().BoolVarP(&l.follow, "follow", "f", false, "go on until the run ends")
	cmd.Flags().IntVar(&l.tail, "tail", -1, "only the last lines of what there is")
	cmd.Flags().StringVar(&l.since, "since", "", `only what is not older: a duration ("10m") or a time (RFC 3339)`)
	runIDFlag(cmd, &l.runID)
	jsonFlag(cmd, &l.asJSON)
	return cmd
}

func (l *logsCommand) run(ctx context.Context, args []string) error {
	since, err := parseSince(l.since, time.Now())
	if err != nil {
		return err
	}
	cl, done, err := connect(ctx, l.c, true)
	if err != nil {
		return err
	}
	defer done()
	run, err := cl.Run(ctx, args[0], l.runID)
	if err != nil {
		return err
	}
	opts := client.LogsOptions{Step: args[1], Since: since}
	if opts.Step != "" && run.Step(opts.Step) == nil {
		return usagef("run %s has no step %q", run.ID, opts.Step)
	}
	p := newLogPrinter(l.c, run, opts.Step, l.asJSON)
	read := map[string]int{} // step -> bytes of its log that were there
	err = cl.Logs(ctx, run, client.LogsOptions{Step: opts.Step}, func(line client.Line) error {
		read[line.Step] += len(line.Text)
		if line.Time.Before(since) {
			return nil
		}
		return p.hold(line)
	})
	if err == nil {
		err = p.release(l.tail)
	}
	if err == nil && l.follow && run.EndedAt == nil {
		err = l.goOn(ctx, cl, run, opts, read, p)
	}
	if err == nil {
		err = p.flush()
	}
	return err
}

// goOn prints what is written from now on. Following begins at the beginning: what was read before is left out.
func (l *logsCommand) goOn(ctx context.Context, cl *client.Client, run *client.Run, opts client.LogsOptions, read map[string]int, p *logPrinter) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	signals, stop := notifyInterrupts()
	defer stop()
	go func() {
		select {
		case <-signals:
			cancel(errStopped)
		case <-ctx.Done():
		}
	}()
	_, err := cl.Follow(ctx, run.ID, run.RunID, func(e client.Event) {
		if e.Kind != client.StepLog || opts.Step != "" && e.Step != opts.Step {
			return
		}
		known := min(read[e.Step], len(e.Text))
		read[e.Step] -= known
		if known == len(e.Text) {
			return
		}
		if err := p.print(client.Line{Step: e.Step, Time: e.Time, Stream: e.Stream, Text: e.Text[known:]}); err != nil {
			cancel(err)
		}
	})
	cause := context.Cause(ctx)
	switch {
	case errors.Is(cause, errStopped):
		return nil
	case cause != nil:
		return cause
	}
	return err
}

// parseSince reads --since: a duration before now, or a time; empty is no limit.
func parseSince(text string, now time.Time) (time.Time, error) {
	if text == "" {
		return time.Time{}, nil
	}
	if d, err := time.ParseDuration(text); err == nil {
		return now.Add(-d), nil
	}
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		return time.Time{}, usagef("--since %q is neither a duration, such as 10m, nor a time, such as %s", text, now.UTC().Format(time.RFC3339))
	}
	return t, nil
}

// errStopped is the cause of a context that the user ended.
var errStopped = errors.New("stopped by the user")
