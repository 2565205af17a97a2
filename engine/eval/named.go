package eval

import (
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// Named gives a scope whose expressions see these names and nothing else: for files that speak about a run from outside, such as tests. It
// has the budget of a Scope and its functions, those that read files left out.
func Named(names map[string]cty.Value) *Scope {
	s := (&Module{}).Scope(nil, Inputs{})
	s.names = names
	return s
}

// named gives what an expression of Named needs.
func (s *Scope) named(expr hcl.Expression) (*hcl.EvalContext, hcl.Diagnostics) {
	diags := checkFunctions(expr)
	ctx := &hcl.EvalContext{Variables: map[string]cty.Value{meterName: cty.CapsuleVal(meterType, s.meter)}, Functions: s.functionsFor(expr)}
	maps.Copy(ctx.Variables, s.names)
	for _, t := range expr.Variables() {
		if d := missingIn(s.names, t); d != nil {
			diags = append(diags, d)
		}
	}
	return ctx, Sort(diags)
}

// missingIn says what a traversal names that is not there, as far as the names have attributes.
func missingIn(names map[string]cty.Value, t hcl.Traversal) *hcl.Diagnostic {
	wrong := func(format string, args ...any) *hcl.Diagnostic {
		return &hcl.Diagnostic{
			Severity: hcl.DiagError, Summary: "Reference to nothing", Detail: fmt.Sprintf(format, args...), Subject: t.SourceRange().Ptr(),
		}
	}
	v, ok := names[t.RootName()]
	if !ok {
		all := slices.Sorted(maps.Keys(names))
		hint := didYouMean(t.RootName(), all)
		if hint == "" {
			hint = fmt.Sprintf(" There is: %s. A text needs quotes.", oneOf(all))
		}
		return wrong("There is nothing named %q here.%s", t.RootName(), hint)
	}
	for _, step := range t[1:] {
		attr, ok := step.(hcl.TraverseAttr)
		v, _ = v.Unmark()
		if !ok || !v.Type().IsObjectType() || !v.IsKnown() || v.IsNull() {
			return nil
		}
		if !v.Type().HasAttribute(attr.Name) {
			all := slices.Sorted(maps.Keys(v.Type().AttributeTypes()))
			hint := didYouMean(attr.Name, all)
			if hint == "" {
				hint = fmt.Sprintf(" There is: %s.", oneOf(all))
			}
			return wrong("There is no %q in it.%s", attr.Name, hint)
		}
		v = v.GetAttr(attr.Name)
	}
	return nil
}
