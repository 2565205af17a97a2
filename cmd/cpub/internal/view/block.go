package view

import (
	"fmt"
	"strings"
	"time"

	"github.com/mattn/go-runewidth"
)

// Block is a run as lines that are drawn again and again on a terminal: its steps with status and time, then the run's own time.
// It has fewer lines than the style's height, and no line is wider than the style's width.
func (s Style) Block(r *Run, now time.Time) []string {
	names, types := columns(r)
	steps, done, waiting := s.fit(r)
	var lines []string
	if done > 0 {
		lines = append(lines, s.paint(dim, s.cut(fmt.Sprintf("  %d steps are done", done), s.Width-1)))
	}
	for i := range steps {
		lines = append(lines, s.stepLine(&steps[i], names, types, now))
	}
	if waiting > 0 {
		lines = append(lines, s.paint(dim, s.cut(fmt.Sprintf("  %d steps wait", waiting), s.Width-1)))
	}
	return append(lines, s.lastLine(r, now))
}

func (s Style) stepLine(step *Step, names, types int, now time.Time) string {
	elapsed := took(step.Started, step.Ended, now)
	clock := ""
	if elapsed > 0 || Done(step.Status) && !step.Started.IsZero() {
		clock = Duration(elapsed)
	}
	detail := stepDetail(step)
	name, kind, times := pad(line(step.Name), names), pad(line(step.Type), types), fmt.Sprintf("%7s", clock)
	rest := s.Width - 1 - runewidth.StringWidth("    "+name+"  "+kind+"  "+times+"  ")
	if s.Width > 0 && rest < 0 { // too narrow for columns
		return "  " + s.mark(step.Status, elapsed) + " " + s.cut(line(step.Name)+" "+clock, s.Width-5)
	}
	text := "  " + s.mark(step.Status, elapsed) + " " + name + "  " + s.paint(dim, kind) + "  " + times
	if detail = s.cut(detail, rest); detail != "" {
		text += "  " + s.paint(color(step.Status), detail)
	}
	return strings.TrimRight(text, " ")
}

// stepDetail is what stands behind a step's time.
func stepDetail(s *Step) string {
	switch s.Status {
	case Running:
		text := progress(s)
		if text == "" && len(s.LogTail) > 0 {
			text = line(s.LogTail[len(s.LogTail)-1])
		}
		if s.Attempt > 1 {
			if text == "" && s.Failure != nil {
				text = "after: " + reason(s.Failure)
			}
			if text != "" {
				text = ", " + text
			}
			return fmt.Sprintf("attempt %d%s", s.Attempt, text)
		}
		return text
	case Retrying, Failed:
		if s.Failure != nil {
			return s.Status + ": " + reason(s.Failure)
		}
		return s.Status
	case Skipped, Cancelled, Queued:
		return s.Status
	}
	return ""
}

func (s Style) lastLine(r *Run, now time.Time) string {
	elapsed := Duration(took(r.Started, r.Ended, now))
	status := r.Status
	if status == "" {
		status = Running
	}
	status = s.cut(status, s.Width-4-len(elapsed))
	return "  " + s.paint(color(r.Status), status) + " " + s.paint(dim, elapsed)
}

// fit chooses the steps that a terminal has room for: those that are done give way first, from the top, then those
// that wait, from the bottom.
func (s Style) fit(r *Run) (steps []Step, done, waiting int) {
	room := s.Height - 4 // the last line, two that count what is left out, and the cursor's
	steps = r.Steps
	if s.Height == 0 || len(steps) <= s.Height-2 {
		return steps, 0, 0
	}
	drop := len(steps) - max(room, 1)
	var kept []Step
	for _, step := range steps {
		if drop > 0 && Done(step.Status) && step.Status != Failed {
			drop, done = drop-1, done+1
			continue
		}
		kept = append(kept, step)
	}
	waiting = min(drop, len(kept))
	return kept[:len(kept)-waiting], done, waiting
}
