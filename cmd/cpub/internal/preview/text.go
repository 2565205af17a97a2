package preview

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"

	"github.com/containerpub/cpub/engine/eval"
)

// Lines show the preview in the language's own form. Dim makes what is only a remark stand back.
func (p *Preview) Lines(dim func(string) string) []string {
	lines := []string{fmt.Sprintf("pipeline %q", p.Pipeline) + dim("  "+p.Digest)}
	if p.call.Timeout > 0 {
		lines = append(lines, "  timeout = "+duration(p.call.Timeout))
	}
	if len(p.Variables) > 0 {
		lines = append(lines, "", "  variables")
		lines = append(lines, values("    ", p.Variables, dim)...)
	}
	for i := range p.Steps {
		lines = append(lines, "")
		lines = append(lines, p.Steps[i].lines(dim)...)
	}
	if len(p.Outputs) > 0 {
		lines = append(lines, "", "  outputs")
		lines = append(lines, values("    ", p.Outputs, dim)...)
	}
	return lines
}

func (s *Step) lines(dim func(string) string) []string {
	head := fmt.Sprintf("  step %q %q", s.Type, s.Name)
	var remarks []string
	if s.Provider != "" {
		remarks = append(remarks, "by "+s.Provider)
	}
	if len(s.Deps) > 0 {
		remarks = append(remarks, "after "+strings.Join(s.Deps, ", "))
	}
	switch {
	case !s.When.IsKnown():
		remarks = append(remarks, "if its condition holds then")
	case s.When.IsNull() || s.When.False():
		return []string{head + dim("  is skipped: its condition does not hold")}
	}
	if len(remarks) > 0 {
		head += dim("  " + strings.Join(remarks, ", "))
	}
	lines := append([]string{head}, values("    ", s.Input, dim)...)
	if s.call.Timeout > 0 {
		lines = append(lines, "    timeout = "+duration(s.call.Timeout))
	}
	if s.call.QueueTimeout > 0 {
		lines = append(lines, "    queue_timeout = "+duration(s.call.QueueTimeout))
	}
	if r := s.call.Retry; r.MaxAttempts != eval.DefaultMaxAttempts || len(r.On) > 0 {
		text := fmt.Sprintf("    retry { max_attempts = %d", r.MaxAttempts)
		if len(r.On) > 0 {
			text += "  on = [" + strings.Join(quoted(r.On), ", ") + "]"
		}
		lines = append(lines, text+" }")
	}
	return lines
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

func quoted(texts []string) []string {
	out := make([]string, len(texts))
	for i, t := range texts {
		out[i] = strconv.Quote(t)
	}
	return out
}

// values are lines NAME = VALUE in columns.
func values(indent string, all []Value, dim func(string) string) []string {
	width := 0
	for _, v := range all {
		width = max(width, len(v.Name))
	}
	var lines []string
	for _, v := range all {
		text := ""
		if v.Default != "" {
			text = v.Default + dim("  (default)")
		} else {
			text = v.text(indent, dim)
		}
		lines = append(lines, fmt.Sprintf("%s%-*s = %s", indent, width, v.Name, text))
	}
	return lines
}

// text is the value as HCL, with remarks in the places of what is not known or not shown.
func (v Value) text(indent string, dim func(string) string) string {
	later := "(known when it runs)"
	if len(v.After) > 0 {
		later = "(known after " + strings.Join(v.After, ", ") + ")"
	}
	w := &writer{later: dim(later), sensitive: dim("(sensitive)")}
	w.value(v.Value, indent)
	return w.b.String()
}

// writer writes values as HCL.
type writer struct {
	b                strings.Builder
	later, sensitive string
}

func (w *writer) value(v cty.Value, indent string) {
	switch {
	case v.IsMarked():
		w.b.WriteString(w.sensitive)
	case !v.IsKnown():
		w.b.WriteString(w.later)
	case v.IsNull():
		w.b.WriteString("null")
	case v.Type().IsPrimitiveType():
		w.b.Write(hclwrite.TokensForValue(v).Bytes())
	case v.Type().IsObjectType() || v.Type().IsMapType():
		w.collection(v, indent, "{", "}", true)
	case v.CanIterateElements():
		w.collection(v, indent, "[", "]", false)
	default:
		w.b.WriteString("…")
	}
}

// collection writes short collections of simple values on one line, others with a line for each element.
func (w *writer) collection(v cty.Value, indent, open, closing string, named bool) {
	keys, elements := parts(v, named)
	if len(elements) == 0 {
		w.b.WriteString(open + closing)
		return
	}
	long := len(elements) > 4 || slices.ContainsFunc(elements, func(e cty.Value) bool { return !e.IsMarked() && !e.Type().IsPrimitiveType() })
	sep, inner := ", ", ""
	w.b.WriteString(open)
	switch {
	case long:
		inner = indent + "  "
		sep = "\n" + inner
		w.b.WriteString(sep)
	case named:
		w.b.WriteString(" ")
	}
	for i, e := range elements {
		if i > 0 {
			w.b.WriteString(sep)
		}
		if named {
			w.b.WriteString(key(keys[i]) + " = ")
		}
		w.value(e, inner)
		if long && !named {
			w.b.WriteString(",")
		}
	}
	switch {
	case long:
		w.b.WriteString("\n" + indent)
	case named:
		w.b.WriteString(" ")
	}
	w.b.WriteString(closing)
}

// parts are a collection's elements, and the keys of a map or object; attributes of objects that are null are left out.
func parts(v cty.Value, named bool) (keys []string, elements []cty.Value) {
	for it := v.ElementIterator(); it.Next(); {
		k, e := it.Element()
		if named {
			if !e.IsMarked() && e.IsKnown() && e.IsNull() && v.Type().IsObjectType() {
				continue
			}
			keys = append(keys, k.AsString())
		}
		elements = append(elements, e)
	}
	return keys, elements
}

func key(name string) string {
	if hclsyntax.ValidIdentifier(name) {
		return name
	}
	return strconv.Quote(name)
}
