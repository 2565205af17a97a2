package preview

import (
	"fmt"
	"strings"
	"unicode/utf8"

	"github.com/zclconf/go-cty/cty"

	"github.com/containerpub/cpub/engine/eval"
)

func (t *text) step(indent string, s *Step) {
	head := fmt.Sprintf("step %q %q", s.Type, s.Name)
	if s.Skipped() {
		t.headed(indent, head, "is skipped: its condition does not hold")
		t.rows(indent+"  ", []row{conditionRow("when", s.When)}, nil)
		return
	}
	after := ""
	if len(s.Deps) > 0 {
		after = "after " + strings.Join(s.Deps, ", ")
	}
	t.headed(indent, head, after)
	in := indent + "  "
	if s.Instances != nil && s.Instances.Known && len(s.Instances.Keys) == 0 {
		t.rows(in, s.rows(), nil)
		return
	}
	t.attrs(in, s.rows(), s.Values)
	for i := range s.Blocks {
		t.inner(in, &s.Blocks[i])
	}
	t.block(in, "retry", s.Retry)
	if u := s.Until; u != nil {
		t.opened(in, "until", []row{conditionRow("condition", &u.Condition)}, &u.Content, false)
	}
	for i := range s.Preconditions {
		t.condition(in, "precondition", &s.Preconditions[i])
	}
	for i := range s.Postconditions {
		t.condition(in, "postcondition", &s.Postconditions[i])
	}
	if c := s.Compensate; c != nil {
		rows := []row{}
		if c.Provider != "" {
			rows = append(rows, row{name: "provider", text: c.Provider})
		}
		for i := range c.Meta {
			rows = append(rows, row{name: c.Meta[i].Name, value: &c.Meta[i]})
		}
		content := c.Content
		if c.Retry != nil {
			content.Blocks = append(content.Blocks, Block{Type: "retry", Content: *c.Retry})
		}
		t.opened(in, fmt.Sprintf("compensate %q", c.Type), rows, &content, true)
	}
}

// headed is a heading with a remark beside it, or beneath where it does not fit.
func (t *text) headed(indent, head, remark string) {
	switch {
	case remark == "":
		t.line(indent, head)
	case len(indent)+utf8.RuneCountInString(head+remark)+2 <= width:
		t.line(indent, head+"  "+t.dim(remark))
	default:
		t.line(indent, head)
		t.remark(indent+"  ", remark)
	}
}

// row is a line NAME = something: a value, or a text with a remark.
type row struct {
	name, text, remark string
	value              *Value
}

// rows are what a step says beside its type's own attributes.
func (s *Step) rows() (out []row) {
	if s.Provider != "" {
		out = append(out, row{name: "provider", text: s.Provider})
	}
	if in := s.Instances; in != nil {
		remark := ""
		if in.Known {
			remark = "(" + count(len(in.Keys), "instance") + ")"
		}
		if in.Known && len(in.Keys) == 0 {
			remark = "(no instances: nothing runs)"
		}
		if in.Known && len(in.Keys) > in.Evaluated {
			remark = fmt.Sprintf("(%d instances; the first %d are shown)", len(in.Keys), in.Evaluated)
		}
		out = append(out, row{name: "for_each", value: &in.Value, remark: remark})
	}
	if s.When != nil {
		out = append(out, conditionRow("when", s.When))
	}
	if s.ContinueOnError {
		out = append(out, row{name: "continue_on_error", text: "true"})
	}
	for i := range s.Meta {
		out = append(out, row{name: s.Meta[i].Name, value: &s.Meta[i]})
	}
	if c := s.Called; c != nil && len(c.Steps) > 0 {
		where := ""
		if c.Source != "" {
			where = " of " + c.Source
		}
		out = append(out, row{name: "runs", text: fmt.Sprintf("pipeline %q%s: %s", c.Pipeline, where, strings.Join(c.Steps, ", "))})
	}
	return out
}

// conditionRow shows a condition as it is written, and whether it holds.
func conditionRow(name string, c *Condition) row {
	r := row{name: name, text: c.Text}
	switch {
	case len(c.Each) > 0:
		r.remark = "(" + instancesThat(c.Each) + ")"
	case !c.Holds.IsKnown():
		r.remark = later(c.After)
	case isFalse(c.Holds):
		r.remark = "(does not hold)"
	case c.Text == "true":
	default:
		r.remark = "(holds)"
	}
	return r
}

// instancesThat counts for which instances a condition holds, and names those for which it does not.
func instancesThat(each []Value) string {
	var not []string
	unknown := 0
	for _, v := range each {
		switch {
		case !v.Value.IsKnown():
			unknown++
		case isFalse(v.Value):
			not = append(not, v.Name)
		}
	}
	parts := []string{fmt.Sprintf("holds for %d of %d", len(each)-unknown-len(not), len(each))}
	if unknown > 0 {
		parts = append(parts, fmt.Sprintf("not known for %d", unknown))
	}
	const most = 5
	if len(not) > most {
		not = append(not[:most:most], fmt.Sprintf("%d more", len(not)-most))
	}
	if len(not) > 0 {
		parts = append(parts, "not for "+strings.Join(not, ", "))
	}
	return strings.Join(parts, "; ")
}

