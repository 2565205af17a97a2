package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/containerpub/cpub/cmd/cpub/internal/view"
	"github.com/containerpub/cpub/workflows/client"
)

// logPrinter prints pieces of logs as whole lines, each behind the name of its step where there are several.
type logPrinter struct {
	c      *stdio
	asJSON bool
	style  view.Style
	names  int                  // columns of the longest name; 0 where no name is printed
	parts  map[logSource]string // unfinished lines
	order  []logSource          // of the parts, by their first appearance
	held   []client.Line        // whole lines, for --tail
}

// logSource is where pieces of one line come from.
type logSource struct{ step, stream string }

func newLogPrinter(c *stdio, run *client.Run, step string, asJSON bool) *logPrinter {
	p := &logPrinter{c: c, asJSON: asJSON, style: c.style(c.out), parts: map[logSource]string{}}
	for _, s := range run.Steps {
		if step == "" {
			p.names = max(p.names, len(s.Name))
		}
	}
	return p
}

// hold takes a piece, and keeps its lines until release.
func (p *logPrinter) hold(piece client.Line) error {
	p.held = append(p.held, p.lines(piece)...)
	return nil
}

// release prints the last of the lines held, or all for a negative number.
func (p *logPrinter) release(tail int) error {
	lines := p.held
	p.held = nil
	if tail >= 0 && len(lines) > tail {
		lines = lines[len(lines)-tail:]
	}
	return p.write(lines)
}

// print prints the lines that a piece completes.
func (p *logPrinter) print(piece client.Line) error { return p.write(p.lines(piece)) }

// flush prints what is left of lines without an end.
func (p *logPrinter) flush() error {
	var lines []client.Line
	for _, source := range p.order {
		if text := p.parts[source]; text != "" {
			lines = append(lines, client.Line{Step: source.step, Stream: source.stream, Text: text})
		}
	}
	p.parts, p.order = map[logSource]string{}, nil
	return p.write(lines)
}

// maxLogLine is the longest line that is waited for; longer ones are broken.
const maxLogLine = 64 << 10

// lines are the whole lines that a piece completes, without their ends.
func (p *logPrinter) lines(piece client.Line) []client.Line {
	source := logSource{piece.Step, piece.Stream}
	if !slices.Contains(p.order, source) {
		p.order = append(p.order, source)
	}
	rest := p.parts[source] + piece.Text
	var lines []client.Line
	for {
		text, after, ok := strings.Cut(rest, "\n")
		if !ok && len(rest) < maxLogLine {
			break
		}
		whole := piece
		whole.Text = strings.TrimSuffix(text, "\r")
		lines = append(lines, whole)
		rest = after
	}
	p.parts[source] = rest
	return lines
}

func (p *logPrinter) write(lines []client.Line) error {
	for _, l := range lines {
		if p.asJSON {
			if err := p.c.printJSON(l); err != nil {
				return err
			}
			continue
		}
		text := l.Text
		if p.c.outTTY {
			text = view.Colors(text)
		}
		prefix := ""
		if p.names > 0 {
			prefix = p.style.Dim(fmt.Sprintf("%-*s | ", p.names, l.Step))
		}
		if _, err := fmt.Fprintln(p.c.out, prefix+text); err != nil {
			return fmt.Errorf("printing: %w", err)
		}
	}
	return nil
}
