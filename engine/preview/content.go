package preview

import (
	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/containerpub/cpub/engine/eval"
	"github.com/containerpub/cpub/sdk/schema"
)

// Content is what a body says: attributes, those with defaults too, then blocks, each in the order of the schema.
type Content struct {
	Values []Value
	Blocks []Block
}

// Block is a block in a step's body.
type Block struct {
	Type, Label string
	Content
}

// body shows what the instances' inputs, which body gave, have in them.
func (e *stepMaker) body(body *hclsyntax.Body, shape schema.Object, inputs []cty.Value) (c Content) {
	body, _ = eval.BlocksOf(body, shape) // what is wrong is told by the scope
	for _, a := range shape.Attrs {
		if v, ok := e.attr(a, body, inputs); ok {
			c.Values = append(c.Values, v)
		}
	}
	for _, b := range shape.Blocks {
		if !eval.HasBlock(body, b.Name) {
			continue
		}
		values := attrsOf(inputs, b.Name)
		merged := e.merge(b.Name, values, nil)
		if blocks, ok := e.blocks(body, b, merged); ok {
			c.Blocks = append(c.Blocks, blocks...)
			continue
		}
		merged.After = e.waits(expressions(body, b.Name)...)
		for i := range merged.Each {
			merged.Each[i].After = merged.After
		}
		c.Values = append(c.Values, merged)
	}
	return c
}

func attrsOf(inputs []cty.Value, name string) (out []cty.Value) {
	for _, v := range inputs {
		out = append(out, v.GetAttr(name))
	}
	return out
}

// attr is one attribute; false where it is neither set nor has a default.
func (e *stepMaker) attr(a schema.Attr, body *hclsyntax.Body, inputs []cty.Value) (Value, bool) {
	set, values := body.Attributes[a.Name], attrsOf(inputs, a.Name)
	if set == nil {
		return Value{Name: a.Name, Default: a.Default}, a.Default != ""
	}
	v := e.merge(a.Name, values, set.Expr)
	if known, _ := v.Value.Unmark(); len(v.Each) == 0 && known.IsKnown() && known.IsNull() {
		return Value{Name: a.Name, Default: a.Default}, a.Default != ""
	}
	return v, true
}

// blocks shows blocks as they are written; false where they do not stand there one by one: the instances' differ, or a dynamic block
// makes them.
func (e *stepMaker) blocks(body *hclsyntax.Body, b schema.Block, v Value) (out []Block, ok bool) {
	value, _ := v.Value.Unmark()
	if len(v.Each) > 0 || !value.IsKnown() || value.IsNull() {
		return nil, false
	}
	var elements []cty.Value
	if b.Nesting == schema.NestingSingle {
		elements = []cty.Value{value}
	}
	for i, block := range ofType(body, b.Name) {
		if block.Type != b.Name {
			return nil, false
		}
		label := ""
		switch {
		case b.Nesting == schema.NestingMap && len(block.Labels) == 1:
			label = block.Labels[0]
			at := cty.StringVal(label)
			if value.Type().IsObjectType() {
				elements = append(elements, value.GetAttr(label))
			} else {
				elements = append(elements, value.Index(at))
			}
		case b.Nesting == schema.NestingList:
			elements = append(elements, value.Index(cty.NumberIntVal(int64(i))))
		}
		if i >= len(elements) {
			return nil, false
		}
		out = append(out, Block{Type: b.Name, Label: label, Content: e.body(block.Body, b.Object, elements[i:i+1])})
	}
	return out, true
}

// ofType are the blocks of a type, and the dynamic blocks that make such.
func ofType(body *hclsyntax.Body, name string) (out []*hclsyntax.Block) {
	for _, b := range body.Blocks {
		one := &hclsyntax.Body{Blocks: hclsyntax.Blocks{b}}
		if eval.HasBlock(one, name) {
			out = append(out, b)
		}
	}
	return out
}

// expressions are all in the blocks of a type.
func expressions(body *hclsyntax.Body, name string) (out []hcl.Expression) {
	for _, b := range ofType(body, name) {
		out = append(out, inside(b.Body)...)
	}
	return out
}

func inside(body *hclsyntax.Body) (out []hcl.Expression) {
	for _, a := range body.Attributes {
		out = append(out, a.Expr)
	}
	for _, b := range body.Blocks {
		out = append(out, inside(b.Body)...)
	}
	return out
}
