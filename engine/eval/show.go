package eval

import (
	"strconv"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// Show writes a value for people, on one line in HCL's syntax, long texts and lists cut. Unknown parts read as unknown says, sensitive ones
// "(sensitive)".
func Show(v cty.Value, unknown string) string {
	var b strings.Builder
	show(&b, v, unknown, 0)
	return b.String()
}

const (
	shownText     = 200 // characters of a text
	shownElements = 20  // elements of a collection
	shownDepth    = 8
)

func show(b *strings.Builder, v cty.Value, unknown string, depth int) {
	t := v.Type()
	switch {
	case v.IsMarked():
		b.WriteString("(sensitive)")
	case !v.IsKnown():
		b.WriteString(unknown)
	case v.IsNull():
		b.WriteString("null")
	case t == cty.String:
		b.WriteString(quote(cut(v.AsString(), shownText)))
	case t == cty.Bool:
		b.WriteString(strconv.FormatBool(v.True()))
	case t == cty.Number && !isLong(v.AsBigFloat()):
		b.WriteString(v.AsBigFloat().Text('f', -1))
	case !v.CanIterateElements() || depth >= shownDepth:
		b.WriteString("…")
	case t.IsObjectType() || t.IsMapType():
		showElements(b, v, unknown, depth, "{ ", " }")
	default:
		showElements(b, v, unknown, depth, "[", "]")
	}
}

func showElements(b *strings.Builder, v cty.Value, unknown string, depth int, open, shut string) {
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
		if n++; n > shownElements {
			b.WriteString("…")
			break
		}
		if named {
			key := k.AsString()
			if !hclsyntax.ValidIdentifier(key) {
				key = quote(key)
			}
			b.WriteString(key + " = ")
		}
		show(b, e, unknown, depth+1)
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
