package client

import (
	"context"
	"fmt"
	"time"

	"github.com/containerpub/cpub/engine/artifact"
	"github.com/containerpub/cpub/workflows"
)

// LogsOptions narrow a run's logs.
type LogsOptions struct {
	// Step is the one step to read; empty reads all, one after the other.
	Step string
	// Since leaves out what is older; zero leaves out nothing.
	Since time.Time
}

// Line is a piece of a step's log.
type Line struct {
	Step   string    `json:"step"`
	Time   time.Time `json:"time"`
	Stream string    `json:"stream"`
	Text   string    `json:"text"` // parts of lines, or many
}

// Logs tells each what the steps of a run have written so far. Logs outlive containers and workers; Follow has those to come.
func (c *Client) Logs(ctx context.Context, run *Run, opts LogsOptions, each func(Line) error) error {
	if c.store == nil {
		return errNoStore
	}
	if opts.Step != "" && run.Step(opts.Step) == nil {
		return fmt.Errorf("run %q has no step %q", run.ID, opts.Step)
	}
	for _, s := range run.Steps {
		if s.Key == "" || opts.Step != "" && s.Name != opts.Step {
			continue
		}
		for _, key := range s.keys {
			entries, _, err := c.store.ReadLog(ctx, workflows.LogKey(key), 0)
			if err != nil {
				return storeError(err, "reading the log of step "+s.Name)
			}
			if err := tell(s.Name, entries, opts.Since, each); err != nil {
				return err
			}
		}
	}
	return nil
}

func tell(step string, entries []artifact.LogEntry, since time.Time, each func(Line) error) error {
	for _, e := range entries {
		if e.Text == "" || e.Time.Before(since) {
			continue
		}
		if err := each(Line{Step: step, Time: e.Time, Stream: e.Stream, Text: e.Text}); err != nil {
			return err
		}
	}
	return nil
}
