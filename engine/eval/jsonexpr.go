package eval

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// jsonExpr is an object or an array of a JSON file where an expression may stand. It keeps the node, since only a schema tells whether
// that is a value or blocks.
type jsonExpr struct {
	*hclsyntax.ParenthesesExpr
	node *jsonNode
}

// UnwrapExpression gives static analysis the object or list in it.
func (e *jsonExpr) UnwrapExpression() hcl.Expression { return e.Expression }

// jsonTranslator makes native syntax trees of JSON. Each text is parsed once, and counted like a native one.
type jsonTranslator struct{ diags hcl.Diagnostics }

func (t *jsonTranslator) fail(at hcl.Range, detail string) {
	t.diags = append(t.diags, &hcl.Diagnostic{Severity: hcl.DiagError, Summary: "Wrong JSON", Detail: detail, Subject: &at})
}

// expression is a value: texts are templates, also as names in objects.
func (t *jsonTranslator) expression(n *jsonNode) hclsyntax.Expression {
	if n.expr == nil {
		n.expr = t.makeExpression(n)
	}
	return n.expr
}

func (t *jsonTranslator) makeExpression(n *jsonNode) hclsyntax.Expression {
	switch n.kind {
	case jsonString:
		return t.template(n.text)
	case jsonArray:
		list := &hclsyntax.TupleConsExpr{SrcRange: n.rng, OpenRange: firstByte(n.rng)}
		for _, item := range n.items {
			list.Exprs = append(list.Exprs, t.expression(item))
		}
		return &jsonExpr{&hclsyntax.ParenthesesExpr{Expression: list, SrcRange: n.rng}, n}
	case jsonObject:
		object := &hclsyntax.ObjectConsExpr{SrcRange: n.rng, OpenRange: firstByte(n.rng)}
		for _, m := range n.members {
			object.Items = append(object.Items, t.item(m))
		}
		return &jsonExpr{&hclsyntax.ParenthesesExpr{Expression: object, SrcRange: n.rng}, n}
	default:
		return &hclsyntax.LiteralValueExpr{Val: jsonLiteral(n), SrcRange: n.rng}
	}
}

// item is a member of an object. What a comment says is never a template.
func (t *jsonTranslator) item(m jsonMember) hclsyntax.ObjectConsItem {
	if m.name.text == jsonComment && m.value.kind == jsonString {
		m.value.expr = literalText(m.value.text)
	}
	return hclsyntax.ObjectConsItem{KeyExpr: t.template(m.name), ValueExpr: t.expression(m.value)}
}

func jsonLiteral(n *jsonNode) cty.Value {
	switch n.kind {
	case jsonBool:
		return cty.BoolVal(n.raw == "true")
	case jsonNumber:
		if v, err := parseNumber(n.raw); err == nil { // the parser has seen to it
			return v
		}
	default:
	}
	return cty.NullVal(cty.DynamicPseudoType)
}

func firstByte(r hcl.Range) hcl.Range {
	r.End = r.Start
	r.End.Byte++
	r.End.Column++
	return r
}

func literalText(text *jsonText) hclsyntax.Expression {
	part := &hclsyntax.LiteralValueExpr{Val: cty.StringVal(text.text), SrcRange: text.inner}
	return &hclsyntax.TemplateExpr{Parts: []hclsyntax.Expression{part}, SrcRange: text.rng}
}

// template is a text as a template.
func (t *jsonTranslator) template(text *jsonText) hclsyntax.Expression {
	if !strings.Contains(text.text, "${") && !strings.Contains(text.text, "%{") {
		return literalText(text)
	}
	e := t.parse(text, hclsyntax.LexTemplate, hclsyntax.ParseTemplate)
	switch e := e.(type) { // as natively, the quotes belong to it
	case *hclsyntax.TemplateExpr:
		e.SrcRange = text.rng
	case *hclsyntax.TemplateWrapExpr:
		e.SrcRange = text.rng
	}
	return instrument(e)
}

// name is a text that is a reference, a name or a type by itself, as depends_on has it: "step.build". In a list each element is one.
func (t *jsonTranslator) name(n *jsonNode, attr string) hclsyntax.Expression {
	switch n.kind {
	case jsonString:
		if strings.Contains(n.text.text, "${") {
			t.fail(n.rng, fmt.Sprintf("%q takes names as they are, such as \"step.build\": no template. Take ${ and } out.", attr))
			return literalText(n.text)
		}
		e := t.parse(n.text, hclsyntax.LexExpression, hclsyntax.ParseExpression)
		return instrument(e)
	case jsonArray:
		list := &hclsyntax.TupleConsExpr{SrcRange: n.rng, OpenRange: firstByte(n.rng)}
		for _, item := range n.items {
			list.Exprs = append(list.Exprs, t.name(item, attr))
		}
		return list
	default:
		t.fail(n.rng, fmt.Sprintf("%q takes names as strings, not %s.", attr, n.kind))
		return t.expression(n)
	}
}

type (
	jsonLex   func(src []byte, filename string, start hcl.Pos) (hclsyntax.Tokens, hcl.Diagnostics)
	jsonParse func(src []byte, filename string, start hcl.Pos) (hclsyntax.Expression, hcl.Diagnostics)
)

// parse reads a text within the budgets. Everything in the result has its place in the file.
func (t *jsonTranslator) parse(text *jsonText, lex jsonLex, parse jsonParse) hclsyntax.Expression {
	src, file, start := []byte(text.text), text.rng.Filename, text.inner.Start
	places := &placer{text: text, seen: map[placed]bool{}}
	tokens, _ := lex(src, file, start)
	if d := checkNesting(tokens); d != nil {
		places.diagnostics(hcl.Diagnostics{d})
		t.diags = append(t.diags, d)
		return literalText(text)
	}
	e, diags := parse(src, file, start)
	places.diagnostics(diags)
	for _, d := range diags {
		d.Detail = strings.ReplaceAll(d.Detail, "the end of the file", "the end of the text")
	}
	t.diags = append(t.diags, diags...)
	if e == nil || diags.HasErrors() { // half an expression may have places that are none
		return literalText(text)
	}
	places.expression(e)
	return e
}
