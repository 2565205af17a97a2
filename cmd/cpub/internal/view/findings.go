package view

import (
	"strings"

	"github.com/mattn/go-runewidth"
)

// Checked is one thing that was looked at.
type Checked struct {
	// Group is under which heading it stands; those of one group follow one another.
	Group string
	// Mark is "ok", "warning" or "FAIL".
	Mark string
	// Name is what was looked at, Detail what was seen, Remedy what to do about it, and empty for nothing.
	Name, Detail, Remedy string
}

// Findings lists what was looked at by group: a line each, and below those that are not fine what to do about them.
func (s Style) Findings(all []Checked) []string {
	const marks = 9
	names := 0
	for _, f := range all {
		names = max(names, runewidth.StringWidth(f.Name))
	}
	names = min(names, 48)
	fill := func(text string, width int) string {
		return strings.Repeat(" ", max(0, width-runewidth.StringWidth(text)))
	}
	color := map[string]string{"ok": green, "warning": yellow, "FAIL": red}
	arrow := "-> "
	if s.Unicode {
		arrow = "→ "
	}
	var lines []string
	group := ""
	for _, f := range all {
		if f.Group != group {
			group = f.Group
			if len(lines) > 0 {
				lines = append(lines, "")
			}
			lines = append(lines, s.paint(bold, line(group)))
		}
		name := line(f.Name)
		lines = append(lines, "  "+s.paint(color[f.Mark], f.Mark)+fill(f.Mark, marks)+name+fill(name, names)+"  "+line(f.Detail))
		if f.Remedy != "" {
			lines = append(lines, strings.Repeat(" ", 2+marks)+arrow+line(f.Remedy))
		}
	}
	return lines
}
