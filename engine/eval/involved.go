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

// Involved is something that an expression names, and its value for people: `var.n` and `"abc"`. What is sensitive reads "(sensitive)".
type Involved struct {
	Name  string
	Value string
}

// String is a sentence without its end: `var.n is "abc"`.
func (i Involved) String() string { return i.Name + " is " + i.Value }

// involvedValues is how diagnostics carry them, as Extra.
type involvedValues []Involved

// InvolvedIn gives the values that a diagnostic of an evaluation is about, in order of mention. It is empty for all others.
func InvolvedIn(d *hcl.Diagnostic) []Involved {
	values, _ := hcl.DiagnosticExtra[involvedValues](d)
	return values
}

const (
	// maxInvolved is how many values one diagnostic shows, and shownInvolved how many characters of each.
	maxInvolved   = 6
	shownInvolved = 80
	// maxExplained is for how many diagnostics one Scope shows values: a mistake in the body of a `for` is made for every element.
	maxExplained = 20
)

// Involve gives a diagnostic about an expression the values that the expression names. It evaluates nothing but locals.
func (s *Scope) Involve(d *hcl.Diagnostic, expr hcl.Expression) *hcl.Diagnostic {
	if s.meter.explained >= maxExplained || s.meter.over != nil || len(expr.Variables()) == 0 {
		return d
	}
	ctx, _ := s.contextOf(expr)
	if ctx != nil {
		s.explain(d, expr, ctx, expr)
	}
	return d
}

// explainer gives a function that does the same for hcl's own diagnostics, about parts of the expression that was evaluated in ctx, and has
// them say more of what is missing.
func (s *Scope) explainer(whole hcl.Expression, ctx *hcl.EvalContext) func(*hcl.Diagnostic) {
	hides := map[hcl.Range]bool{} // by place: a loop makes the same mistake for each of its elements
	return func(d *hcl.Diagnostic) {
		if d.Expression == nil || d.EvalContext == nil || d.Subject == nil {
			s.explain(d, whole, ctx, whole)
			return
		}
		hidden, again := hides[*d.Subject]
		if !again {
			hidden = hidesLoops(d, whole, d.EvalContext)
			hides[*d.Subject] = hidden
		}
		if !hidden {
			remedyValue(d)
		}
		s.explain(d, d.Expression, d.EvalContext, whole)
	}
}

// explain shows what an expression names that failed, or else what the smallest part of the whole does that is around the place.
func (s *Scope) explain(d *hcl.Diagnostic, expr hcl.Expression, ctx *hcl.EvalContext, whole hcl.Expression) {
	if s.meter.explained >= maxExplained {
		return
	}
	s.meter.explained++
	l := involvedList{scope: s, ctx: ctx, hidden: hidesLoops(d, whole, ctx)}
	l.add(expr)
	around := aroundPlace(whole, d.Subject)
	for i := len(around) - 1; i >= 0 && l.mentions == 0; i-- {
		l.add(around[i])
	}
	l.addLoops()
	if l.known {
		d.Extra = l.values
	}
}

// aroundPlace gives the parts of an expression that have the place in them, from the whole inwards.
func aroundPlace(whole hcl.Expression, place *hcl.Range) (out []hcl.Expression) {
	out = append(out, whole)
	syntax := native(whole)
	if syntax == nil || place == nil {
		return out
	}
	_ = hclsyntax.VisitAll(syntax, func(n hclsyntax.Node) hcl.Diagnostics {
		r := n.Range()
		part, ok := n.(hclsyntax.Expression)
		if ok && r.Filename == place.Filename && r.Start.Byte <= place.Start.Byte && place.End.Byte <= r.End.Byte {
			out = append(out, part)
		}
		return nil
	})
	if len(out) > 1 { // the whole was found again
		out = out[1:]
	}
	return out
}

// involvedList collects values.
type involvedList struct {
	scope  *Scope
	ctx    *hcl.EvalContext
	hidden bool // what a `for` binds may be an element of something sensitive

	values   involvedValues
	mentions int
	known    bool // one of them is; all unknown, they say nothing
}

func (l *involvedList) add(expr hcl.Expression) {
	all := expr.Variables()
	slices.SortStableFunc(all, func(a, b hcl.Traversal) int { return a.SourceRange().Start.Byte - b.SourceRange().Start.Byte })
	for _, t := range all {
		v, bound, n := found(t, l.ctx)
		if n == 0 || t.RootName() == "path" {
			continue
		}
		l.mentions++
		name := traversalText(t[:n])
		switch {
		case v.IsKnown() && bound && l.hidden, v.IsMarked():
			l.show(name, showMarked(v))
		case v.IsKnown():
			l.show(name, showInvolved(v))
		default:
			if text := l.scope.unknownText(t); text != "" && !l.has(name) && len(l.values) < maxInvolved {
				l.values = append(l.values, Involved{name, text})
			}
		}
	}
}

