package view

import (
	"fmt"
	"time"

	"github.com/mattn/go-runewidth"
)

// patience is how often plain lines repeat that a step goes on.
const patience = 10 * time.Second

// Plain makes plain lines of a run, for pipes and logs of CI systems: one for each change, and from time to time one that says how far a
// step is. The zero value is ready.
type Plain struct {
	Style  Style
	before *Run
	said   map[string]time.Time // when a line last told of this step
}

// Update gives the lines that this look at the run adds.
func (p *Plain) Update(r *Run, now time.Time) []string {
	if p.said == nil {
		p.said = map[string]time.Time{}
	}
	var lines []string
	for _, e := range Diff(p.before, r, now) {
		if e.Event != EventStep {
			continue
		}
		p.said[e.Step] = now
		if e.Status != Queued { // the next line comes at once, or a worker is missing
			lines = append(lines, p.step(r, e))
		}
	}
	for i := range r.Steps {
		s := &r.Steps[i]
		if (s.Status == Running || s.Status == Queued) && now.Sub(p.said[s.Name]) >= patience {
			p.said[s.Name] = now
			lines = append(lines, p.still(r, s, now))
		}
	}
	p.before = r
	return lines
}

// step is the line of a change of a step.
func (p *Plain) step(r *Run, e Event) string {
	text := p.Style.paint(color(e.Status), e.Status)
	switch {
	case e.Status == Running && e.Attempt > 1:
		text += fmt.Sprintf(" (attempt %d)", e.Attempt)
	case e.Millis != nil:
		text += " " + Duration(time.Duration(*e.Millis)*time.Millisecond)
	}
	if e.Failure != nil {
		text += ": " + reason(e.Failure)
	}
	return p.prefix(r, e.Time, e.Step, e.Type) + text
}

// still is the line of a step that goes on, or waits for a worker, for long.
func (p *Plain) still(r *Run, s *Step, now time.Time) string {
	text := p.Style.paint(color(s.Status), s.Status)
	if s.Status == Running {
		text += " " + Duration(took(s.Started, s.Ended, now))
	}
	if progress := progress(s); progress != "" {
		text += ": " + progress
	}
	return p.prefix(r, now, s.Name, s.Type) + text
}

// prefix is what all lines begin with: time, step and type, in columns.
func (p *Plain) prefix(r *Run, t time.Time, step, stepType string) string {
	names, types := columns(r)
	return fmt.Sprintf("%s %s  %s  ", p.Style.paint(dim, t.Format(time.TimeOnly)), pad(step, names), p.Style.paint(dim, pad(stepType, types)))
}

// columns are the widths of the longest name and the longest type.
func columns(r *Run) (names, types int) {
	for _, s := range r.Steps {
		names, types = max(names, runewidth.StringWidth(s.Name)), max(types, runewidth.StringWidth(s.Type))
	}
	return names, types
}

// reason is a failure on one line.
func reason(f *Failure) string {
	text := line(f.Message)
	if f.Code != "" {
		text += " [" + line(f.Code) + "]"
	}
	return text
}

// progress is how far a step is, on one line; empty when it does not say.
func progress(s *Step) string {
	p := s.Progress
	text := line(p.Message)
	count := func(n int64) string {
		if p.Unit == "bytes" {
			return Bytes(n)
		}
		return fmt.Sprintf("%d", n)
	}
	amount := ""
	switch {
	case p.Total > 0:
		amount = fmt.Sprintf("%s of %s (%d%%)", count(p.Done), count(p.Total), min(100, p.Done*100/p.Total))
	case p.Done > 0:
		amount = count(p.Done)
	}
	if amount != "" && p.Unit != "" && p.Unit != "bytes" {
		amount += " " + line(p.Unit)
	}
	if text == "" || amount == "" {
		return text + amount
	}
	return text + ", " + amount
}
