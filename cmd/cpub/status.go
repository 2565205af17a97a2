package main

import (
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/containerpub/cpub/cmd/cpub/internal/view"
	"github.com/containerpub/cpub/workflows/client"
)

func newStatus(c *stdio) *cobra.Command {
	var (
		asJSON, follow bool
		runID          string
	)
	cmd := &cobra.Command{
		Use:   "status RUN",
		Short: "Show how a run stands: its steps, failures, outputs",
		Long: `status shows how a run stands. With -f it follows the run to its end, as cpub run
does, and ends with the run's exit code.`,
		Args: needs(1, 1, "a run's id"),
		RunE: verb(func(cmd *cobra.Command, args []string) error {
			cl, done, err := connect(cmd.Context(), c, false)
			if err != nil {
				return err
			}
			defer done()
			run, err := cl.Run(cmd.Context(), args[0], runID)
			switch {
			case err != nil:
				return err
			case follow:
				return watchToEnd(cmd.Context(), c, cl, viewOf(run), asJSON)
			case asJSON:
				return c.printJSON(run)
			}
			if err := printStatus(c, viewOf(run)); err != nil {
				return err
			}
			return printLines(c.out, answers(run))
		}),
	}
	cmd.Flags().BoolVarP(&follow, "follow", "f", false, "follow the run to its end")
	runIDFlag(cmd, &runID)
	jsonFlag(cmd, &asJSON)
	return cmd
}

// answers says what a run waits for, and how to answer the steps that wait for a person.
func answers(r *client.Run) (lines []string) {
	if r.Waiting != "" {
		lines = append(lines, "", "waits for its turn: "+view.Clean(r.Waiting))
	}
	for _, s := range r.Undecided() {
		lines = append(lines, "", view.Clean(s.Name)+" waits for approval: "+view.Clean(s.Approval))
		for _, verb := range []string{"approve", "reject"} {
			lines = append(lines, "  cpub "+verb+" "+view.Quote(r.ID)+" "+view.Quote(s.Name))
		}
	}
	return lines
}

// runIDFlag chooses among runs of one id.
func runIDFlag(cmd *cobra.Command, runID *string) {
	cmd.Flags().StringVar(runID, "run-id", "", "Temporal's run id, where there were several runs of this id; the latest if left out")
}

func printStatus(c *stdio, r *view.Run) error {
	style := c.style(c.out)
	style.Height = 0
	lines := []string{fmt.Sprintf("%s  started %s  run id %s", view.Clean(r.ID), r.Started.Local().Format(time.DateTime), view.Clean(r.RunID))}
	lines = append(lines, style.Block(r, time.Now())...)
	lines = append(lines, style.Failures(r)...)
	lines = append(lines, style.Receipts(r)...)
	outputs, err := view.Outputs(r.Outputs)
	if err != nil {
		return err
	}
	if outputs != "" {
		lines = append(lines, "", "outputs", outputs)
	}
	return printLines(c.out, lines)
}
