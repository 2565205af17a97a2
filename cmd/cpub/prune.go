package main

import (
	"bufio"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/containerpub/cpub/cmd/cpub/internal/view"
	"github.com/containerpub/cpub/engine/host"
	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/schema"
)

// How old something of a run must be that Temporal does not list as open, as its list may be a moment old: as a rule, as for the worker's own
// sweeps, and at the least.
const (
	pruneGrace    = 2 * time.Minute
	leastPruneAge = 10 * time.Second
)

// pruneCommand is what prune was asked for.
type pruneCommand struct {
	here

	asJSON, dryRun, force bool
	olderThan             time.Duration
}

func newPrune(c *stdio) *cobra.Command {
	p := &pruneCommand{here: here{c: c}}
	cmd := &cobra.Command{
		Use:   "prune",
		Short: "Remove what runs left on this machine that nothing needs",
		Long: `prune removes the containers and volumes of runs that are not open, and the names
that keep images for them, with the images that nothing else names or uses. A
worker does the same every minute; prune does it now, tells what it removes, and
also where no worker runs. Runs are asked for in the worker's Temporal: where it
does not answer, nothing is removed. Plans, artifacts and logs in the store stay.

It shows the list and asks before it removes anything; without a terminal it needs
--force.

` + hereHelp,
		Args: needs(0, 0, "no argument"),
		RunE: verb(func(cmd *cobra.Command, _ []string) error { return p.do(cmd.Context()) }),
	}
	cmd.Flags().BoolVar(&p.dryRun, "dry-run", false, "only show what would be removed")
	cmd.Flags().BoolVar(&p.force, "force", false, "do not ask")
	cmd.Flags().DurationVar(&p.olderThan, "older-than", pruneGrace, "leave what is younger")
	p.flags(cmd)
	jsonFlag(cmd, &p.asJSON)
	return cmd
}

func (p *pruneCommand) do(ctx context.Context) error {
	asks := !p.force && !p.dryRun
	switch {
	case p.olderThan < leastPruneAge:
		return usagef("--older-than is at least %s: Temporal's list of open runs may be a moment old", leastPruneAge)
	case asks && (p.asJSON || !p.c.inTTY || !p.c.errTTY):
		return usagef("there is nobody to ask: --force removes without asking, --dry-run only shows what would be removed")
	}
	m, providers, stop, err := p.start(ctx, nil)
	if err != nil {
		return err
	}
	defer stop()
	prune := func(dryRun bool) ([]host.Items, error) {
		live, err := p.liveRuns(ctx, m)
		if err != nil {
			return nil, err
		}
		all := providers.Prune(ctx, sdk.Sweep{LiveRuns: live, Grace: schema.Duration(p.olderThan)}, dryRun)
		return all, p.complain(all)
	}
	if p.force {
		all, err := prune(false)
		if err != nil {
			return err
		}
		return p.tell(all, true)
	}
	all, err := prune(true)
	if err != nil {
		return err
	}
	if err := p.tell(all, false); err != nil || p.dryRun || countOf(all) == 0 || !p.confirmed() {
		return err
	}
	if all, err = prune(false); err != nil {
		return err
	}
	p.c.note("removed %d things", countOf(all))
	return nil
}

// confirmed asks the user.
func (p *pruneCommand) confirmed() bool {
	fmt.Fprint(p.c.err, "Remove these? [y/N] ")
	line, err := bufio.NewReader(p.c.in).ReadString('\n')
	answer := strings.ToLower(strings.TrimSpace(line))
	return err == nil && (answer == "y" || answer == "yes")
}

func countOf(all []host.Items) (n int) {
	for _, i := range all {
		n += len(i.Items)
	}
	return n
}

// pruned is one thing, as --json prints it.
type pruned struct {
	Instance string `json:"instance"`
	Removed  bool   `json:"removed"` // and not only found
	sdk.Item
}

// tell prints what was, or would be, removed.
func (p *pruneCommand) tell(all []host.Items, removed bool) error {
	table := [][]string{{"PLACE", "KIND", "ID", "NAME", "RUN", "STEP", "STATE", "CREATED", "SIZE", "SHARED"}}
	var bytes int64
	for _, i := range all {
		for _, item := range i.Items {
			bytes += max(item.Bytes, 0)
			table = append(table, thingRow(i.Instance, item))
			if p.asJSON {
				if err := p.c.printJSON(pruned{Instance: i.Instance, Removed: removed, Item: item}); err != nil {
					return err
				}
			}
		}
	}
	if p.asJSON {
		return nil
	}
	if len(table) == 1 {
		p.c.note("there is nothing to remove")
		return nil
	}
	if err := printLines(p.c.out, p.c.style(p.c.out).Table(table)); err != nil {
		return err
	}
	what := "would be removed"
	if removed {
		what = "removed"
	}
	p.c.note("%d things %s, %s at least", len(table)-1, what, view.Bytes(bytes))
	return nil
}
