package eval

import (
	"fmt"
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// Show writes a value for people, on one line in HCL's syntax, long texts and lists cut. Unknown parts read as unknown says, sensitive ones
// "(sensitive)", secrets as they are named.
func Show(v cty.Value, unknown string) string {
	return shower{unknown: unknown, text: 200, elements: 20, depth: 8}.show(v)
}

// ShowAll is Show with nothing cut.
func ShowAll(v cty.Value, unknown string) string {
	return shower{unknown: unknown, text: MaxBytes, elements: MaxElements, depth: maxValueDepth}.show(v)
}

// shower says what is shown instead of unknowns, and how much: characters of a text, elements of a collection, levels. Where most is set,
// no element is begun after so many bytes, and large collections are only counted: sorting their keys takes long.
type shower struct {
	unknown               string
	text, elements, depth int
	most                  int
}

// countedFrom is how many elements a collection has at least that is only counted.
const countedFrom = 1000

func (s shower) show(v cty.Value) string {
	var b strings.Builder
	s.write(&b, v, 0)
	return b.String()
}

func (s shower) write(b *strings.Builder, v cty.Value, depth int) {
	t := v.Type()
	switch {
	case v.IsMarked():
		text, ok := showSecret(v, s.text)
		if !ok {
			text = "(sensitive)"
		}
		b.WriteString(text)
	case !v.IsKnown():
		b.WriteString(s.unknown)
	case v.IsNull():
		b.WriteString("null")
	case t == cty.String:
		b.WriteString(quote(cut(v.AsString(), s.text)))
	case t == cty.Bool:
		b.WriteString(strconv.FormatBool(v.True()))
	case t == cty.Number && !isLong(v.AsBigFloat()):
		b.WriteString(v.AsBigFloat().Text('f', -1))
	case !v.CanIterateElements() || depth >= s.depth:
		b.WriteString("…")
	case s.most > 0 && v.LengthInt() >= countedFrom:
		fmt.Fprintf(b, "(%d elements)", v.LengthInt())
	case t.IsObjectType() || t.IsMapType():
		s.writeElements(b, v, depth, "{ ", " }")
	default:
		s.writeElements(b, v, depth, "[", "]")
	}
}

func (s shower) writeElements(b *strings.Builder, v cty.Value, depth int, open, shut string) {
	if v.LengthInt() == 0 {
		b.WriteString(strings.TrimSpace(open) + strings.TrimSpace(shut))
		return
	}
	b.WriteString(open)
	n := 0
	for it := v.ElementIterator(); it.Next(); {
		k, e := it.Element()
		named := v.Type().IsObjectType() || v.Type().IsMapType()
		if v.Type().IsObjectType() && e.IsKnown() && !e.IsMarked() && e.IsNull() {
			continue
		}
		if n > 0 {
			b.WriteString(", ")
		}
		if n++; n > s.elements || s.most > 0 && b.Len() > s.most {
			b.WriteString("…")
			break
		}
		if named {
			key := cut(k.AsString(), s.text)
			if !hclsyntax.ValidIdentifier(key) {
				key = quote(key)
			}
			b.WriteString(key + " = ")
		}
		s.write(b, e, depth+1)
	}
	b.WriteString(shut)
}

// quote writes a text as HCL does.
func quote(s string) string {
	q := strconv.Quote(s)
	q = strings.ReplaceAll(q, "${", "$${")
	return strings.ReplaceAll(q, "%{", "%%{")
}

// StepsIn gives the names of the steps that an expression needs, through locals too, in order of mention.
func (m *Module) StepsIn(expr hcl.Expression) (out []string) {
	seen := map[string]bool{}
	m.stepRefs([]hcl.Expression{expr}, map[string]bool{}, func(r Reference) {
		if !seen[r.Name] {
			seen[r.Name] = true
			out = append(out, r.Name)
		}
	})
	return out
}