func (t *text) condition(indent, kind string, c *Condition) {
	rows := []row{conditionRow("condition", c)}
	if c.Fails() {
		rows = append(rows, row{name: "error_message", value: &c.Message})
	}
	t.opened(indent, kind, rows, &Content{}, false)
}

// block is a block of a step or pipeline, nothing where there is none.
func (t *text) block(indent, name string, c *Content) {
	if c != nil {
		t.opened(indent, name, nil, c, false)
	}
}

func (t *text) inner(indent string, b *Block) {
	name := b.Type
	if b.Label != "" {
		name += fmt.Sprintf(" %q", b.Label)
	}
	t.opened(indent, name, nil, &b.Content, true)
}

// opened is a block with its braces; compact shows defaults in few lines.
func (t *text) opened(indent, head string, rows []row, c *Content, compact bool) {
	if len(rows)+len(c.Values)+len(c.Blocks) == 0 {
		t.line(indent, head+" {}")
		return
	}
	t.line(indent, head+" {")
	if compact {
		t.attrs(indent+"  ", rows, c.Values)
	} else {
		t.rows(indent+"  ", rows, c.Values)
	}
	for i := range c.Blocks {
		t.inner(indent+"  ", &c.Blocks[i])
	}
	t.line(indent, "}")
}

// attrs are rows, and the defaults among them in few lines: they are many.
func (t *text) attrs(indent string, rows []row, values []Value) {
	var set []Value
	var defaults []string
	for _, v := range values {
		if v.Default == "" {
			set = append(set, v)
			continue
		}
		defaults = append(defaults, strings.ReplaceAll(v.Name+" = "+v.Default, " ", glue))
	}
	t.rows(indent, rows, set)
	if len(defaults) > 0 {
		t.remark(indent, "defaults: "+strings.Join(defaults, ", "))
	}
}

// rows are lines NAME = VALUE in columns.
func (t *text) rows(indent string, rows []row, values []Value) {
	for i := range values {
		r := row{name: values[i].Name, value: &values[i]}
		if values[i].Unset {
			r.remark = "(default)"
		}
		rows = append(rows, r)
	}
	column := 0
	for _, r := range rows {
		column = max(column, len(r.name))
	}
	for _, r := range rows {
		t.row(indent, column, r)
	}
}

func (t *text) row(indent string, column int, r row) {
	name := fmt.Sprintf("%-*s = ", column, r.name)
	room := width - len(indent) - len(name)
	switch v := r.value; {
	case v == nil:
		t.written(indent, name, r)
	case v.Default != "":
		t.line(indent, name+v.Default+t.dim("  (default)"))
	case len(v.Each) > 0:
		t.line(indent, name+t.dim("(for each instance)"))
		t.each(indent+"  ", v.Each)
	default:
		if r.remark != "" {
			room -= utf8.RuneCountInString(r.remark) + 2
		}
		text := t.show(v, indent, room)
		if r.remark != "" {
			text += "  " + t.dim(r.remark)
		}
		t.line(indent, name+text)
	}
}

// written shows a text as it stands, broken at its spaces, with its remark behind it where that fits.
func (t *text) written(indent, name string, r row) {
	lines := wrap(r.text, width-len(indent)-len(name))
	last := len(lines) - 1
	remark := ""
	if r.remark != "" {
		remark = "  " + t.dim(r.remark)
	}
	below := remark != "" && len(indent)+len(name)+utf8.RuneCountInString(lines[last])+utf8.RuneCountInString(r.remark)+2 > width
	for i, l := range lines {
		lead := name
		if i > 0 {
			lead = strings.Repeat(" ", len(name))
		}
		if i == last && !below {
			l += remark
		}
		t.line(indent, lead+l)
	}
	if below {
		t.remark(indent+strings.Repeat(" ", len(name)), r.remark)
	}
}

// maxEach is for how many instances a value is shown that they do not share.
const maxEach = 8

func (t *text) each(indent string, all []Value) {
	more := len(all) - maxEach
	if more > 0 {
		all = all[:maxEach]
	}
	column := 0
	for _, v := range all {
		column = max(column, utf8.RuneCountInString(key(v.Name)))
	}
	for i := range all {
		name := fmt.Sprintf("%-*s = ", column, key(all[i].Name))
		t.line(indent, name+t.show(&all[i], indent, width-len(indent)-len(name)))
	}
	if more > 0 {
		t.line(indent, t.dim(fmt.Sprintf("… and %d more", more)))
	}
}

// show is a value as HCL, in so many columns where it can be.
func (t *text) show(v *Value, indent string, room int) string {
	if v.Value == cty.NilVal {
		return "null"
	}
	w := &writer{dim: t.dim}
	w.value(v, indent, room)
	return w.b.String()
}

// hidden is what stands for a marked value.
func hidden(v cty.Value) string { return eval.Show(v, "") }
