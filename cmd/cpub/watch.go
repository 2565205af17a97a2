package main

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/containerpub/cpub/cmd/cpub/internal/view"
	"github.com/containerpub/cpub/engine"
	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/workflows/client"
)

// tailLines is how much of a step's log is kept to be shown where the step fails.
const tailLines = 10

// watch follows a run, from what is known of it, to its end or until the user leaves; it returns the run as it was last seen.
func watch(ctx context.Context, c *stdio, cl *client.Client, known *view.Run, asJSON bool) (run *view.Run, left bool, err error) {
	signals, stop := notifyInterrupts()
	defer stop()
	ctx, end := context.WithCancel(ctx)
	defer end()
	updates := make(chan update)
	go func() { feed(ctx, cl, known, updates) }()
	f := &follower{
		c: c, show: newDisplay(c, asJSON), updates: updates, signals: signals,
		cancel:     func(ctx context.Context) error { return cancelOpen(ctx, cl, known) },
		stalled:    func(ctx context.Context, r *view.Run) []string { return stalled(ctx, cl, r) },
		interrupts: interrupts{interactive: c.inTTY && c.errTTY && !asJSON},
	}
	run, left, err = f.follow(ctx)
	return run, left, errors.Join(err, f.show.Close())
}

// feed sends the run at every change, until it ended or nobody looks any more.
func feed(ctx context.Context, cl *client.Client, known *view.Run, updates chan<- update) {
	send := func(u update) {
		select {
		case updates <- u:
		case <-ctx.Done():
		}
	}
	run := known
	send(update{run: run})
	last, err := cl.Follow(ctx, known.ID, known.RunID, func(e client.Event) {
		u := update{}
		switch e.Kind {
		case client.Disconnected:
			u.say = "Temporal does not answer; the run goes on, and so does this when it answers again: " + e.Message
		case client.Reconnected:
			u.say = "Temporal answers again."
		default:
			run = fold(run, e)
			u.run, u.say = run, wanted(known.ID, e)
		}
		send(u)
	})
	if err != nil {
		send(update{err: err})
		return
	}
	send(update{run: whole(run, last), end: true})
}

// wanted says what a run waits for that somebody may have to do; empty if nothing.
func wanted(id string, e client.Event) string {
	switch {
	case e.Kind == client.RunWaits:
		return "The run waits for its turn: " + view.Clean(e.Message)
	case e.Approval != "":
		return view.Clean(e.Step) + " waits for approval: " + view.Clean(e.Approval) + " (cpub approve " + view.Quote(id) + " " + view.Quote(e.Step) + ")"
	}
	return ""
}

// fold gives the run after an event. What it was before stays as it is.
func fold(before *view.Run, e client.Event) *view.Run {
	run := *before
	run.Steps = slices.Clone(before.Steps)
	switch e.Kind {
	case client.RunStarted:
		run.Started, run.Status = e.Time, view.Running
		return &run
	case client.RunEnded: // the whole run comes after it
		return &run
	default: // a step's, or the connection's
	}
	if e.Step == "" {
		return &run
	}
	step := run.Step(e.Step)
	if step == nil {
		run.Steps = append(run.Steps, view.Step{Name: e.Step, Type: e.Type})
		step = &run.Steps[len(run.Steps)-1]
	}
	foldStep(step, e)
	return &run
}

func foldStep(s *view.Step, e client.Event) {
	switch e.Kind {
	case client.StepScheduled:
		s.Status, s.Ended, s.Failure = view.Queued, time.Time{}, nil
	case client.StepStarted:
		s.Status, s.Attempt, s.Started, s.Progress = view.Running, e.Attempt, e.Time, sdk.Progress{}
		if e.Message != "" {
			s.Failure = &view.Failure{Message: e.Message}
		}
	case client.StepProgress:
		if e.Progress != nil {
			s.Progress = *e.Progress
		}
	case client.StepLog:
		lines := strings.Split(strings.TrimRight(e.Text, "\n"), "\n")
		s.LogTail = append(slices.Clone(s.LogTail), lines...)
		s.LogTail = s.LogTail[max(0, len(s.LogTail)-tailLines):]
	case client.StepRetried:
		s.Status, s.Attempt = view.Retrying, max(1, e.Attempt-1)
		s.Failure = &view.Failure{Message: e.Message}
	case client.StepEnded:
		s.Status, s.Ended, s.Outputs, s.Failure = string(e.Status), e.Time, e.Outputs, failure(e.Error)
		s.Attempt = max(s.Attempt, e.Attempt)
	default: // not a step's
	}
}

// whole is a run as the client tells it, with the ends of logs that were seen on the way.
func whole(seen *view.Run, r *client.Run) *view.Run {
	run := viewOf(r)
	for i := range run.Steps {
		if s := seen.Step(run.Steps[i].Name); s != nil {
			run.Steps[i].LogTail = s.LogTail
		}
	}
	return run
}

// viewOf is a run for the views.
func viewOf(r *client.Run) *view.Run {
	run := &view.Run{
		ID: r.ID, RunID: r.RunID, Pipeline: r.Pipeline, Status: string(r.Status), Started: r.StartedAt, Ended: timeOf(r.EndedAt),
		Outputs: r.Outputs, Failure: failure(r.Error),
	}
	for _, s := range r.Steps {
		step := view.Step{
			Name: s.Name, Type: s.Type, Status: string(s.Status), Started: timeOf(s.StartedAt), Ended: timeOf(s.EndedAt),
			Attempt: s.Attempt, Failure: failure(s.Error), Outputs: s.Outputs,
		}
		if s.Progress != nil {
			step.Progress = *s.Progress
		}
		switch {
		case s.Status == engine.StatusRunning && strings.HasPrefix(s.Waiting, "retry"):
			step.Status, step.Failure = view.Retrying, &view.Failure{Message: s.LastFailure}
		case s.Status == engine.StatusRunning && s.Waiting != "":
			step.Status = view.Queued
		}
		run.Steps = append(run.Steps, step)
	}
	return run
}

func failure(e *engine.StepError) *view.Failure {
	if e == nil {
		return nil
	}
	return &view.Failure{Step: e.Step, Kind: string(e.Kind), Code: e.Code, Message: e.Message}
}

func timeOf(t *time.Time) time.Time {
	if t == nil {
		return time.Time{}
	}
	return *t
}

// stalled says which queues a run waits for in vain. An answer that cannot be had is none: following says so itself.
func stalled(ctx context.Context, cl *client.Client, r *view.Run) []string {
	ctx, cancel := context.WithTimeout(ctx, waitAgain)
	defer cancel()
	queues, err := cl.Unpolled(ctx, r.ID, r.RunID)
	if err != nil {
		return nil
	}
	var reasons []string
	for _, q := range queues {
		reasons = append(reasons, "no worker polls task queue "+q+"; start cpub-worker, or cpub-dev")
	}
	return reasons
}

// cancelOpen cancels a run, unless it has ended by itself.
func cancelOpen(ctx context.Context, cl *client.Client, r *view.Run) error {
	err := cl.Cancel(ctx, r.ID, r.RunID)
	var missing *client.NotFoundError
	if errors.As(err, &missing) {
		return nil
	}
	return err
}
