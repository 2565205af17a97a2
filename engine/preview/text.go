package preview

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/containerpub/cpub/engine/eval"
)

// width is how many columns the text takes; what cannot be broken may take more.
const width = 80

// Lines show the preview in the language's own form. Dim makes what is only a remark stand back.
func (p *Preview) Lines(dim func(string) string) []string {
	t := &text{dim: dim}
	t.line("", fmt.Sprintf("pipeline %q", p.Pipeline))
	if p.Description != "" {
		t.remark("  ", p.Description)
	}
	t.remark("  ", "plan "+p.Digest)
	t.rows("  ", nil, p.Settings)
	t.block("  ", "concurrency", p.Concurrency)
	if len(p.Variables) > 0 {
		t.line("", "")
		t.line("  ", "variables")
		t.rows("    ", nil, p.Variables)
	}
	t.order(p)
	section := eval.Main
	indent := "  "
	for i := range p.Steps {
		s := &p.Steps[i]
		t.line("", "")
		if s.Section != section {
			section, indent = s.Section, "    "
			t.line("  ", string(section)+"  "+dim(sectionRemark(section)))
		}
		t.step(indent, s)
	}
	if len(p.Outputs) > 0 {
		t.line("", "")
		t.line("  ", "outputs")
		t.rows("    ", nil, p.Outputs)
	}
	t.line("", "")
	for _, l := range p.summary() {
		t.wrapped("", l)
	}
	return t.lines
}

func sectionRemark(s eval.Section) string {
	if s == eval.OnFailure {
		return "when the run failed"
	}
	return "at the end of every run"
}

// glue is a space at which no line is broken.
const glue = "\x00"

// text gathers lines.
type text struct {
	dim   func(string) string
	lines []string
}

func (t *text) line(indent, s string) {
	t.lines = append(t.lines, strings.ReplaceAll(strings.TrimRight(indent+s, " "), glue, " "))
}

// wrapped writes words, with a deeper indent from the second line on.
func (t *text) wrapped(indent, s string) {
	for i, l := range wrap(s, width-len(indent)-2) {
		if i > 0 {
			l = "  " + l
		}
		t.line(indent, l)
	}
}

// remark is wrapped, and stands back.
func (t *text) remark(indent, s string) {
	for i, l := range wrap(s, width-len(indent)-2) {
		if i > 0 {
			l = "  " + l
		}
		t.line(indent, t.dim(l))
	}
}

// wrap breaks a text at its spaces into lines of at most n runes; words that are longer stay whole.
func wrap(s string, n int) (lines []string) {
	line := ""
	for _, word := range strings.Fields(s) {
		switch {
		case line == "":
			line = word
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) <= n:
			line += " " + word
		default:
			lines, line = append(lines, line), word
		}
	}
	return append(lines, line)
}

// order is an overview: what can begin when.
func (t *text) order(p *Preview) {
	type row struct {
		label string
		names []string
	}
	var rows []row
	for _, section := range []eval.Section{eval.Main, eval.OnFailure, eval.Finally} {
		var stages []row
		for i := range p.Steps {
			s := &p.Steps[i]
			if s.Section != section {
				continue
			}
			for len(stages) < s.Stage {
				stages = append(stages, row{label: strings.TrimSpace(string(section) + " " + number(len(stages)+1))})
			}
			stages[s.Stage-1].names = append(stages[s.Stage-1].names, s.short())
		}
		if len(stages) == 1 && section != eval.Main {
			stages[0].label = string(section)
		}
		rows = append(rows, stages...)
	}
	if len(rows) < 2 {
		return
	}
	t.line("", "")
	t.line("  ", "order")
	column := 0
	for _, r := range rows {
		column = max(column, len(r.label))
	}
	for _, r := range rows {
		for i, l := range wrap(strings.Join(r.names, ", "), width-6-column) {
			label := r.label
			if i > 0 {
				label = ""
			}
			t.line("    ", fmt.Sprintf("%-*s  %s", column, label, l))
		}
	}
}

// short is the step's name with what changes how often it runs.
func (s *Step) short() string {
	switch {
	case s.Skipped():
		return s.Name + glue + "(skipped)"
	case s.Instances == nil:
		return s.Name
	case s.Instances.Known:
		return fmt.Sprintf("%s%s×%d", s.Name, glue, len(s.Instances.Keys))
	}
	return s.Name + glue + "×?"
}

// summary counts what the run would do.
func (p *Preview) summary() []string {
	var run, maybe, skipped, late, last, undo, unmet int
	for i := range p.Steps {
		s := &p.Steps[i]
		if s.Compensate != nil {
			undo++
		}
		for _, c := range s.Preconditions {
			if c.Fails() && !s.Skipped() {
				unmet++
			}
		}
		switch {
		case s.Section == eval.OnFailure:
			late++
		case s.Section == eval.Finally:
			last++
		case s.Skipped():
			skipped++
		case !s.Certain():
			maybe++
		default:
			run++
		}
	}
	parts := []string{fmt.Sprintf("%s to run", count(run, "step"))}
	add := func(n int, what string) {
		if n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, what))
		}
	}
	add(maybe, "if a condition holds")
	add(skipped, "skipped")
	add(late, "when the run fails")
	add(last, "at its end")
	add(undo, "undone when it fails")
	lines := []string{"Plan: " + strings.Join(parts, ", ") + "."}
	if unmet > 0 {
		lines = append(lines, count(unmet, "precondition")+" known not to hold: this run would fail.")
	}
	return lines
}

func count(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}

func duration(d time.Duration) string {
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return strconv.Quote(text)
}

// later says in a remark what a value waits for.
func later(after []string) string {
	if len(after) == 0 {
		return "(known when it runs)"
	}
	return "(known after " + strings.Join(names(after), ", ") + ")"
}

// names are what a value waits for, in words.
func names(after []string) (out []string) {
	for _, name := range after {
		switch name {
		case "self":
			name = "this step"
		case "run.error":
			name = "the failure"
		case "run.id", "run.started_at":
			name = "the start"
		}
		if !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}
