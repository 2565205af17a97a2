package main

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/containerpub/cpub/workflows/client"
)

const scheduleHelp = `schedule puts the schedule blocks of a module into Temporal, which begins their runs
from then on, and looks after them. In Temporal their ids are cpub-schedule/NAME.`

func newSchedule(c *stdio) *cobra.Command {
	cmd := &cobra.Command{
		Use: "schedule", Short: "Begin runs by themselves: put schedules into Temporal and look after them", Long: scheduleHelp,
		Args: cobra.ArbitraryArgs, RunE: namespaced,
	}
	cmd.AddCommand(
		newScheduleApply(c), newScheduleList(c), newScheduleTrigger(c),
		newScheduleChange(c, "pause", "paused", "Let a schedule begin no more runs", "", (*client.Client).PauseSchedule),
		newScheduleChange(c, "resume", "resumed", "Let a schedule begin runs again", "", (*client.Client).ResumeSchedule),
		newScheduleDelete(c),
	)
	return cmd
}

const scheduleApplyHelp = `apply makes Temporal's schedules those that a module declares: it creates those that are
not there, updates those that differ, and leaves the others as they are. The runs of
a schedule have the plan that it was applied with. A schedule that someone has paused
stays so, unless its block says otherwise.

--owner names those who declare the schedules, such as a repository or a team: from
then on nobody else changes them. --prune deletes the owner's schedules that the
module does not declare; without an owner nothing tells them from those of others.`

func newScheduleApply(c *stdio) *cobra.Command {
	var (
		asJSON bool
		opts   client.ApplyOptions
	)
	cmd := &cobra.Command{
		Use: "apply FILE|FOLDER", Short: "Make Temporal's schedules those that a module declares", Long: scheduleApplyHelp,
		Example: `  cpub schedule apply pipelines
  cpub schedule apply pipelines --owner billing --prune`,
		Args: needs(1, 1, "a file or folder"),
		RunE: verb(func(cmd *cobra.Command, args []string) error {
			if opts.Prune && opts.Owner == "" {
				return usagef("--prune needs --owner: what is to be deleted is known by its owner")
			}
			m, err := loadModule(cmd.Context(), c, args[0])
			if err != nil {
				return err
			}
			if len(m.Schedules) == 0 && !opts.Prune {
				return usagef("there is no schedule in %s: write a block `schedule \"NAME\" { … }`", args[0])
			}
			cl, done, err := connect(cmd.Context(), c, true)
			if err != nil {
				return err
			}
			defer done()
			if !opts.DryRun {
				if err := upload(cmd.Context(), c, cl, m); err != nil {
					return err
				}
			}
			opts.Schedules = scheduled(m)
			return applySchedules(cmd.Context(), c, cl, opts, asJSON)
		}),
	}
	cmd.Flags().StringVar(&opts.Owner, "owner", "", "who declares these schedules")
	cmd.Flags().BoolVar(&opts.Prune, "prune", false, "delete the owner's schedules that are not declared")
	cmd.Flags().BoolVar(&opts.DryRun, "dry-run", false, "change nothing, and print what would be done")
	jsonFlag(cmd, &asJSON)
	return cmd
}

// scheduled are the module's schedules with their plans.
func scheduled(m *module) (out []client.Scheduled) {
	for _, s := range m.Schedules {
		plan := m.Plan(s.Pipeline)
		out = append(out, client.Scheduled{Schedule: s, Plan: plan, Callees: m.Callees(plan)})
	}
	return out
}

func applySchedules(ctx context.Context, c *stdio, cl *client.Client, opts client.ApplyOptions, asJSON bool) error {
	rows := [][]string{{"SCHEDULE", "DONE", "PIPELINE", "NEXT"}}
	if opts.DryRun {
		rows[0][1] = "TO DO"
	}
	err := cl.ApplySchedules(ctx, opts, func(a client.Applied) error {
		if asJSON {
			return c.printJSON(a)
		}
		did := a.Action
		if opts.DryRun {
			did = map[string]string{client.ScheduleCreated: "create", client.ScheduleUpdated: "update", client.ScheduleDeleted: "delete"}[did]
			if did == "" {
				did = "nothing"
			}
		}
		if len(a.Changes) > 0 {
			did += " (" + strings.Join(a.Changes, ", ") + ")"
		}
		if a.Action == client.ScheduleDeleted {
			rows = append(rows, []string{a.Name, did, a.Pipeline, ""})
			return nil
		}
		rows = append(rows, []string{a.Name, did, a.Pipeline, nextText(a.Paused, a.Next)})
		return nil
	})
	if len(rows) > 1 { // of those that were done before an error too
		err = errors.Join(err, printLines(c.out, c.style(c.out).Table(rows)))
	}
	return err
}

