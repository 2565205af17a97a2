package main

import (
	"github.com/spf13/cobra"

	"github.com/containerpub/cpub/engine"
)

func newPublish(c *stdio) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "publish FILE|FOLDER [PIPELINE]",
		Short: "Make pipelines startable by their names, from the Temporal UI, CLI and SDKs",
		Long: `publish makes the pipelines of a module, or one of them, what their names stand for in
the Temporal namespace. From then on this starts a run:

  temporal workflow start --type PIPELINE --task-queue cpub --input '{…}'

Runs that are under way keep the plan that they were started with.`,
		Args: needs(1, 2, "a file or folder"),
		RunE: verb(func(cmd *cobra.Command, args []string) error {
			m, err := loadModule(cmd.Context(), c, args[0])
			if err != nil {
				return err
			}
			plans := m.Plans
			if len(args) > 1 {
				plan, err := m.choose(args[1])
				if err != nil {
					return err
				}
				plans = []*engine.Plan{plan}
			}
			cl, done, err := connect(cmd.Context(), c, true)
			if err != nil {
				return err
			}
			defer done()
			if err := upload(cmd.Context(), c, cl, m); err != nil {
				return err
			}
			for _, plan := range plans {
				digest, err := cl.Publish(cmd.Context(), plan, m.Callees(plan))
				if err == nil {
					err = reportPublished(c, plan.Pipeline, cl.Namespace(), digest, asJSON)
				}
				if err != nil {
					return err
				}
			}
			return nil
		}),
	}
	jsonFlag(cmd, &asJSON)
	return cmd
}

func reportPublished(c *stdio, pipeline, namespace, digest string, asJSON bool) error {
	if asJSON {
		return c.printJSON(struct {
			Pipeline  string `json:"pipeline"`
			Namespace string `json:"namespace"`
			Digest    string `json:"digest"`
		}{pipeline, namespace, digest})
	}
	return printLines(c.out, []string{pipeline + " " + digest})
}
