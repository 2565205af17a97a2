package main

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/containerpub/cpub/engine/artifact"
	"github.com/containerpub/cpub/engine/machine"
	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/schema"
)

// dfCommand is what df was asked for.
type dfCommand struct {
	here

	asJSON, verbose bool
}

func newDf(c *stdio) *cobra.Command {
	d := &dfCommand{here: here{c: c}}
	cmd := &cobra.Command{
		Use:   "df",
		Short: "Show what ours takes on disk",
		Long: `df shows what runs have on disk: containers, images that are kept for runs,
volumes; the store of plans, artifacts and logs; and what the worker keeps here.
Reclaimable is what cpub prune would remove now, as far as Temporal can be asked
which runs are open.

` + hereHelp,
		Args: needs(0, 0, "no argument"),
		RunE: verb(func(cmd *cobra.Command, _ []string) error { return d.do(cmd.Context()) }),
	}
	cmd.Flags().BoolVarP(&d.verbose, "verbose", "v", false, "each thing of the providers on a line of its own")
	d.flags(cmd)
	jsonFlag(cmd, &d.asJSON)
	return cmd
}

// dfRow is all of one kind in one place, or one thing of it, as --json prints it.
type dfRow struct {
	Place string `json:"place"` // an instance, "store" or "worker"
	Kind  string `json:"kind"`
	// Item is set where the row is one thing alone.
	Item  *sdk.Item `json:"item,omitempty"`
	Count int       `json:"count"`
	Bytes int64     `json:"bytes"` // what is known of it
	// Reclaimable is left out where it is not known.
	Reclaimable *int64 `json:"reclaimable,omitempty"`
}

func (d *dfCommand) do(ctx context.Context) error {
	m, providers, stop, err := d.start(ctx, nil)
	if err != nil {
		return err
	}
	defer stop()
	all := providers.Inventory(ctx, sdk.InventoryQuery{Sizes: true})
	if err := d.complain(all); err != nil {
		return err
	}
	needless := map[string]int64{} // by place and kind
	live, err := d.liveRuns(ctx, m)
	if err != nil {
		d.c.note("what is reclaimable cannot be told: %v", err)
		needless = nil
	} else {
		for _, i := range providers.Prune(ctx, sdk.Sweep{LiveRuns: live, Grace: schema.Duration(pruneGrace)}, true) {
			for _, item := range i.Items {
				needless[i.Instance+" "+item.Kind] += max(item.Bytes, 0)
			}
		}
	}
	var rows []dfRow
	for _, i := range all {
		rows = append(rows, d.rowsOf(i.Instance, i.Items, needless)...)
	}
	if more, err := d.storeRows(ctx, m); err != nil {
		d.c.note("the store: %v", err)
	} else {
		rows = append(rows, more...)
	}
	return d.print(append(rows, workerRows(m)...))
}

// rowsOf are the rows of one instance, its kinds in the order of their first appearance.
func (d *dfCommand) rowsOf(place string, items []sdk.Item, needless map[string]int64) []dfRow {
	var rows []dfRow
	at := map[string]int{}
	for _, i := range items {
		n, known := at[i.Kind]
		if !known {
			n = len(rows)
			at[i.Kind] = n
			rows = append(rows, dfRow{Place: place, Kind: i.Kind})
			if needless != nil {
				bytes := needless[place+" "+i.Kind]
				rows[n].Reclaimable = &bytes
			}
		}
		rows[n].Count++
		rows[n].Bytes += max(i.Bytes, 0)
	}
	if d.verbose {
		for _, i := range items {
			rows = append(rows, dfRow{Place: place, Kind: i.Kind, Item: &i, Count: 1, Bytes: max(i.Bytes, 0)})
		}
	}
	return rows
}

// storeRows are what lies in the store.
func (d *dfCommand) storeRows(ctx context.Context, m *machine.Machine) ([]dfRow, error) {
	if m.StoreURL == "" {
		return nil, errors.New("none is named")
	}
	store, err := d.openStore(ctx, m)
	if err != nil {
		return nil, err
	}
	defer store.Close()
	rows := []dfRow{
		{Place: "store", Kind: "plans and artifacts"}, {Place: "store", Kind: "chunks of logs"}, {Place: "store", Kind: "published names"}, {Place: "store", Kind: "other"},
	}
	err = store.Objects(ctx, "", func(o artifact.Object) error {
		n := 3
		switch first, _, _ := strings.Cut(o.Key, "/"); first {
		case "blobs":
			n = 0
		case "logs":
			n = 1
		case "published":
			n = 2
		}
		rows[n].Count++
		rows[n].Bytes += o.Size
		return nil
	})
	if rows[3].Count == 0 {
		rows = rows[:3]
	}
	return rows, err
}

// workerRows are what the worker keeps in its folder, which may be another user's and closed to this one.
func workerRows(m *machine.Machine) []dfRow {
	var rows []dfRow
	for _, f := range []struct{ kind, dir string }{
		{"copies of artifacts", filepath.Join(m.Cache(), "files")},
		{"unpacked folders", filepath.Join(m.Cache(), "trees")},
		{"kept results", filepath.Join(m.Cache(), "results")},
		{"under way", filepath.Join(m.Cache(), "tmp")},
		{"kept by providers", filepath.Join(m.State, "instances")},
	} {
		row := dfRow{Place: "worker", Kind: f.kind}
		_ = filepath.WalkDir(f.dir, func(_ string, e fs.DirEntry, err error) error {
			if err != nil || e.IsDir() {
				return nil //nolint:nilerr // what cannot be seen, or has just gone, is left out
			}
			if info, err := e.Info(); err == nil {
				row.Count++
				row.Bytes += info.Size()
			}
			return nil
		})
		rows = append(rows, row)
	}
	return rows
}
