package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/containerpub/cpub/engine"
	"github.com/containerpub/cpub/engine/config"
	"github.com/containerpub/cpub/engine/eval"
	"github.com/containerpub/cpub/workflows/client"
)

const rerunHelp = `rerun starts a new run with the plan and the variables of one that ended, and
follows it as cpub run does. Steps that succeeded there keep their outputs, and are
not started again, if they come to the same type, provider and input. All others run.

These run again although their input is the same: the steps that --from names, and
those that a compensate block undid, each with all that depend on it; what follows the
main part (on_failure, finally); and a step whose outputs exist on one machine only,
such as an image, if something that uses them runs: they were removed when the run
ended. A step of the type pipeline that is not kept starts a run that keeps, by the
same rules, what the one it started there gave.

With FILE|FOLDER the new run has the plan of these files, which may have changed.
--set overrides a variable of the earlier run, whose other variables stay.`

type rerunFlags struct {
	asJSON, detached bool
	id, runID        string
	from             []string
	vars             variableFlags
}

func newRerun(c *stdio) *cobra.Command {
	var flags rerunFlags
	cmd := &cobra.Command{
		Use:   "rerun RUN [FILE|FOLDER]",
		Short: "Start a run that keeps what an earlier one gave",
		Long:  rerunHelp,
		Example: `  cpub rerun deploy/42
  cpub rerun deploy/42 --from push --set tag=v2
  cpub rerun deploy/42 deploy.hcl`,
		Args: needs(1, 2, "a run's id"),
		RunE: verb(func(cmd *cobra.Command, args []string) error {
			return rerun(cmd.Context(), c, args[0], append(args, "")[1], flags)
		}),
	}
	cmd.Flags().StringArrayVar(&flags.from, "from", nil, "a step that runs again, with all that depend on it; may be repeated")
	cmd.Flags().StringArrayVar(&flags.vars.values, "set", nil, "a variable, NAME=VALUE; may be repeated")
	cmd.Flags().StringArrayVar(&flags.vars.files, "var-file", nil, "a file with variables: HCL, JSON or .env; may be repeated")
	cmd.Flags().BoolVarP(&flags.detached, "detach", "d", false, "start the run, print its id and leave it running")
	cmd.Flags().StringVar(&flags.id, "id", "", "the new run's id in its pipeline; a new one if left out")
	runIDFlag(cmd, &flags.runID)
	jsonFlag(cmd, &flags.asJSON)
	return cmd
}

func rerun(ctx context.Context, c *stdio, id, path string, flags rerunFlags) error {
	cl, done, err := connect(ctx, c, true)
	if err != nil {
		return err
	}
	defer done()
	past, err := cl.Past(ctx, id, flags.runID)
	if err != nil {
		if errors.Is(err, client.ErrOpen) {
			return usagef("%w", err)
		}
		return err
	}
	opts, err := rerunOptions(ctx, c, past, path, flags)
	if err != nil {
		return err
	}
	for _, name := range flags.from {
		if opts.Plan.Step(name) == nil {
			return usagef("--from %s: the pipeline has no such step", name)
		}
	}
	started, kept, err := cl.Rerun(ctx, past, *opts, flags.from)
	if err != nil {
		return err
	}
	if flags.detached {
		return reportStarted(c, started, flags.asJSON)
	}
	if !flags.asJSON {
		announce(c, started, cl.Namespace())
		c.note("of %s it can keep %d", id, len(kept))
	}
	return watchToEnd(ctx, c, cl, newView(opts.Plan, started), flags.asJSON)
}

// rerunOptions are the plan and the variables of the new run.
func rerunOptions(ctx context.Context, c *stdio, past *client.Past, path string, flags rerunFlags) (*client.StartOptions, error) {
	opts := &client.StartOptions{Plan: past.Plan, ID: flags.id}
	declared, dir := asWritten(opts.Plan), ""
	if path != "" {
		m, err := loadModule(ctx, c, path)
		if err != nil {
			return nil, err
		}
		if opts.Plan, err = m.choose(past.Plan.Pipeline); err != nil {
			return nil, err
		}
		opts.Callees = m.Callees(opts.Plan)
		declared, dir = m.Module.Module, m.Dir
	}
	values, found := config.Variables(declared, config.Sources{Earlier: past.Variables, Files: flags.vars.files, Flags: flags.vars.values})
	diags, files := inFolder(found, declared.Files, dir), filesInFolder(declared.Files, dir)
	for name, f := range values.Files {
		files[name] = f
	}
	opts.Variables = values.JSON
	return opts, c.judge(diags, files)
}

// asWritten is the module that a plan was made of.
func asWritten(plan *engine.Plan) *eval.Module {
	files := make([]eval.File, len(plan.Files))
	for i, f := range plan.Files {
		files[i] = eval.File{Path: f.Path, Content: f.Content}
	}
	m, _ := eval.Parse(files) // it was checked when the plan was made
	return m
}