// addLoops adds what the loops around bind that was not mentioned: it tells which elements they were at.
func (l *involvedList) addLoops() {
	for ctx := l.ctx; ctx.Parent() != nil && !l.hidden; ctx = ctx.Parent() {
		for _, name := range slices.Sorted(maps.Keys(ctx.Variables)) {
			if v := ctx.Variables[name]; v.IsKnown() && !v.IsMarked() {
				l.show(name, showInvolved(v))
			}
		}
	}
}

func (l *involvedList) show(name, text string) {
	l.known = true
	if len(l.values) < maxInvolved && !l.has(name) {
		l.values = append(l.values, Involved{name, text})
	}
}

func (l *involvedList) has(name string) bool {
	return slices.ContainsFunc(l.values, func(i Involved) bool { return i.Name == name })
}

// showMarked is what stands for a value that is sensitive, or may be an element of one that is. A secret is as it is named.
func showMarked(v cty.Value) string {
	if text, ok := showSecret(v, shownInvolved); ok {
		return text
	}
	return "(sensitive)"
}

// showInvolved is Show within narrow bounds.
func showInvolved(v cty.Value) string {
	text := shower{unknown: "(not known)", text: shownInvolved, elements: 20, depth: 4, most: shownInvolved}.show(v)
	if v.IsMarked() || !v.CanIterateElements() {
		return text
	}
	return cut(text, shownInvolved)
}

// found follows a traversal as far as it leads, which is n steps; 0 where that is nothing worth showing. bound tells that a `for` made the name.
func found(t hcl.Traversal, ctx *hcl.EvalContext) (v cty.Value, bound bool, n int) {
	v, ok := cty.NilVal, false
	for ; ctx != nil && !ok; ctx = ctx.Parent() {
		v, ok = ctx.Variables[t.RootName()]
		bound = ok && ctx.Parent() != nil
	}
	if !ok {
		return cty.NilVal, false, 0
	}
	n = 1
	for ; n < len(t); n++ {
		next, diags := t[n].TraversalStep(v)
		if diags.HasErrors() {
			break
		}
		v = next
	}
	least := 1
	switch {
	case bound:
	case t.RootName() == "step":
		least = 3 // all of a step is too much, where it was not asked for
	case reservedRoot(t.RootName()):
		least = 2
	}
	if n < min(least, len(t)) {
		return cty.NilVal, bound, 0
	}
	return v, bound, n
}

// hidesLoops tells whether the loops and splats around a mistake may go over something sensitive: their elements are not marked by themselves.
func hidesLoops(d *hcl.Diagnostic, whole hcl.Expression, inner *hcl.EvalContext) bool {
	bound, root := 0, inner
	for ; root.Parent() != nil; root = root.Parent() {
		bound += min(1, len(root.Variables))
	}
	if root == inner {
		return false
	}
	for _, part := range aroundPlace(whole, d.Subject) {
		switch part := part.(type) {
		case *hclsyntax.ForExpr:
			if bound--; mayBeSensitive(part.CollExpr, root) {
				return true
			}
		case *hclsyntax.SplatExpr:
			if mayBeSensitive(part.Source, root) {
				return true
			}
		}
	}
	return bound > 0
}

// mayBeSensitive tells whether something sensitive, or a secret, is among what an expression is made of.
func mayBeSensitive(e hclsyntax.Expression, root *hcl.EvalContext) bool {
	if slices.ContainsFunc(calls(e), func(c *hclsyntax.FunctionCallExpr) bool { return c.Name == "secret" }) {
		return true
	}
	return slices.ContainsFunc(e.Variables(), func(t hcl.Traversal) bool {
		v, _, n := found(t, root)
		return n > 0 && HasSensitive(v)
	})
}

// unknownText says when something will be known, or nothing.
func (s *Scope) unknownText(t hcl.Traversal) string {
	if s.names != nil {
		return "not known"
	}
	r, d := reference(t)
	if d != nil {
		return ""
	}
	var steps []string
	switch r.Root {
	case "step":
		steps = []string{r.Name}
	case "local":
		if l := s.module.Local(r.Name); l != nil {
			steps = s.module.StepsIn(l.Expr)
		}
	}
	if len(steps) == 0 {
		return ""
	}
	more := ""
	if len(steps) > 3 {
		steps, more = steps[:3], ", …"
	}
	return fmt.Sprintf("(known after step.%s%s)", strings.Join(steps, ", step."), more)
}

// traversalText writes a traversal as HCL has it.
func traversalText(t hcl.Traversal) string {
	var b strings.Builder
	for _, step := range t {
		switch step := step.(type) {
		case hcl.TraverseRoot:
			b.WriteString(step.Name)
		case hcl.TraverseAttr:
			b.WriteString("." + step.Name)
		case hcl.TraverseIndex:
			b.WriteString("[" + shower{text: shownInvolved, most: shownInvolved}.show(step.Key) + "]")
		}
	}
	return b.String()
}
