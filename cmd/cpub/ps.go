package main

import (
	"time"

	"github.com/spf13/cobra"

	"github.com/containerpub/cpub/cmd/cpub/internal/view"
	"github.com/containerpub/cpub/workflows/client"
)

func newPs(c *stdio) *cobra.Command {
	var (
		asJSON bool
		opts   client.ListOptions
	)
	cmd := &cobra.Command{
		Use:   "ps [PIPELINE]",
		Short: "List runs, the latest first",
		Long: `ps lists runs, the latest first: of one pipeline, or of all. What it shows may be
a second old. Of those that are under way it shows what they do or wait for: an
approval, their turn (concurrency), a queue, the next attempt.`,
		Args: needs(0, 1, "a pipeline"),
		RunE: verb(func(cmd *cobra.Command, args []string) error {
			if len(args) > 0 {
				opts.Pipeline = args[0]
			}
			cl, done, err := connect(cmd.Context(), c, false)
			if err != nil {
				return err
			}
			defer done()
			runs, err := cl.List(cmd.Context(), opts)
			if err != nil {
				return err
			}
			cl.Doing(cmd.Context(), runs)
			return printRuns(c, runs, asJSON)
		}),
	}
	cmd.Flags().BoolVar(&opts.Open, "open", false, "only those that are under way")
	cmd.Flags().IntVar(&opts.Limit, "limit", 20, "the most runs to list")
	jsonFlag(cmd, &asJSON)
	return cmd
}

func printRuns(c *stdio, runs []client.Summary, asJSON bool) error {
	rows := [][]string{{"RUN", "STATUS", "STARTED", "TOOK", "DOES"}}
	for _, r := range runs {
		if asJSON {
			if err := c.printJSON(r); err != nil {
				return err
			}
			continue
		}
		end := time.Now()
		if r.EndedAt != nil {
			end = *r.EndedAt
		}
		rows = append(rows, []string{
			r.ID, string(r.Status), r.StartedAt.Local().Format(time.DateTime), view.Duration(end.Sub(r.StartedAt)), view.Clean(r.Doing),
		})
	}
	switch {
	case asJSON:
		return nil
	case len(runs) == 0:
		c.note("there are no runs")
		return nil
	}
	return printLines(c.out, c.style(c.out).Table(rows))
}
