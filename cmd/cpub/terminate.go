package main

import (
	"github.com/spf13/cobra"
)

func newTerminate(c *stdio) *cobra.Command {
	var (
		asJSON        bool
		runID, reason string
	)
	cmd := &cobra.Command{
		Use:   "terminate RUN",
		Short: "End a run at once, without stopping its steps in good order",
		Long: `terminate ends a run at once. No step is told: what they left behind is removed
later, when the workers sweep. Prefer cpub cancel.`,
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
			if err := cl.Terminate(cmd.Context(), args[0], runID, reason); err != nil {
				return err
			}
			return reportRun(c, args[0], runID, "terminated", asJSON)
		}),
	}
	cmd.Flags().StringVar(&reason, "reason", "by cpub terminate", "the reason that Temporal shows")
	runIDFlag(cmd, &runID)
	jsonFlag(cmd, &asJSON)
	return cmd
}
