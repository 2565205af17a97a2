package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/containerpub/cpub/workflows/client"
)

func newCancel(c *stdio) *cobra.Command {
	var (
		asJSON, wait bool
		runID        string
	)
	cmd := &cobra.Command{
		Use:   "cancel RUN",
		Short: "End a run in good order",
		Long: `cancel asks a run to end: its steps are stopped, and what they made is removed.
It does not wait for that, unless --wait is given.`,
		Args: needs(1, 1, "a run's id"),
		RunE: verb(func(cmd *cobra.Command, args []string) error {
			cl, done, err := connect(cmd.Context(), c, false)
			if err != nil {
				return err
			}
			defer done()
			if err := mustBeOpen(cmd.Context(), cl, args[0], runID); err != nil {
				return err
			}
			if err := cl.Cancel(cmd.Context(), args[0], runID); err != nil {
				return err
			}
			status := "cancelling"
			if wait {
				run, err := cl.Result(cmd.Context(), args[0], runID)
				if err != nil {
					return err
				}
				status = string(run.Status)
			}
			return reportRun(c, args[0], runID, status, asJSON)
		}),
	}
	cmd.Flags().BoolVar(&wait, "wait", false, "wait for the run's end")
	runIDFlag(cmd, &runID)
	jsonFlag(cmd, &asJSON)
	return cmd
}

// mustBeOpen refuses what cannot be done to a run that has ended: Temporal itself is silent there.
func mustBeOpen(ctx context.Context, cl *client.Client, id, runID string) error {
	run, err := cl.Run(ctx, id, runID)
	if err != nil {
		return err
	}
	if run.EndedAt != nil {
		return usagef("run %s has ended already: %s", id, run.Status)
	}
	return nil
}

// reportRun tells in one line what was done to a run.
func reportRun(c *stdio, id, runID, status string, asJSON bool) error {
	if asJSON {
		return c.printJSON(struct {
			ID     string `json:"id"`
			RunID  string `json:"run_id,omitempty"`
			Status string `json:"status"`
		}{id, runID, status})
	}
	c.note("%s: %s", id, status)
	return nil
}
