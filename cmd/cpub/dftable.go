package main

import (
	"fmt"
	"time"

	"github.com/containerpub/cpub/cmd/cpub/internal/view"
	"github.com/containerpub/cpub/sdk"
)

func (d *dfCommand) print(rows []dfRow) error {
	table := [][]string{{"PLACE", "KIND", "COUNT", "SIZE", "RECLAIMABLE"}}
	things := [][]string{{"PLACE", "KIND", "ID", "NAME", "RUN", "STEP", "STATE", "CREATED", "SIZE", "SHARED"}}
	for _, r := range rows {
		switch {
		case d.asJSON:
			if err := d.c.printJSON(r); err != nil {
				return err
			}
		case r.Item != nil:
			things = append(things, thingRow(r.Place, *r.Item))
		default:
			reclaimable := ""
			if r.Reclaimable != nil {
				reclaimable = view.Bytes(*r.Reclaimable)
			}
			table = append(table, []string{r.Place, r.Kind, fmt.Sprint(r.Count), view.Bytes(r.Bytes), reclaimable})
		}
	}
	if d.asJSON {
		return nil
	}
	style := d.c.style(d.c.out)
	lines := style.Table(table)
	if len(things) > 1 {
		lines = append(append(lines, ""), style.Table(things)...)
	}
	return printLines(d.c.out, lines)
}

// thingRow is one thing in a table.
func thingRow(place string, i sdk.Item) []string {
	created := "-"
	if !i.Created.IsZero() {
		created = i.Created.Local().Format(time.DateTime)
	}
	return []string{
		place, i.Kind, orDash(i.ID[:min(len(i.ID), 12)]), orDash(i.Name), orDash(runID(i.Run)), orDash(i.Step), orDash(i.State), created,
		sizeText(i.Bytes), sizeText(i.Shared),
	}
}

func sizeText(n int64) string {
	if n < 0 {
		return "-"
	}
	return view.Bytes(n)
}
