package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/containerpub/cpub/engine"
	"github.com/containerpub/cpub/engine/preview"
)

func newPlan(c *stdio) *cobra.Command {
	var (
		asJSON bool
		vars   variableFlags
	)
	cmd := &cobra.Command{
		Use:   "plan FILE|FOLDER [PIPELINE]",
		Short: "Show what a run would do, and with which values",
		Long: `plan shows each step of a pipeline as it would run with these variables: its
input with the defaults that count, what is known only later and after which step,
and which steps are skipped. Nothing runs, and no service is needed.`,
		Args: needs(1, 2, "a file or folder"),
		RunE: verb(func(cmd *cobra.Command, args []string) error {
			m, plan, variables, err := planOf(cmd.Context(), c, args, vars)
			if err != nil {
				return err
			}
			p, err := preview.Make(plan, variables, m.Callees(plan)...)
			var mistakes *engine.DiagnosticsError
			if errors.As(err, &mistakes) {
				return c.judge(mistakes.Diags, mistakes.Files)
			}
			if err != nil {
				return err
			}
			if asJSON {
				doc, err := p.Document()
				if err != nil {
					return err
				}
				return c.printJSON(doc)
			}
			return printLines(c.out, p.Lines(c.style(c.out).Dim))
		}),
	}
	vars.add(cmd)
	jsonFlag(cmd, &asJSON)
	return cmd
}
