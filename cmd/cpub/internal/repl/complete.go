package repl

import (
	"slices"
	"strings"

	"github.com/containerpub/cpub/engine/eval"
)

// Complete completes the name that ends at a byte of the line: as far as it is certain, and with the names that are possible where
// there are several.
func (s *Session) Complete(line string, at int) (completed string, to int, names []string) {
	start := strings.LastIndexFunc(line[:at], func(r rune) bool { return !isName(r) }) + 1
	word := line[start:at]
	for _, name := range s.candidates(word) {
		if strings.HasPrefix(name, word) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	names = slices.Compact(names)
	if len(names) == 0 {
		return line, at, nil
	}
	common := names[0]
	for _, name := range names[1:] {
		for !strings.HasPrefix(name, common) {
			common = common[:len(common)-1]
		}
	}
	return line[:start] + common + line[at:], start + len(common), names
}

// isName tells what a name and its dots are made of. Functions end with their parenthesis.
func isName(r rune) bool {
	return r == '_' || r == '.' || r == '-' || r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
}

// candidates are the names that a word may become, as far as the next dot.
func (s *Session) candidates(word string) (out []string) {
	root, rest, dotted := strings.Cut(word, ".")
	if !dotted {
		out = []string{"local.", "path.module", "pipeline.name", "run.id", "run.started_at", "step.", "var."}
		for _, name := range eval.FunctionNames() {
			out = append(out, name+"(")
		}
		return out
	}
	switch root {
	case "var":
		for _, v := range s.Module.Variables {
			out = append(out, "var."+v.Name)
		}
	case "local":
		for _, l := range s.Module.Locals {
			out = append(out, "local."+l.Name)
		}
	case "step":
		return s.steps(rest)
	case "run":
		return []string{"run.id", "run.started_at"}
	case "pipeline":
		return []string{"pipeline.name"}
	case "path":
		return []string{"path.module"}
	}
	return out
}

// steps are step.NAME, or step.NAME.OUTPUT once the name is written.
func (s *Session) steps(rest string) (out []string) {
	if s.Pipeline == nil {
		return nil
	}
	name, _, dotted := strings.Cut(rest, ".")
	for _, step := range s.Pipeline.Steps {
		switch {
		case !dotted:
			out = append(out, "step."+step.Name+".")
		case step.Name == name:
			shape := s.Outputs(step.Type)
			for _, a := range shape.Attrs {
				out = append(out, "step."+name+"."+a.Name)
			}
			for _, b := range shape.Blocks {
				out = append(out, "step."+name+"."+b.Name)
			}
			out = append(out, "step."+name+".status")
		}
	}
	return out
}
