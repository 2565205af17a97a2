package main

import (
	"fmt"
	"strings"
	"time"

	"github.com/containerpub/cpub/cmd/cpub/internal/view"
)

// print prints what one look showed.
func (s *statsCommand) print(rows []statsRow) error {
	for _, r := range rows {
		if s.asJSON {
			if err := s.c.printJSON(r); err != nil {
				return err
			}
		}
	}
	switch {
	case s.asJSON:
		return nil
	case len(rows) == 0:
		s.c.note("%s", s.nothing())
		return nil
	}
	return printLines(s.c.out, s.c.style(s.c.out).Table(statsTable(rows)))
}

func (s *statsCommand) nothing() string {
	if s.run != "" {
		return "nothing of run " + view.Clean(s.run) + " runs on this machine; cpub status tells which worker has its steps"
	}
	return "no containers of ours run on this machine"
}

// block is what a terminal shows of one look.
func (s *statsCommand) block(rows []statsRow) []string {
	style := s.c.style(s.c.out)
	if len(rows) == 0 {
		return []string{style.Cut(s.nothing())}
	}
	lines := style.Table(statsTable(rows))
	if most := style.Height - 2; most > 1 && len(lines) > most {
		more := len(lines) - most
		lines = append(lines[:most], fmt.Sprintf("and %d more", more))
	}
	for n := range lines {
		lines[n] = style.Cut(lines[n])
	}
	return lines
}

// statsTable is the rows as people read them. The instance is told where there are several.
func statsTable(rows []statsRow) [][]string {
	several := false
	for _, r := range rows {
		several = several || r.Instance != rows[0].Instance
	}
	head := []string{"RUN", "STEP", "CONTAINER", "MEMORY", "CPU", "PIDS", "LEFT"}
	if several {
		head = append([]string{"INSTANCE"}, head...)
	}
	table := [][]string{head}
	for _, r := range rows {
		row := []string{
			orDash(runID(r.Run)), orDash(r.Step), shortID(r), of(r.Memory, r.Limit, view.Bytes) + percent(r.Memory, r.Limit), cpuText(r),
			of(r.Pids, r.PidsLimit, func(n int64) string { return fmt.Sprint(n) }), leftText(r),
		}
		if several {
			row = append([]string{r.Instance}, row...)
		}
		table = append(table, row)
	}
	return table
}

// runID is the workflow id of a run's name.
func runID(run string) string {
	if i := strings.LastIndexByte(run, '/'); i >= 0 {
		return run[:i]
	}
	return run
}

func orDash(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

func shortID(r statsRow) string {
	if strings.HasPrefix(r.Name, "build ") {
		return r.Name
	}
	return r.ID[:min(len(r.ID), 12)]
}

// of is a number and its limit.
func of(n, limit *int64, text func(int64) string) string {
	switch {
	case n == nil:
		return "-"
	case limit == nil:
		return text(*n)
	}
	return text(*n) + " / " + text(*limit)
}

func percent(n, limit *int64) string {
	if n == nil || limit == nil || *limit == 0 {
		return ""
	}
	return fmt.Sprintf(" (%.0f%%)", 100*float64(*n)/float64(*limit))
}

func cpuText(r statsRow) string {
	if r.CPUs == nil {
		return "-"
	}
	text := fmt.Sprintf("%.0f%%", 100**r.CPUs)
	if r.CPULimit != nil {
		text += fmt.Sprintf(" / %.0f%%", 100**r.CPULimit)
	}
	return text
}

func leftText(r statsRow) string {
	if r.Left == nil {
		return "-"
	}
	return view.Duration(time.Duration(*r.Left * float64(time.Second)))
}