// nextText says when the next run begins.
func nextText(paused bool, next *time.Time) string {
	switch {
	case paused:
		return "paused"
	case next == nil:
		return ""
	}
	return next.Local().Format(time.DateTime)
}

func newScheduleList(c *stdio) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "list", Short: "List the schedules that Temporal has",
		Args: needs(0, 0, "nothing"),
		RunE: verb(func(cmd *cobra.Command, _ []string) error {
			cl, done, err := connect(cmd.Context(), c, false)
			if err != nil {
				return err
			}
			defer done()
			all, err := cl.Schedules(cmd.Context())
			if err != nil {
				return err
			}
			return printSchedules(c, all, asJSON)
		}),
	}
	jsonFlag(cmd, &asJSON)
	return cmd
}

func printSchedules(c *stdio, all []client.Schedule, asJSON bool) error {
	rows := [][]string{{"SCHEDULE", "PIPELINE", "WHEN", "NEXT", "LAST RUN", "OWNER"}}
	for _, s := range all {
		if asJSON {
			if err := c.printJSON(s); err != nil {
				return err
			}
			continue
		}
		when := strings.Join(s.Times, "; ")
		if s.Timezone != "" && s.Timezone != "UTC" {
			when += " " + s.Timezone
		}
		last := ""
		if s.Last != nil {
			last = s.Last.ID
		}
		rows = append(rows, []string{s.Name, s.Pipeline, when, nextText(s.Paused, s.Next), last, s.Owner})
	}
	switch {
	case asJSON:
		return nil
	case len(all) == 0:
		c.note("there are no schedules")
		return nil
	}
	return printLines(c.out, c.style(c.out).Table(rows))
}

func newScheduleTrigger(c *stdio) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use: "trigger NAME", Short: "Begin a run of a schedule now",
		Long: `trigger begins a run of a schedule now, paused or not, and prints its id. The
schedule's overlap holds: where an earlier run is under way, there may be none.`,
		Args:              needs(1, 1, "a schedule's name"),
		ValidArgsFunction: completeSchedule(c),
		RunE: verb(func(cmd *cobra.Command, args []string) error {
			cl, done, err := connect(cmd.Context(), c, false)
			if err != nil {
				return err
			}
			defer done()
			t, err := cl.TriggerSchedule(cmd.Context(), args[0])
			switch {
			case err != nil:
				return err
			case t.Skipped:
				return errors.New("no run was begun: an earlier one is under way, and the schedule's overlap skips this one")
			case t.Run == nil:
				c.note("the run waits for an earlier one, as the schedule's overlap says")
				return nil
			case asJSON:
				return c.printJSON(t.Run)
			}
			return printLines(c.out, []string{t.Run.ID})
		}),
	}
	jsonFlag(cmd, &asJSON)
	return cmd
}

// newScheduleChange is a command that does one thing to a schedule, with a note that says why.
func newScheduleChange(
	c *stdio, name, did, short, long string, change func(cl *client.Client, ctx context.Context, name, note string) error,
) *cobra.Command {
	var (
		asJSON bool
		note   string
	)
	cmd := &cobra.Command{
		Use: name + " NAME", Short: short, Long: long,
		Args:              needs(1, 1, "a schedule's name"),
		ValidArgsFunction: completeSchedule(c),
		RunE: verb(func(cmd *cobra.Command, args []string) error {
			cl, done, err := connect(cmd.Context(), c, false)
			if err != nil {
				return err
			}
			defer done()
			if err := change(cl, cmd.Context(), args[0], note); err != nil {
				return err
			}
			return reportSchedule(c, args[0], did, asJSON)
		}),
	}
	cmd.Flags().StringVar(&note, "note", "", "why")
	jsonFlag(cmd, &asJSON)
	return cmd
}

func newScheduleDelete(c *stdio) *cobra.Command {
	cmd := newScheduleChange(c, "delete", "deleted", "Remove a schedule", "delete removes a schedule. The runs that it has begun go on.",
		func(cl *client.Client, ctx context.Context, name, _ string) error {
			return cl.DeleteSchedule(ctx, name)
		})
	_ = cmd.Flags().MarkHidden("note") // there is nothing left to bear it
	return cmd
}

// reportSchedule tells in one line what was done to a schedule.
func reportSchedule(c *stdio, name, did string, asJSON bool) error {
	if asJSON {
		return c.printJSON(struct {
			Schedule string `json:"schedule"`
			Action   string `json:"action"`
		}{name, did})
	}
	c.note("schedule %s %s", name, did)
	return nil
}
