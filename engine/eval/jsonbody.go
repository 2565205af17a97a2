package eval

import (
	"fmt"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/containerpub/cpub/sdk/schema"
)

// body makes a body of an object, or of several in an array.
func (t *jsonTranslator) body(n *jsonNode, shape *jsonShape) *hclsyntax.Body {
	b := &hclsyntax.Body{Attributes: hclsyntax.Attributes{}, SrcRange: n.rng, EndRange: hcl.Range{Filename: n.rng.Filename, Start: n.rng.End, End: n.rng.End}}
	switch n.kind {
	case jsonObject:
		t.fill(b, n, shape)
	case jsonArray:
		for _, item := range n.items {
			if item.kind != jsonObject {
				t.fail(item.rng, fmt.Sprintf("There should be an object here, not %s.", item.kind))
				continue
			}
			t.fill(b, item, shape)
		}
	default:
		t.fail(n.rng, fmt.Sprintf("There should be an object here, not %s.", n.kind))
	}
	return b
}

func (t *jsonTranslator) fill(b *hclsyntax.Body, n *jsonNode, shape *jsonShape) {
	for _, m := range n.members {
		name := m.name.text
		if name == jsonComment || slices.Contains(shape.ignored, name) || m.value.kind == jsonNull && slices.Contains(shape.names, name) {
			continue
		}
		if block, ok := shape.blocks[name]; ok {
			t.blocks(b, jsonHeader{kind: name, at: m.name.rng}, m.value, block, block.labels)
			continue
		}
		t.attribute(b, m, shape)
	}
}

func (t *jsonTranslator) attribute(b *hclsyntax.Body, m jsonMember, shape *jsonShape) {
	name := m.name.text
	if first, again := b.Attributes[name]; again {
		t.fail(m.name.rng, fmt.Sprintf("%q is set already, on line %d.", cut(name, 80), first.NameRange.Start.Line))
		return
	}
	a := &hclsyntax.Attribute{
		Name: name, NameRange: m.name.rng, EqualsRange: m.colon, SrcRange: hcl.RangeBetween(m.name.rng, m.value.rng),
	}
	a.Expr = t.expressionOrName(m.value, name, shape)
	b.Attributes[name] = a
}

func (t *jsonTranslator) expressionOrName(n *jsonNode, attr string, shape *jsonShape) hclsyntax.Expression {
	if slices.Contains(shape.names, attr) {
		return t.name(n, attr)
	}
	return t.expression(n)
}

// jsonHeader is a block's type, and those of its labels that have been read.
type jsonHeader struct {
	kind        string
	labels      []string
	labelRanges []hcl.Range
	// at is what stands for the block in messages: its last label, or the object itself where that is one of several.
	at hcl.Range
}

func (h jsonHeader) label(name *jsonText) jsonHeader {
	h.labels = append(h.labels[:len(h.labels):len(h.labels)], name.text)
	h.labelRanges = append(h.labelRanges[:len(h.labelRanges):len(h.labelRanges)], name.rng)
	h.at = name.rng
	return h
}

// blocks reads the labels that are left, each a level of objects, and then the blocks. Arrays of objects may stand at each level.
func (t *jsonTranslator) blocks(b *hclsyntax.Body, h jsonHeader, n *jsonNode, block jsonBlock, left int) {
	switch {
	case n.kind == jsonNull:
	case n.kind == jsonArray:
		for _, item := range n.items {
			if item.kind == jsonArray {
				t.fail(item.rng, fmt.Sprintf("%q is a block: write an object, or an array of objects.", h.kind))
				continue
			}
			if left == 0 {
				h.at = firstByte(item.rng)
			}
			t.blocks(b, h, item, block, left)
		}
	case n.kind != jsonObject && left == 0:
		t.fail(n.rng, fmt.Sprintf("%q is a block: write an object, or an array of objects, not %s.", h.kind, n.kind))
	case n.kind != jsonObject:
		t.fail(n.rng, fmt.Sprintf("%q is a block with a name: write an object by name, such as {%q: {%q: {…}}}, not %s.", h.kind, h.kind, "NAME", n.kind))
	case left > 0:
		for _, m := range n.members {
			if m.name.text != jsonComment {
				t.blocks(b, h.label(m.name), m.value, block, left-1)
			}
		}
	default:
		end := n.rng
		end.Start = end.End
		end.Start.Byte, end.Start.Column = end.Start.Byte-1, end.Start.Column-1
		b.Blocks = append(b.Blocks, &hclsyntax.Block{
			Type: h.kind, Labels: h.labels, Body: t.body(n, block.shape), TypeRange: h.typeRange(), LabelRanges: h.labelRanges,
			OpenBraceRange: firstByte(n.rng), CloseBraceRange: end,
		})
	}
}

// typeRange is where the block is: labels may lie far below the name of the type, which other blocks share.
func (h jsonHeader) typeRange() hcl.Range {
	if len(h.labelRanges) > 0 {
		return h.labelRanges[len(h.labelRanges)-1]
	}
	return h.at
}

// BlocksOf gives a body of a JSON file the blocks that the schema says are blocks: in JSON they look like attributes. A body in native syntax
// is returned as it is.
func BlocksOf(body *hclsyntax.Body, shape schema.Object) (*hclsyntax.Body, hcl.Diagnostics) {
	var found []*hclsyntax.Attribute
	for _, a := range ordered(body) {
		if shape.Block(a.Name) != nil && IsJSON(a.NameRange.Filename) {
			found = append(found, a)
		}
	}
	if len(found) == 0 {
		return body, nil
	}
	out := *body
	out.Attributes = hclsyntax.Attributes{}
	for name, a := range body.Attributes {
		out.Attributes[name] = a
	}
	out.Blocks = append(hclsyntax.Blocks{}, body.Blocks...)
	t := &jsonTranslator{}
	for _, a := range found {
		delete(out.Attributes, a.Name)
		t.schemaBlocks(&out, a, *shape.Block(a.Name))
	}
	return &out, t.diags
}

// schemaBlocks adds the blocks that an attribute stands for.
func (t *jsonTranslator) schemaBlocks(b *hclsyntax.Body, a *hclsyntax.Attribute, block schema.Block) {
	e, ok := a.Expr.(*jsonExpr)
	if !ok {
		if lit, isLit := a.Expr.(*hclsyntax.LiteralValueExpr); !isLit || lit.Val.Type() != cty.DynamicPseudoType {
			t.fail(a.Expr.Range(), fmt.Sprintf("%q is a block: write an object, or an array of objects. One for each element of something is \"dynamic\".", a.Name))
		}
		return
	}
	labels := 0
	if block.Nesting == schema.NestingMap {
		labels = 1
	}
	// What is nested further is found when that body is read with its own schema.
	inner := jsonBlock{labels, &jsonShape{blocks: map[string]jsonBlock{"dynamic": jsonStep().blocks["dynamic"]}}}
	t.blocks(b, jsonHeader{kind: a.Name, at: a.NameRange}, e.node, inner, labels)
}
