package main

import (
	"fmt"

	"github.com/spf13/cobra"

	"github.com/containerpub/cpub/cmd/cpub/internal/graph"
)

func newGraph(c *stdio) *cobra.Command {
	var (
		format  string
		outputs bool
	)
	cmd := &cobra.Command{
		Use:   "graph FILE|FOLDER [PIPELINE]",
		Short: "Draw which steps wait for which",
		Long: `graph draws the steps of a pipeline, and an arrow from each to those that wait for
it; what follows from other arrows is left out. Steps with a condition are dashed,
those with for_each stand as a stack or have a thick border; a dashed arrow leads to
what undoes a step. The steps of on_failure and finally have frames of their own.

    cpub graph FOLDER | dot -Tsvg >steps.svg       # Graphviz
    cpub graph FOLDER --format mermaid             # for Markdown

Nothing runs, and no service is needed.`,
		Args: needs(1, 2, "a file or folder"),
		RunE: verb(func(cmd *cobra.Command, args []string) error {
			if format != "dot" && format != "mermaid" {
				return usagef("there is no format %q; there are dot and mermaid", format)
			}
			m, err := loadModule(cmd.Context(), c, args[0])
			if err != nil {
				return err
			}
			plan, err := m.choose(append(args, "")[1])
			if err != nil {
				return err
			}
			g := graph.Of(plan, m.Module.Module, outputs)
			text := g.DOT()
			if format == "mermaid" {
				text = g.Mermaid()
			}
			if _, err := fmt.Fprint(c.out, text); err != nil {
				return fmt.Errorf("printing: %w", err)
			}
			return nil
		}),
	}
	cmd.Flags().StringVar(&format, "format", "dot", "dot (Graphviz) or mermaid")
	cmd.Flags().BoolVar(&outputs, "outputs", false, "draw the outputs too")
	return cmd
}
