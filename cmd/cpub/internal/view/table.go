package view

import (
	"strings"

	"github.com/mattn/go-runewidth"
)

// Table is rows in columns, the first row being the head. The column called STATUS is coloured.
func (s Style) Table(rows [][]string) []string {
	if len(rows) == 0 {
		return nil
	}
	widths := make([]int, len(rows[0]))
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], runewidth.StringWidth(line(cell)))
		}
	}
	var lines []string
	for n, row := range rows {
		var b strings.Builder
		for i, cell := range row {
			text := line(cell)
			fill := strings.Repeat(" ", widths[i]-runewidth.StringWidth(text)+2)
			switch {
			case n == 0:
				text = s.paint(bold, text)
			case rows[0][i] == "STATUS":
				text = s.paint(color(cell), text)
			}
			b.WriteString(text + fill)
		}
		lines = append(lines, strings.TrimRight(b.String(), " "))
	}
	return lines
}
