package main

import (
	"context"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/containerpub/cpub/engine/doctor"
	"github.com/containerpub/cpub/engine/machine"
	"github.com/containerpub/cpub/workflows/client"
)

const doctorHelp = `doctor looks at this machine as its worker would: at worker.hcl, Temporal, the
store, the registries, disk and clocks, and at each provider instance, which it
starts and asks: Podman with its host, S3 with its buckets. It says what is wrong
and what to do about it. docs/doctor.md lists all that it looks at.

It takes the worker.hcl that --config or CPUB_WORKER_CONFIG names, else worker.hcl
in the working directory, else the default for a developer's own machine. Call it
as the worker's user, with its environment.

--fix does what can be done safely, says so, and looks again: it registers search
attributes, makes folders, takes permissions away from files with secrets, and, as
root, sets ids aside for containers. With --dry-run it only says what it would do.

Exit codes: 0 nothing fails (there may be warnings), 1 something fails, 2 wrong use.`

// doctorFlags are the flags of doctor.
type doctorFlags struct {
	config, state              string
	fix, dryRun, quiet, asJSON bool
}

func newDoctor(c *stdio) *cobra.Command {
	var f doctorFlags
	cmd := &cobra.Command{
		Use:   "doctor",
		Short: "Look what is wrong with this machine's worker, and say what to do about it",
		Long:  doctorHelp,
		Args:  needs(0, 0, "no argument"),
		RunE: verb(func(cmd *cobra.Command, _ []string) error {
			if f.dryRun && !f.fix {
				return usagef("--dry-run says what --fix would do: write both")
			}
			return examine(cmd.Context(), c, f)
		}),
	}
	cmd.Flags().StringVar(&f.config, "config", "", "the worker's configuration (default: as cpub-worker finds it)")
	cmd.Flags().StringVar(&f.state, "state", "", "the worker's own folder (default: as cpub-worker finds it)")
	cmd.Flags().BoolVar(&f.fix, "fix", false, "do what can be done safely")
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "with --fix: only say what would be done")
	cmd.Flags().BoolVarP(&f.quiet, "quiet", "q", false, "leave out what is fine")
	jsonFlag(cmd, &f.asJSON)
	_ = cmd.MarkFlagFilename("config", "hcl") // the flag is there
	return cmd
}

// examine looks, mends where that was asked for, and looks again where anything was mended.
func examine(ctx context.Context, c *stdio, f doctorFlags) error {
	all, err := look(ctx, c, f)
	if err != nil {
		return err
	}
	if f.fix && mend(ctx, c, all, f) {
		if all, err = look(ctx, c, f); err != nil {
			return err
		}
	}
	if err := printFindings(c, all, f); err != nil {
		return err
	}
	for _, finding := range all {
		if finding.Failed() {
			return exit(exitFailed)
		}
	}
	return nil
}

// look looks at the machine, and then at Temporal: which queues should be polled is known from the machine.
func look(ctx context.Context, c *stdio, f doctorFlags) ([]doctor.Finding, error) {
	report, err := doctor.Look(ctx, doctor.Options{
		Machine: machine.Options{Config: f.config, State: f.state, Folders: filepath.SplitList(c.getenv("CPUB_PROVIDERS"))},
		Version: readVersion().Version,
	})
	if err != nil {
		return nil, err
	}
	opts := client.Options{}
	if t := report.Machine.Worker.Temporal; t != nil {
		opts.Address, opts.Namespace = t.Address, t.Namespace
	}
	var queues []string
	for _, i := range report.Instances {
		queues = append(queues, client.InstanceQueue(i.Instance, ""))
		if i.Location != "" {
			queues = append(queues, client.InstanceQueue(i.Instance, i.Location))
		}
	}
	var all, temporal []doctor.Finding
	for _, found := range client.Examine(ctx, opts, queues) {
		finding := doctor.Finding{Group: doctor.GroupTemporal, Finding: found}
		if found.Name == client.FindingAttributes && !found.OK {
			finding.Planned = "register the search attributes that Temporal lacks"
			finding.Apply = func(ctx context.Context) (string, error) {
				names, err := client.RegisterAttributes(ctx, opts)
				return "registered the search attributes " + strings.Join(names, " and "), err
			}
		}
		temporal = append(temporal, finding)
	}
	for n, finding := range report.Findings { // after worker.hcl
		if finding.Group != doctor.GroupWorker && temporal != nil {
			all, temporal = append(all, temporal...), nil
		}
		all = append(all, report.Findings[n])
	}
	return append(all, temporal...), nil
}
