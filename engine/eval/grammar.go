package eval

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// grammar is what may stand in a block: attributes, nested blocks, and what the language has but this build does not.
type grammar struct {
	what   string // for messages: `a variable`
	attrs  []string
	blocks []string
	later  []string
	hints  []string // further names to suggest
	note   string   // what to say when there are no attributes
}

// CheckContent reports the attributes and blocks of a body that it may not have. what names the body, such as `a pipeline`; what is in
// later belongs there, but not in this build.
func CheckContent(b *hclsyntax.Body, what string, attrs, blocks, later []string) hcl.Diagnostics {
	return grammar{what: what, attrs: attrs, blocks: blocks, later: later}.check(b)
}

// check reports everything in the body that the grammar does not know.
func (g grammar) check(b *hclsyntax.Body) (diags hcl.Diagnostics) {
	for _, name := range slices.Sorted(maps.Keys(b.Attributes)) {
		if !slices.Contains(g.attrs, name) {
			diags = append(diags, g.unknown("attribute", name, b.Attributes[name].NameRange))
		}
	}
	for _, block := range b.Blocks {
		if !slices.Contains(g.blocks, block.Type) {
			diags = append(diags, g.unknown("block", block.Type, block.TypeRange))
		}
	}
	return diags
}

func (g grammar) unknown(kind, name string, at hcl.Range) *hcl.Diagnostic {
	if slices.Contains(g.later, name) {
		return notYet(name, at)
	}
	if IsJSON(at.Filename) {
		return g.unknownProperty(name, at)
	}
	other, form := g.blocks, "Write it as a block: `"+name+" { … }`, without an equals sign."
	same := g.attrs
	if kind == "block" {
		other, form, same = g.attrs, "Write it as an attribute: `"+name+" = …`.", g.blocks
	}
	d := &hcl.Diagnostic{Severity: hcl.DiagError, Summary: "Unknown " + kind, Subject: at.Ptr()}
	habit := g.habit(name)
	switch {
	case slices.Contains(other, name):
		d.Summary = "Not " + article(kind)
		d.Detail = fmt.Sprintf("In %s, %q is no %s. %s", g.what, name, kind, form)
	case habit != "":
		d.Detail = fmt.Sprintf("%s has no %s %q. %s", sentence(g.what), kind, name, habit)
	case len(same) == 0:
		d.Detail = fmt.Sprintf("%s has no %ss.%s", sentence(g.what), kind, g.note)
	default:
		hint := didYouMean(name, slices.Concat(same, other, g.hints))
		if hint == "" {
			hint = fmt.Sprintf(" There are: %s.", oneOf(same))
		}
		d.Detail = fmt.Sprintf("%s has no %s %q.%s", sentence(g.what), kind, name, hint)
	}
	return d
}

// unknownProperty is unknown for JSON, where attributes and blocks look alike.
func (g grammar) unknownProperty(name string, at hcl.Range) *hcl.Diagnostic {
	known := slices.Concat(g.attrs, g.blocks)
	hint := didYouMean(name, slices.Concat(known, g.hints))
	switch {
	case hint != "":
	case len(known) == 0:
		hint = " There are none."
	default:
		hint = fmt.Sprintf(" There are: %s.", oneOf(known))
	}
	return &hcl.Diagnostic{
		Severity: hcl.DiagError, Summary: "Unknown property", Subject: at.Ptr(),
		Detail: fmt.Sprintf("%s has no property %q.%s", sentence(g.what), name, hint),
	}
}

func article(noun string) string {
	if noun != "" && strings.ContainsRune("aeiou", rune(noun[0])) {
		return "an " + noun
	}
	return "a " + noun
}

func sentence(s string) string {
	if s == "" || s[0] < 'a' || s[0] > 'z' {
		return s
	}
	return string(s[0]-'a'+'A') + s[1:]
}

func notYet(name string, at hcl.Range) *hcl.Diagnostic {
	return &hcl.Diagnostic{
		Severity: hcl.DiagError,
		Summary:  "Not in this build yet",
		Detail:   fmt.Sprintf("%q belongs to the language, but this build of cpub cannot do it yet. Leave it out.", name),
		Subject:  at.Ptr(),
	}
}

// labels checks that a block has these labels and nothing but them, and that each is a usable name.
func labels(b *hclsyntax.Block, want ...string) hcl.Diagnostics {
	if len(b.Labels) != len(want) {
		form := b.Type
		for _, w := range want {
			form += ` "` + w + `"`
		}
		at := b.DefRange()
		if len(b.Labels) > len(want) {
			at = b.LabelRanges[len(want)]
		}
		return hcl.Diagnostics{{
			Severity: hcl.DiagError,
			Summary:  "Wrong labels",
			Detail:   fmt.Sprintf("%s block is written `%s { … }`; the number of labels here is %d.", sentence(article(b.Type)), form, len(b.Labels)),
			Subject:  at.Ptr(),
		}}
	}
	var diags hcl.Diagnostics
	for i, name := range b.Labels {
		if !validName(name) {
			diags = append(diags, &hcl.Diagnostic{
				Severity: hcl.DiagError,
				Summary:  "Invalid name",
				Detail:   fmt.Sprintf("%q cannot be a name: it takes letters, digits, _ and -, starts with a letter or _, and has at most 64 characters.", cut(name, 80)),
				Subject:  b.LabelRanges[i].Ptr(),
			})
		}
	}
	return diags
}

