package view

import (
	"fmt"
	"regexp"
	"strings"
	"time"
	"unicode"

	"github.com/mattn/go-runewidth"
)

// Style is what the place that is written to can show. The zero value is a pipe.
type Style struct {
	Color   bool
	Unicode bool
	Width   int // columns; 0 means that lines are not cut
	Height  int // rows of the terminal; 0 means any number
}

// The colours, as parameters of the SGR sequence.
const (
	bold   = "1"
	dim    = "2"
	red    = "31"
	green  = "32"
	yellow = "33"
	cyan   = "36"
)

// paint colours text where the style allows it.
func (s Style) paint(color, text string) string {
	if !s.Color || text == "" || color == "" {
		return text
	}
	return "\x1b[" + color + "m" + text + "\x1b[0m"
}

// cut shortens plain text (without colours) to n columns.
func (s Style) cut(text string, n int) string {
	if s.Width == 0 {
		return text
	}
	if n <= 0 {
		return ""
	}
	ellipsis := "..."
	if s.Unicode {
		ellipsis = "…"
	}
	return runewidth.Truncate(text, n, ellipsis)
}

// Cut shortens plain text to what fits on a line.
func (s Style) Cut(text string) string { return s.cut(text, s.Width-1) }

// color is the colour of a status.
func color(status string) string {
	switch status {
	case Succeeded:
		return green
	case Failed, "terminated", "timed_out":
		return red
	case Cancelled, Retrying:
		return yellow
	case Running:
		return cyan
	}
	return dim
}

// mark is a status in one column; running turns with the time.
func (s Style) mark(status string, elapsed time.Duration) string {
	unicodeMarks := map[string]string{Succeeded: "✔", Failed: "✘", Cancelled: "■", Skipped: "○", Retrying: "↻", Queued: "…", Pending: "·"}
	asciiMarks := map[string]string{Succeeded: "+", Failed: "x", Cancelled: "#", Skipped: "o", Retrying: "~", Queued: ":", Pending: "."}
	marks, spinner := asciiMarks, []rune(`|/-\`)
	if s.Unicode {
		marks, spinner = unicodeMarks, []rune("⠋⠙⠹⠸⠼⠴⠦⠧⠇⠏")
	}
	m, ok := marks[status]
	if !ok {
		m = string(spinner[int(elapsed/(100*time.Millisecond))%len(spinner)])
	}
	return s.paint(color(status), m)
}

// Duration is a duration for people: 0.4s, 12.0s, 1m05s, 2h03m.
func Duration(d time.Duration) string {
	switch {
	case d < 0:
		return "0.0s"
	case d < 59950*time.Millisecond:
		return fmt.Sprintf("%.1fs", d.Seconds())
	case d < time.Hour:
		d = d.Round(time.Second)
		return fmt.Sprintf("%dm%02ds", int(d.Minutes()), int(d.Seconds())%60)
	}
	return fmt.Sprintf("%dh%02dm", int(d.Hours()), int(d.Minutes())%60)
}

// Bytes is a number of bytes for people: 512B, 1.5MiB, as sizes are written in HCL.
func Bytes(n int64) string {
	if n < 1024 {
		return fmt.Sprintf("%dB", n)
	}
	value, unit := float64(n), ""
	for _, unit = range []string{"KiB", "MiB", "GiB", "TiB"} {
		value /= 1024
		if value < 1024 {
			break
		}
	}
	text := strings.TrimSuffix(fmt.Sprintf("%.1f", value), ".0")
	return text + unit
}

// sequence matches the escape sequences of terminals: CSI, OSC up to its end, and those of two characters.
var sequence = regexp.MustCompile(`\x1b(\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(\x07|\x1b\\)?|[ -/]*[0-~])`)

// Clean takes out of a text what could move the cursor, or else drive a terminal. Tabs become blanks, line ends stay.
func Clean(text string) string {
	if strings.ContainsRune(text, '\x1b') {
		text = sequence.ReplaceAllString(text, "")
	}
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n':
			return r
		case r == '\t':
			return ' '
		case unicode.IsControl(r), r == '\u2028', r == '\u2029', r >= '\u202a' && r <= '\u202e', r >= '\u2066' && r <= '\u2069':
			return -1
		}
		return r
	}, text)
}

// line is Clean on one line.
func line(text string) string {
	return strings.Join(strings.Fields(Clean(text)), " ")
}

// pad fills text up to n columns.
func pad(text string, n int) string {
	return text + strings.Repeat(" ", max(0, n-runewidth.StringWidth(text)))
}

// Dim makes a text stand back.
func (s Style) Dim(text string) string { return s.paint(dim, text) }

// colors matches the sequences that only colour a text.
var colors = regexp.MustCompile(`\x1b\[[0-9;]*m`)

// Colors is Clean for what others coloured: the colours stay, and end with the text.
func Colors(text string) string {
	found := colors.FindAllStringIndex(text, -1)
	if found == nil {
		return Clean(text)
	}
	var b strings.Builder
	from := 0
	for _, at := range found {
		b.WriteString(Clean(text[from:at[0]]))
		b.WriteString(text[at[0]:at[1]])
		from = at[1]
	}
	return b.String() + Clean(text[from:]) + "\x1b[0m"
}
