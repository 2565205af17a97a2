package main

import (
	"context"
	"errors"
	"os/user"

	"github.com/spf13/cobra"

	"github.com/containerpub/cpub/workflows/client"
)

// decide answers a step of a run.
type decide func(ctx context.Context, cl *client.Client, id, runID string, d client.Decision) (step string, err error)

func newApprove(c *stdio) *cobra.Command {
	return newDecision(c, "approve", "approved", "Approve a step that waits for it",
		`approve lets a run go on that waits for approval. STEP may be left out where one
step alone waits; cpub status shows those that do.`,
		func(ctx context.Context, cl *client.Client, id, runID string, d client.Decision) (string, error) {
			return cl.Approve(ctx, id, runID, d)
		})
}

func newReject(c *stdio) *cobra.Command {
	return newDecision(c, "reject", "rejected", "Refuse a step that waits for approval",
		`reject fails the step of a run that waits for approval. STEP may be left out where
one step alone waits; cpub status shows those that do.`,
		func(ctx context.Context, cl *client.Client, id, runID string, d client.Decision) (string, error) {
			return cl.Reject(ctx, id, runID, d)
		})
}

func newDecision(c *stdio, name, done, short, long string, answer decide) *cobra.Command {
	var (
		asJSON bool
		runID  string
		d      client.Decision
	)
	cmd := &cobra.Command{
		Use: name + " RUN [STEP]", Short: short, Long: long,
		Args: needs(1, 2, "a run's id"),
		RunE: verb(func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				d.Step = args[1]
			}
			if !cmd.Flags().Changed("by") {
				d.By = userName()
			}
			cl, end, err := connect(cmd.Context(), c, false)
			if err != nil {
				return err
			}
			defer end()
			step, err := answer(cmd.Context(), cl, args[0], runID, d)
			var undecided *client.UndecidedError
			switch {
			case errors.As(err, &undecided):
				return usagef("%w", err)
			case err != nil:
				return err
			case asJSON:
				return c.printJSON(struct {
					ID     string `json:"id"`
					Step   string `json:"step"`
					Status string `json:"status"`
					By     string `json:"by,omitempty"`
				}{args[0], step, done, d.By})
			}
			c.note("%s: step %s %s", args[0], step, done)
			return nil
		}),
	}
	cmd.Flags().StringVar(&d.By, "by", "", "who decides; the user's name if left out")
	cmd.Flags().StringVar(&d.Comment, "comment", "", "why")
	runIDFlag(cmd, &runID)
	jsonFlag(cmd, &asJSON)
	return cmd
}

// userName is who runs the command; empty where the system does not say.
func userName() string {
	u, err := user.Current()
	if err != nil {
		return ""
	}
	return u.Username
}
