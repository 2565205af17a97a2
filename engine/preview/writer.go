package preview

import (
	"fmt"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/hashicorp/hcl/v2/hclwrite"
	"github.com/zclconf/go-cty/cty"
)

// What is shown of large values; JSON has all.
const (
	maxText     = 240 // characters
	maxRows     = 12  // lines of a text
	maxElements = 30
)

// writer writes values as HCL, with remarks in the places of what is not known or not shown.
type writer struct {
	b   strings.Builder
	dim func(string) string
}

func (w *writer) value(v *Value, indent string, room int) {
	value := v.Value
	switch t := value.Type(); {
	case value.IsMarked():
		w.b.WriteString(w.dim(hidden(value)))
	case !value.IsKnown():
		w.b.WriteString(w.dim(later(v.After)))
	case value.IsNull():
		w.b.WriteString("null")
	case t == cty.String:
		w.text(value.AsString(), indent)
	case t.IsPrimitiveType():
		w.b.Write(hclwrite.TokensForValue(value).Bytes())
	case t.IsObjectType() || t.IsMapType():
		w.collection(v, indent, room, "{", "}", true)
	case value.CanIterateElements():
		w.collection(v, indent, room, "[", "]", false)
	default:
		w.b.WriteString("…")
	}
}

// text writes a text of one line in quotes, one of several lines as a heredoc.
func (w *writer) text(s, indent string) {
	if strings.Contains(strings.TrimSuffix(s, "\n"), "\n") && printable(s) {
		w.heredoc(s, indent)
		return
	}
	short, more := cut(s, maxText)
	w.b.Write(hclwrite.TokensForValue(cty.StringVal(short)).Bytes())
	if more > 0 {
		w.b.WriteString(w.dim(fmt.Sprintf("… and %s more", count(more, "character"))))
	}
}

func (w *writer) heredoc(s, indent string) {
	lines := strings.Split(strings.TrimSuffix(s, "\n"), "\n")
	more := len(lines) - maxRows
	if more > 0 {
		lines = lines[:maxRows]
	}
	w.b.WriteString("<<-EOT")
	for _, l := range lines {
		l, _ = cut(strings.NewReplacer("${", "$${", "%{", "%%{").Replace(l), maxText)
		w.b.WriteString(strings.TrimRight("\n"+indent+"  "+l, " \t"))
	}
	if more > 0 {
		w.b.WriteString("\n" + indent + "  " + w.dim(fmt.Sprintf("… and %s more", count(more, "line"))))
	}
	w.b.WriteString("\n" + indent + "EOT")
}

func printable(s string) bool {
	return utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return r != '\n' && r != '\t' && !unicode.IsPrint(r) })
}

// cut shortens a text to n characters, and tells how many are left out.
func cut(s string, n int) (short string, more int) {
	if len(s) <= n {
		return s, 0
	}
	runes := []rune(s)
	if len(runes) <= n {
		return s, 0
	}
	return string(runes[:n]), len(runes) - n
}

// collection writes collections on one line where they fit, others with a line for each element.
func (w *writer) collection(v *Value, indent string, room int, open, closing string, named bool) {
	keys, elements, more := parts(v, named)
	if len(elements) == 0 {
		w.b.WriteString(open + closing)
		return
	}
	if more == 0 && w.line(keys, elements, room, open, closing) {
		return
	}
	column := 0
	for _, k := range keys {
		column = max(column, utf8.RuneCountInString(k))
	}
	inner := indent + "  "
	w.b.WriteString(open)
	for i := range elements {
		lead := "\n" + inner
		if named {
			lead += fmt.Sprintf("%-*s = ", column, keys[i])
		}
		w.b.WriteString(lead)
		w.value(&elements[i], inner, width-utf8.RuneCountInString(lead))
		if !named {
			w.b.WriteString(",")
		}
	}
	if more > 0 {
		w.b.WriteString("\n" + inner + w.dim(fmt.Sprintf("… and %d more", more)))
	}
	w.b.WriteString("\n" + indent + closing)
}

// line writes a collection on one line; false where it does not fit, or holds more than plain values.
func (w *writer) line(keys []string, elements []Value, room int, open, closing string) bool {
	colored, bare := &writer{dim: w.dim}, &writer{dim: func(s string) string { return s }}
	for _, one := range []*writer{colored, bare} {
		one.b.WriteString(open)
		if keys != nil {
			one.b.WriteString(" ")
		}
		for i := range elements {
			if i > 0 {
				one.b.WriteString(", ")
			}
			if keys != nil {
				one.b.WriteString(keys[i] + " = ")
			}
			if e := elements[i].Value; !e.IsMarked() && e.IsKnown() && !e.Type().IsPrimitiveType() && !e.IsNull() && e.LengthInt() > 0 {
				return false
			}
			one.value(&elements[i], "", 0)
		}
		if keys != nil {
			one.b.WriteString(" ")
		}
		one.b.WriteString(closing)
	}
	text := bare.b.String()
	if strings.Contains(text, "\n") || utf8.RuneCountInString(text) > room {
		return false
	}
	w.b.WriteString(colored.b.String())
	return true
}

// parts are a collection's elements, and the keys of a map or object, as they are written; attributes of objects that are null are left out.
func parts(v *Value, named bool) (keys []string, elements []Value, more int) {
	for it := v.Value.ElementIterator(); it.Next(); {
		k, e := it.Element()
		if named && !e.IsMarked() && e.IsKnown() && e.IsNull() && v.Value.Type().IsObjectType() {
			continue
		}
		if len(elements) == maxElements {
			more++
			continue
		}
		if named {
			keys = append(keys, key(k.AsString()))
		}
		elements = append(elements, v.part(k, e))
	}
	return keys, elements, more
}

func key(name string) string {
	if hclsyntax.ValidIdentifier(name) {
		return name
	}
	return strconv.Quote(name)
}
