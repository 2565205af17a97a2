package main

import (
	"context"
	"fmt"

	"github.com/containerpub/cpub/cmd/cpub/internal/view"
	"github.com/containerpub/cpub/engine/doctor"
)

// mend does what can be done about the findings, or says what it would do. It tells whether it did anything.
func mend(ctx context.Context, c *stdio, all []doctor.Finding, f doctorFlags) bool {
	mended := false
	for _, finding := range all {
		if !finding.Fixable() {
			continue
		}
		if f.dryRun {
			for _, step := range finding.Plan() {
				c.note("%s: would %s", finding.Name, view.Clean(step))
			}
			continue
		}
		did, err := finding.Fix(ctx)
		for _, step := range did {
			c.note("%s: %s", finding.Name, view.Clean(step))
			mended = true
		}
		if err != nil {
			c.note("%s cannot be fixed: %s", finding.Name, view.Clean(err.Error()))
		}
	}
	return mended
}

// printFindings prints a line for each finding, by group, and how many there are; or an object for each.
func printFindings(c *stdio, all []doctor.Finding, f doctorFlags) error {
	var shown []view.Checked
	counts := map[string]int{}
	for _, finding := range all {
		mark := "ok"
		switch {
		case finding.Failed():
			mark = "FAIL"
		case !finding.OK:
			mark = "warning"
		}
		counts[mark]++
		if f.quiet && finding.OK {
			continue
		}
		if f.asJSON {
			if err := c.printJSON(finding); err != nil {
				return err
			}
			continue
		}
		name := finding.Name
		if finding.Subject != "" {
			name += " " + finding.Subject
		}
		shown = append(shown, view.Checked{Group: finding.Group, Mark: mark, Name: name, Detail: finding.Detail, Remedy: finding.Remedy})
	}
	if f.asJSON {
		return nil
	}
	lines := c.style(c.out).Findings(shown)
	if len(lines) > 0 {
		lines = append(lines, "")
	}
	return printLines(c.out, append(lines, fmt.Sprintf("%d fine, %s, %s.", counts["ok"], plural(counts["warning"], "warning"), plural(counts["FAIL"], "failure"))))
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
