package main

import (
	"fmt"

	"github.com/spf13/cobra"
)

const rootHelp = `cpub runs pipelines written in HCL as durable Temporal workflows: it checks them,
starts runs, follows them and answers questions about them.

It finds Temporal as the temporal CLI does (TEMPORAL_ADDRESS, TEMPORAL_NAMESPACE,
TLS, API key, profiles in temporal.toml), and plans and logs in CPUB_STORE, or
where a cpub-worker without a worker.hcl keeps them on this machine. cpub-dev
runs all of that on one machine.

Exit codes: 0 succeeded, 1 the run failed, 2 wrong use or an invalid pipeline,
3 a service cannot be reached, 4 cancelled.`

// newRoot describes the command line.
func newRoot(c *stdio) *cobra.Command {
	root := &cobra.Command{
		Use:           "cpub",
		Short:         "Run pipelines as durable workflows",
		Long:          rootHelp,
		SilenceUsage:  true,
		SilenceErrors: true,
		Args:          cobra.NoArgs,
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetOut(c.out)
	root.SetErr(c.err)
	root.AddGroup(
		&cobra.Group{ID: groupWrite, Title: "Write pipelines:"},
		&cobra.Group{ID: groupRun, Title: "Run them:"},
		&cobra.Group{ID: groupMachine, Title: "Look after a worker's machine:"},
		&cobra.Group{ID: groupOther, Title: "More:"},
	)
	root.SetHelpCommandGroupID(groupOther)
	root.SetCompletionCommandGroupID(groupOther)
	add(root, groupWrite, newInit(c), newValidate(c), newPlan(c), newTest(c), newGraph(c), newConsole(c), newFmt(c))
	add(root, groupRun, newRun(c), newRerun(c), newPublish(c), newPs(c), newStatus(c), newLogs(c), newCancel(c), newTerminate(c), newShell(c))
	add(root, groupRun, newApprove(c), newReject(c), newSchedule(c))
	add(root, groupMachine, newDoctor(c), newStats(c), newDf(c), newPrune(c))
	add(root, groupOther, newProvider(c), newVersion(c))
	return root
}

// The groups of commands in the help.
const (
	groupWrite   = "write"
	groupRun     = "run"
	groupMachine = "machine"
	groupOther   = "other"
)

// add puts commands into a group.
func add(root *cobra.Command, group string, cmds ...*cobra.Command) {
	for _, cmd := range cmds {
		cmd.GroupID = group
		root.AddCommand(cmd)
	}
}

// needs checks the number of arguments, and says what is wrong in words; most < 0 means any number.
func needs(least, most int, what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		switch {
		case len(args) < least:
			return usagef("%s needs %s: %s", cmd.CommandPath(), what, cmd.UseLine())
		case most >= 0 && len(args) > most:
			return usagef("%s: unexpected argument %q: %s", cmd.CommandPath(), args[most], cmd.UseLine())
		}
		return nil
	}
}

// jsonFlag is the flag of all commands that report.
func jsonFlag(cmd *cobra.Command, asJSON *bool) {
	cmd.Flags().BoolVar(asJSON, "json", false, "print one JSON object a line")
}

// namespaced runs a group of commands: without one of them it is wrong use.
func namespaced(cmd *cobra.Command, _ []string) error {
	return usagef("name what to do: %s", fmt.Sprintf("%s --help lists it", cmd.CommandPath()))
}
