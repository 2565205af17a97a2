package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/containerpub/cpub/cmd/cpub/internal/view"
)

// The times of following a run.
const (
	frame     = 100 * time.Millisecond // between two drawings of a moving display
	breath    = time.Second            // between two looks of one that does not move
	waitFirst = 3 * time.Second        // until the first question why nothing happens
	waitAgain = 10 * time.Second       // until the next one
)

// update is one look at a run, or the end of looking.
type update struct {
	run *view.Run
	say string // for the user
	err error
	end bool
}

// follower shows a run to its end, or until the user has enough of it.
type follower struct {
	c    *stdio
	show display
	// updates ends with one that says so.
	updates <-chan update
	// cancel asks Temporal to cancel the run.
	cancel func(ctx context.Context) error
	// stalled tells why a run that waits does not go on, as far as that can be known; nothing means that it will.
	stalled func(ctx context.Context, r *view.Run) []string
	signals <-chan os.Signal

	run        *view.Run
	interrupts interrupts
	keys       <-chan byte
	restore    func() // of the terminal, while keys are read
	reasons    chan []string
	askAt      time.Time // when to ask next why nothing happens; zero while it is being asked
	said       map[string]bool
}

// follow returns the run as it was last seen, and whether it was left before its end.
func (f *follower) follow(ctx context.Context) (run *view.Run, left bool, err error) {
	f.reasons, f.said, f.askAt = make(chan []string, 1), map[string]bool{}, time.Now().Add(waitFirst)
	defer f.answer()
	every := breath
	if f.c.moving() {
		every = frame
	}
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		select {
		case u := <-f.updates:
			if err := f.take(u); err != nil {
				return f.run, true, err
			}
			if u.end || u.err != nil {
				return f.run, u.err != nil, u.err
			}
		case now := <-tick.C:
			if err := f.take(update{run: f.run}); err != nil {
				return f.run, true, err
			}
			f.askWhy(ctx, now)
		case reasons := <-f.reasons:
			f.tellWhy(reasons)
		case s := <-f.signals:
			if leave, err := f.decide(ctx, f.interrupts.signalled(s)); leave || err != nil {
				return f.run, true, err
			}
		case key := <-f.keys:
			f.answer()
			if leave, err := f.decide(ctx, f.interrupts.answered(key)); leave || err != nil {
				return f.run, true, err
			}
		case <-ctx.Done():
			return f.run, true, context.Cause(ctx)
		}
	}
}

// take shows what is new, or time passing.
func (f *follower) take(u update) error {
	if u.say != "" {
		if err := f.show.Say(u.say); err != nil {
			return err
		}
	}
	if u.run == nil {
		return nil
	}
	f.run = u.run
	return f.show.Update(f.run, time.Now())
}

// decide does what a signal or a key came to, and tells whether to leave.
func (f *follower) decide(ctx context.Context, d decision) (leave bool, err error) {
	switch d {
	case ask:
		keys, restore, err := readKey(f.c.in)
		if err != nil {
			return f.decide(ctx, f.interrupts.answered('c'))
		}
		f.keys, f.restore = keys, restore
		return false, f.show.Ask(interruptQuestion)
	case cancelRun:
		f.answer()
		if err := f.cancel(ctx); err != nil {
			return true, err
		}
		return false, f.show.Say("Cancelling the run, and waiting for its end (Ctrl-C again: do not wait).")
	case detach:
		return true, nil
	case giveUp:
		return true, errors.Join(f.show.Say("Not waiting for the end of the run, which is being cancelled."), exit(exitCancelled))
	case keepWatching:
	}
	return false, nil
}

// answer takes the question away, and gives the terminal back.
func (f *follower) answer() {
	if f.restore == nil {
		return
	}
	f.restore()
	f.keys, f.restore = nil, nil
	_ = f.show.Ask("")
}

// askWhy asks, from time to time, why a run that waits does not go on.
func (f *follower) askWhy(ctx context.Context, now time.Time) {
	if f.stalled == nil || f.askAt.IsZero() || now.Before(f.askAt) {
		return
	}
	if !waits(f.run) {
		f.askAt = now.Add(waitFirst)
		return
	}
	f.askAt = time.Time{}
	run := f.run
	go func() { f.reasons <- f.stalled(ctx, run) }()
}

// tellWhy says what was not said before.
func (f *follower) tellWhy(reasons []string) {
	f.askAt = time.Now().Add(waitAgain)
	for _, reason := range reasons {
		if !f.said[reason] {
			f.said[reason] = true
			_ = f.show.Say(reason)
		}
	}
}

// waits tells whether nothing of a run is under way, though something should be.
func waits(r *view.Run) bool {
	if r == nil {
		return true
	}
	waiting := true
	for _, s := range r.Steps {
		switch s.Status {
		case view.Queued:
			return true
		case view.Running, view.Retrying:
			waiting = false
		}
	}
	return waiting
}

// finish prints how a run ended, and gives the exit code's error.
func finish(c *stdio, r *view.Run, asJSON bool) error {
	if !asJSON {
		style := c.style(c.err)
		if err := printLines(c.err, append(style.Failures(r), style.Receipts(r)...)); err != nil {
			return err
		}
		outputs, err := view.Outputs(r.Outputs)
		if err != nil {
			return err
		}
		if _, err := fmt.Fprint(c.out, outputs); err != nil {
			return fmt.Errorf("printing the run's outputs: %w", err)
		}
	}
	return exit(exitCode(r.Status))
}

// exitCode is what a run's end means for the command's.
func exitCode(status string) int {
	switch status {
	case view.Succeeded:
		return exitOK
	case view.Cancelled:
		return exitCancelled
	}
	return exitFailed
}
