package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/containerpub/cpub/cmd/cpub/internal/view"
	"github.com/containerpub/cpub/engine"
	"github.com/containerpub/cpub/workflows/client"
)

const runHelp = `run checks a pipeline, starts a run of it and follows it, live, to its end. The
run's outputs go to stdout: as JSON, or as they are where the only one is a text
called result. All else goes to stderr.

With --id the run's workflow id is PIPELINE/ID. A run of that id that is there
already is followed instead of a second one; other inputs are refused.

Ctrl-C asks whether to cancel the run or to leave it running; a second one cancels.
Without a terminal the first one cancels.`

func newRun(c *stdio) *cobra.Command {
	var (
		asJSON, detached bool
		id               string
		vars             variableFlags
	)
	cmd := &cobra.Command{
		Use:   "run FILE|FOLDER [PIPELINE]",
		Short: "Start a run of a pipeline and follow it",
		Long:  runHelp,
		Example: `  cpub run examples/hcl/function -var function_id=42
  cpub run deploy.hcl -var-file .env --id 42 --detach`,
		Args: needs(1, 2, "a file or folder"),
		RunE: verb(func(cmd *cobra.Command, args []string) error {
			m, plan, variables, err := planOf(cmd.Context(), c, args, vars)
			if err != nil {
				return err
			}
			cl, done, err := connect(cmd.Context(), c, true)
			if err != nil {
				return err
			}
			defer done()
			if err := upload(cmd.Context(), c, cl, m); err != nil {
				return err
			}
			started, err := cl.Start(cmd.Context(), client.StartOptions{Plan: plan, Callees: m.Callees(plan), ID: id, Variables: variables})
			if err != nil {
				return err
			}
			if detached {
				return reportStarted(c, started, asJSON)
			}
			if !asJSON {
				announce(c, started, cl.Namespace())
			}
			return watchToEnd(cmd.Context(), c, cl, newView(plan, started), asJSON)
		}),
	}
	cmd.Flags().BoolVarP(&detached, "detach", "d", false, "start the run, print its id and leave it running")
	cmd.Flags().StringVar(&id, "id", "", "the run's id in its pipeline; a new one if left out")
	vars.add(cmd)
	jsonFlag(cmd, &asJSON)
	return cmd
}

// newView is a run of which only its plan is known.
func newView(plan *engine.Plan, started *client.Started) *view.Run {
	r := &view.Run{ID: started.ID, RunID: started.RunID, Pipeline: plan.Pipeline, Status: view.Running, Started: time.Now()}
	for _, s := range plan.Steps {
		r.Steps = append(r.Steps, view.Step{Name: s.Name, Type: s.Type, Status: view.Pending})
	}
	return r
}

// reportStarted prints the id of a run that is left alone: it is the result of the command.
func reportStarted(c *stdio, s *client.Started, asJSON bool) error {
	if asJSON {
		return c.printJSON(struct {
			ID       string `json:"id"`
			RunID    string `json:"run_id"`
			Attached bool   `json:"attached"`
		}{s.ID, s.RunID, s.Attached})
	}
	return printLines(c.out, []string{s.ID})
}

// announce says which run is followed, and where Temporal's UI shows it when cpub-dev says where that is.
func announce(c *stdio, s *client.Started, namespace string) {
	verb := "started"
	if s.Attached {
		verb = "is there already; following"
	}
	c.note("run %s %s", s.ID, verb)
	if ui := c.getenv("CPUB_DEV_UI"); ui != "" {
		c.note("%s", uiAddress(ui, namespace, s.ID, s.RunID))
	}
}

// watchToEnd follows a run, prints how it ended and gives the exit code's error.
func watchToEnd(ctx context.Context, c *stdio, cl *client.Client, known *view.Run, asJSON bool) error {
	run, left, err := watch(ctx, c, cl, known, asJSON)
	switch {
	case err != nil:
		return err
	case left:
		c.note("the run goes on. Follow it again with: cpub status -f %s", view.Quote(known.ID))
		return nil
	}
	return finish(c, run, asJSON)
}
