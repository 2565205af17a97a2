package eval

import (
	"bytes"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// remedySyntax makes of what the parser says about a file what its author has to do, and leaves out what only follows from another mistake.
func remedySyntax(diags hcl.Diagnostics, src []byte) (out hcl.Diagnostics) {
	bad := map[int]bool{} // where characters stand that nothing is made of
	for _, d := range diags {
		if d.Summary == "Invalid character" && d.Subject != nil {
			bad[d.Subject.Start.Byte] = true
		}
	}
	for _, d := range diags {
		if d.Subject == nil || d.Subject.Start.Byte > len(src) {
			out = append(out, d)
			continue
		}
		if d.Summary != "Invalid character" && bad[d.Subject.Start.Byte] {
			continue
		}
		c := *d
		remedy(&c, src)
		out = append(out, &c)
	}
	return out
}

// remedy replaces the detail of a diagnostic of the parser where more can be said.
func remedy(d *hcl.Diagnostic, src []byte) {
	at := d.Subject.Start.Byte
	here := string(src[at:min(len(src), at+40)])
	before := strings.TrimRight(string(src[max(0, at-40):at]), " \t")
	after := strings.TrimLeft(string(src[min(len(src), d.Subject.End.Byte):min(len(src), d.Subject.End.Byte+40)]), " \t")
	switch d.Summary {
	case "Argument or block definition required":
		switch {
		case strings.HasPrefix(here, "}"):
			d.Detail = "This brace closes nothing: there is one too many before it, or here."
		case strings.HasPrefix(after, ":"):
			word, _, _ := strings.Cut(here, ":")
			d.Detail = fmt.Sprintf("An attribute is set with an equals sign: `%s = …`, not with a colon.", strings.TrimSpace(word))
		}
	case "Missing item separator":
		d.Detail = "Elements are separated by commas: one is missing before this."
		if strings.HasSuffix(before, `"`) && !strings.HasPrefix(here, `"`) {
			d.Detail += ` A quote inside of a text is written \".`
		}
	case "Missing newline after argument":
		for word, sign := range map[string]string{"and": "&&", "or": "||", "not": "!"} {
			if rest, ok := strings.CutPrefix(here, word); ok && (rest == "" || rest[0] == ' ') {
				d.Detail = fmt.Sprintf("There is no %q in expressions: write %s.", word, sign)
			}
		}
	case "Invalid expression":
		if strings.HasPrefix(here, ">") && strings.HasSuffix(before, "<") {
			d.Detail = "There is no <> in expressions: write !=."
		}
	case "Invalid multi-line string":
		d.Detail = `This text has no closing quote on its line. Close it; a new line inside of a text is written \n, a longer text as a heredoc: <<-EOT.`
	case "Invalid escape sequence":
		d.Detail = fmt.Sprintf(`There is no escape %s in texts. A backslash itself is written \\.`, strings.SplitN(here, `"`, 2)[0][:min(2, len(here))])
	case "Invalid character":
		if strings.HasPrefix(here, "\u00a0") {
			d.Detail = "This is a no-break space (U+00A0), which often comes from a web page. Replace it by a plain one."
		}
	case "Unterminated template string":
		heredoc(d, src)
	}
}

// heredoc names the heredoc that has no end.
func heredoc(d *hcl.Diagnostic, src []byte) {
	tokens, _ := hclsyntax.LexConfig(src, d.Subject.Filename, hcl.InitialPos)
	var open *hclsyntax.Token
	for i, t := range tokens {
		switch t.Type {
		case hclsyntax.TokenOHeredoc:
			open = &tokens[i]
		case hclsyntax.TokenCHeredoc:
			open = nil
		default:
		}
	}
	if open == nil {
		return
	}
	word := strings.TrimSpace(strings.TrimLeft(string(bytes.TrimSpace(open.Bytes)), "<-"))
	d.Subject = open.Range.Ptr()
	d.Subject.End = d.Subject.Start
	d.Subject.End.Byte, d.Subject.End.Column = d.Subject.Start.Byte+len(bytes.TrimSpace(open.Bytes)), d.Subject.Start.Column+len(bytes.TrimSpace(open.Bytes))
	d.Detail = fmt.Sprintf("This heredoc does not end: no line after it has %s and nothing else.", word)
}

// remedyValue says more about what an expression names that is not there: what there is. It may read the context of the evaluation, and
// shows nothing of what is sensitive.
func remedyValue(d *hcl.Diagnostic) {
	if d.Expression == nil || d.EvalContext == nil {
		return
	}
	switch d.Summary {
	case "Unsupported attribute", "Invalid index":
		if from, key, ok := failedStep(d.Expression, d.EvalContext); ok {
			d.Detail = noElement(from, key, d.Detail)
		}
	case "Invalid operand":
		if v, diags := d.Expression.Value(d.EvalContext); !diags.HasErrors() && v.Type() == cty.String && strings.Contains(d.Detail, "number is required") {
			d.Detail += ` Texts are joined in a template: "${var.a}-${var.b}".`
		}
	}
}

// failedStep finds the value in which an expression looks for a key that is not there.
func failedStep(expr hcl.Expression, ctx *hcl.EvalContext) (from, key cty.Value, ok bool) {
	switch e := expr.(type) {
	case *hclsyntax.ScopeTraversalExpr:
		if len(e.Traversal) < 2 {
			return from, key, false
		}
		v, diags := e.Traversal[:1].TraverseAbs(ctx)
		if diags.HasErrors() {
			return from, key, false
		}
		return failedIn(v, e.Traversal[1:])
	case *hclsyntax.RelativeTraversalExpr:
		v, diags := e.Source.Value(ctx)
		if diags.HasErrors() {
			return from, key, false
		}
		return failedIn(v, e.Traversal)
	case *hclsyntax.IndexExpr:
		v, diags := e.Collection.Value(ctx)
		k, more := e.Key.Value(ctx)
		return v, k, !diags.HasErrors() && !more.HasErrors()
	}
	return from, key, false
}

func failedIn(v cty.Value, steps hcl.Traversal) (from, key cty.Value, ok bool) {
	for _, step := range steps {
		next, diags := step.TraversalStep(v)
		if !diags.HasErrors() {
			v = next
			continue
		}
		switch s := step.(type) {
		case hcl.TraverseAttr:
			return v, cty.StringVal(s.Name), true
		case hcl.TraverseIndex:
			return v, s.Key, true
		}
	}
	return from, key, false
}

// noElement says what there is instead of an element.
func noElement(from, key cty.Value, otherwise string) string {
	t := from.Type()
	if from.IsMarked() || key.IsMarked() || from.IsNull() || !key.IsKnown() || key.IsNull() || !from.IsKnown() && !t.IsObjectType() {
		return otherwise
	}
	switch {
	case (t.IsTupleType() || t.IsListType()) && key.Type() == cty.Number:
		n := from.LengthInt()
		switch n {
		case 0:
			return fmt.Sprintf("There is no element %s: the list is empty.", Show(key, ""))
		case 1:
			return fmt.Sprintf("There is no element %s: the list has one, [0].", Show(key, ""))
		}
		return fmt.Sprintf("There is no element %s: the list has %d, from [0] to [%d].", Show(key, ""), n, n-1)
	case key.Type() != cty.String || !t.IsObjectType() && !t.IsMapType():
		return otherwise
	}
	return missingKey(key.AsString(), keysOf(from))
}

func keysOf(v cty.Value) []string {
	if v.Type().IsObjectType() {
		return slices.Sorted(maps.Keys(v.Type().AttributeTypes()))
	}
	return slices.Sorted(maps.Keys(v.AsValueMap()))
}

func missingKey(name string, all []string) string {
	hint := didYouMean(name, all)
	switch {
	case hint != "":
	case len(all) == 0:
		hint = " It is empty."
	default:
		hint = fmt.Sprintf(" There is: %s.", oneOf(all))
	}
	return fmt.Sprintf("There is no %q in it.%s", cut(name, 80), hint)
}

// guardUntyped refuses a null of no type among the elements: the collection's type cannot be told, and cty panics.
func guardUntyped(_ *meter, args []cty.Value) error {
	for _, a := range args {
		t := a.Type()
		if !a.IsKnown() || a.IsNull() || !t.IsTupleType() && !t.IsObjectType() {
			continue
		}
		for it := a.ElementIterator(); it.Next(); {
			k, e := it.Element()
			if e.IsNull() && e.Type() == cty.DynamicPseudoType {
				return fmt.Errorf("the element [%s] is null. Leave it out, as in [for x in LIST : x if x != null]", Show(k, ""))
			}
		}
	}
	return nil
}
