package eval

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/containerpub/cpub/sdk/schema"
)

// dynamicBlock is the name of the blocks that make others.
const dynamicBlock = "dynamic"

// dynamic is a `dynamic` block: it stands for one block of the type that its label names for each element of for_each.
type dynamic struct {
	makes    string
	iterator string
	forEach  hcl.Expression
	labels   hcl.Expression
	content  *hclsyntax.Block
	block    *hclsyntax.Block
}

var dynamicGrammar = grammar{what: "a dynamic block", attrs: []string{"for_each", "iterator", "labels"}, blocks: []string{"content"}}

// readDynamic is total: what is wrong with the block is told, and left out.
func readDynamic(block *hclsyntax.Block) (dynamic, hcl.Diagnostics) {
	d := dynamic{block: block}
	diags := labels(block, "BLOCK")
	if len(block.Labels) > 0 {
		d.makes = block.Labels[0]
		d.iterator = d.makes
	}
	diags = append(diags, dynamicGrammar.check(block.Body)...)
	diags = append(diags, required(block.Body, block.DefRange(), "a dynamic block", "for_each")...)
	d.forEach, d.labels = expression(block.Body, "for_each"), expression(block.Body, "labels")
	if e := expression(block.Body, "iterator"); e != nil {
		if d.iterator = hcl.ExprAsKeyword(e); d.iterator == "" || reservedRoot(d.iterator) {
			d.iterator = d.makes
			diags = append(diags, wrongMeta("iterator takes a name of your own, without quotes, such as mount.", e.Range()))
		}
	}
	var more hcl.Diagnostics
	d.content, more = single(block.Body, "content")
	diags = append(diags, more...)
	switch {
	case d.content != nil:
		diags = append(diags, labels(d.content)...)
	case len(block.Labels) == 1:
		diags = append(diags, &hcl.Diagnostic{
			Severity: hcl.DiagError, Summary: "Missing block",
			Detail: fmt.Sprintf("A dynamic block needs a block `content { … }`, which is what each %s is made of.", d.makes), Subject: block.DefRange().Ptr(),
		})
	}
	return d, diags
}

// made is a block as the decoder sees it: one that stands in the file, or one that a dynamic block makes.
type made struct {
	block  *hclsyntax.Block
	labels []string
	scope  *Scope
	// unknown tells that it stands for a number of blocks that is not known yet.
	unknown bool
}

// blocksOf gives a body's blocks of one type, in source order, those that dynamic blocks make too.
func (s *Scope) blocksOf(body *hclsyntax.Body, b *schema.Block) (out []made, diags hcl.Diagnostics) {
	var want []string
	if b.Nesting == schema.NestingMap {
		want = []string{"NAME"}
	}
	for _, block := range body.Blocks {
		switch {
		case block.Type == b.Name:
			diags = append(diags, labels(block, want...)...)
			out = append(out, made{block: block, labels: block.Labels, scope: s})
		case block.Type == dynamicBlock && len(block.Labels) > 0 && block.Labels[0] == b.Name:
			more, problems := s.expand(block, len(want))
			out, diags = append(out, more...), append(diags, problems...)
		}
	}
	return out, diags
}