func validName(s string) bool {
	for i, r := range s {
		letter := r == '_' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
		if !letter && (i == 0 || r != '-' && (r < '0' || r > '9')) {
			return false
		}
	}
	return s != "" && len(s) <= 64
}

func cut(s string, n int) string {
	if most := 4 * (n + 1); len(s) > most { // more than n characters, whatever they are
		s = s[:most]
	}
	if r := []rune(s); len(r) > n {
		return string(r[:n]) + "…"
	}
	return s
}

// single gives the only block of that type, or nil; further ones are reported.
func single(b *hclsyntax.Body, name string) (found *hclsyntax.Block, diags hcl.Diagnostics) {
	for _, block := range b.Blocks {
		if block.Type != name {
			continue
		}
		if found != nil {
			diags = append(diags, repeated(name, found, block))
			continue
		}
		found = block
	}
	return found, diags
}

func repeated(name string, first, again *hclsyntax.Block) *hcl.Diagnostic {
	return &hcl.Diagnostic{
		Severity: hcl.DiagError,
		Summary:  "Repeated block",
		Detail:   fmt.Sprintf("There can be one %s block here; the first is on line %d.", name, first.TypeRange.Start.Line),
		Subject:  again.TypeRange.Ptr(),
	}
}

// literal reads an attribute that must be known without evaluating anything. It gives a null value where the attribute is not set or is wrong.
func literal(b *hclsyntax.Body, name string, want cty.Type) (cty.Value, hcl.Diagnostics) {
	attr, ok := b.Attributes[name]
	if !ok {
		return cty.NullVal(want), nil
	}
	wrong := func(detail string) (cty.Value, hcl.Diagnostics) {
		return cty.NullVal(want), hcl.Diagnostics{{
			Severity: hcl.DiagError, Summary: "Wrong value", Detail: detail, Subject: attr.Expr.Range().Ptr(), Context: attr.SrcRange.Ptr(),
		}}
	}
	if len(attr.Expr.Variables()) > 0 || len(calls(attr.Expr)) > 0 {
		return wrong(fmt.Sprintf("%q is read before anything is evaluated: write the value itself, without references and functions.", name))
	}
	v, diags := Literal(attr.Expr)
	if diags.HasErrors() {
		return cty.NullVal(want), diags
	}
	if !v.IsKnown() { // the file ends here, or goes on with what is no expression; that was told
		return cty.NullVal(want), nil
	}
	v, err := convertTo(v, want)
	if err != nil {
		return wrong(fmt.Sprintf("%q takes a %s: %s.", name, want.FriendlyName(), err))
	}
	return v, nil
}

// writtenOut reports a boolean attribute that is computed, if only from constants: it is read from the file, as the plan is made.
func writtenOut(b *hclsyntax.Body, name string, known hcl.Diagnostics) hcl.Diagnostics {
	a, ok := b.Attributes[name]
	if !ok || known.HasErrors() {
		return nil
	}
	switch hcl.UnwrapExpression(a.Expr).(type) {
	case *hclsyntax.BinaryOpExpr, *hclsyntax.UnaryOpExpr, *hclsyntax.ConditionalExpr, *hclsyntax.IndexExpr, *hclsyntax.RelativeTraversalExpr:
		return hcl.Diagnostics{{
			Severity: hcl.DiagError, Summary: "Wrong value",
			Detail: fmt.Sprintf("%q is read before anything is evaluated: write true or false.", name), Subject: a.Expr.Range().Ptr(), Context: a.SrcRange.Ptr(),
		}}
	}
	return nil
}

func literalString(b *hclsyntax.Body, name string) (string, hcl.Diagnostics) {
	v, diags := literal(b, name, cty.String)
	if v.IsNull() {
		return "", diags
	}
	return v.AsString(), diags
}

// expression gives the attribute's expression, or nil.
func expression(b *hclsyntax.Body, name string) hcl.Expression {
	if a, ok := b.Attributes[name]; ok {
		return a.Expr
	}
	return nil
}

// required reports the attributes that are missing from a block.
func required(b *hclsyntax.Body, block hcl.Range, what string, names ...string) (diags hcl.Diagnostics) {
	for _, name := range names {
		if _, ok := b.Attributes[name]; !ok {
			diags = append(diags, missing(name, what, block))
		}
	}
	return diags
}

func missing(name, what string, at hcl.Range) *hcl.Diagnostic {
	return &hcl.Diagnostic{
		Severity: hcl.DiagError,
		Summary:  "Missing attribute",
		Detail:   fmt.Sprintf("%s needs %q. Add `%s = …`.", sentence(what), name, name),
		Subject:  at.Ptr(),
	}
}

// Literal evaluates an expression that may have neither references nor function calls.
func Literal(expr hclsyntax.Expression) (v cty.Value, diags hcl.Diagnostics) {
	v = cty.DynamicVal
	defer recoverTo(&diags, expr.Range().Ptr())
	if len(expr.Variables()) > 0 || len(calls(expr)) > 0 {
		return v, hcl.Diagnostics{{
			Severity: hcl.DiagError, Summary: "Not a plain value",
			Detail: "Write the value itself, without references and functions; a text needs quotes.", Subject: expr.Range().Ptr(),
		}}
	}
	m := &meter{}
	v, diags = expr.Value(&hcl.EvalContext{Variables: map[string]cty.Value{meterName: cty.CapsuleVal(meterType, m)}})
	diags = plain(diags, remedyValue)
	if err := m.value(v); err != nil {
		return cty.DynamicVal, hcl.Diagnostics{overBudget(m.over, expr.Range().Ptr())}
	}
	return v, diags
}