// expand makes the blocks of a dynamic one.
func (s *Scope) expand(block *hclsyntax.Block, labelled int) (out []made, diags hcl.Diagnostics) {
	d, diags := readDynamic(block)
	if d.content == nil || d.forEach == nil {
		return nil, diags
	}
	v, more := s.evaluate(d.forEach)
	diags = append(diags, more...)
	if more.HasErrors() {
		return nil, diags
	}
	if d := misplacedSecret(v, d.forEach.Range()); d != nil {
		return nil, append(diags, d)
	}
	v, marks := v.Unmark()
	switch {
	case !v.IsKnown():
		one, more := s.with(d.iterator, cty.UnknownVal(cty.String).WithMarks(marks), cty.DynamicVal.WithMarks(marks)).makeOne(d, labelled)
		one.unknown = true
		return append(out, one), append(diags, more...)
	case v.IsNull() || !v.CanIterateElements():
		return nil, append(diags, s.Involve(&hcl.Diagnostic{
			Severity: hcl.DiagError, Summary: "Wrong value",
			Detail:  fmt.Sprintf("for_each of a dynamic block takes a list, a set or a map; this is %s.", shownKind(v)),
			Subject: d.forEach.Range().Ptr(),
		}, d.forEach))
	}
	for it := v.ElementIterator(); it.Next(); {
		if err := s.meter.charge(bodyCost); err != nil {
			s.meter.reported = true
			return out, append(diags, overBudget(s.meter.over, d.forEach.Range().Ptr()))
		}
		k, e := it.Element()
		if v.Type().IsSetType() {
			k = e
		}
		one, more := s.with(d.iterator, k.WithMarks(marks), e.WithMarks(marks)).makeOne(d, labelled)
		out, diags = append(out, one), append(diags, more...)
	}
	return out, diags
}

// shownKind says what a value is, for a sentence.
func shownKind(v cty.Value) string {
	if v.IsNull() {
		return "null"
	}
	return article(v.Type().FriendlyName())
}

// makeOne makes one block, in the scope of its element.
func (s *Scope) makeOne(d dynamic, labelled int) (made, hcl.Diagnostics) {
	m := made{block: &hclsyntax.Block{
		Type: d.makes, Body: d.content.Body, TypeRange: d.block.TypeRange, OpenBraceRange: d.block.OpenBraceRange, CloseBraceRange: d.block.CloseBraceRange,
	}, scope: s}
	if d.labels == nil && labelled == 0 {
		return m, nil
	}
	if d.labels == nil {
		return m, hcl.Diagnostics{missing("labels", fmt.Sprintf("a dynamic block that makes %s blocks", d.makes), d.block.DefRange())}
	}
	v, diags := s.Value(d.labels, cty.List(cty.String))
	if diags.HasErrors() || !v.IsWhollyKnown() {
		m.unknown = true
		return m, diags
	}
	if v.IsNull() || v.LengthInt() != labelled {
		return m, append(diags, s.Involve(&hcl.Diagnostic{
			Severity: hcl.DiagError, Summary: "Wrong labels", Detail: fmt.Sprintf("A block %s has %d labels.", d.makes, labelled), Subject: d.labels.Range().Ptr(),
		}, d.labels))
	}
	for it := v.ElementIterator(); it.Next(); {
		_, e := it.Element()
		e, _ = e.Unmark()
		if e.IsNull() || !validName(e.AsString()) {
			return m, append(diags, s.Involve(&hcl.Diagnostic{
				Severity: hcl.DiagError, Summary: "Invalid name",
				Detail: "A label takes letters, digits, _ and -, starts with a letter or _, and has at most 64 characters.", Subject: d.labels.Range().Ptr(),
			}, d.labels))
		}
		m.labels = append(m.labels, e.AsString())
		m.block.LabelRanges = append(m.block.LabelRanges, d.labels.Range())
	}
	return m, diags
}

// with gives a scope in which NAME.key and NAME.value are the element of a dynamic block.
func (s *Scope) with(name string, key, value cty.Value) *Scope {
	inner := *s
	inner.iterators = map[string]cty.Value{}
	for n, v := range s.iterators {
		inner.iterators[n] = v
	}
	inner.iterators[name] = cty.ObjectVal(map[string]cty.Value{"key": key, "value": value})
	return &inner
}

// HasBlock tells whether a body has a block of that name, or a dynamic block that makes such.
func HasBlock(body *hclsyntax.Body, name string) bool {
	for _, b := range body.Blocks {
		if b.Type == name || b.Type == dynamicBlock && len(b.Labels) > 0 && b.Labels[0] == name {
			return true
		}
	}
	return false
}
