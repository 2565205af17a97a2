package eval

import (
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/containerpub/cpub/sdk/schema"
)

// UnknownStep is what step.NAME means before the step ran: its outputs are unknown, but have their types.
func UnknownStep(shape schema.Object) cty.Value {
	attrs := map[string]cty.Value{}
	for name, t := range shape.Type().AttributeTypes() {
		attrs[name] = cty.UnknownVal(t)
	}
	for _, a := range shape.Attrs {
		if a.Sensitive {
			attrs[a.Name] = attrs[a.Name].Mark(Sensitive)
		}
	}
	attrs["status"] = cty.UnknownVal(cty.String).RefineNotNull()
	return cty.ObjectVal(attrs)
}

// UnknownError is what run.error means before it is known why a run failed, if it did.
func UnknownError() cty.Value {
	return cty.UnknownVal(cty.Object(map[string]cty.Type{"step": cty.String, "code": cty.String, "message": cty.String}))
}

// Locations gives the locations of the located values in a resolved input, sorted, each once. More than one means that no place has
// them all.
func Locations(shape schema.Object, input cty.Value) []string {
	var out []string
	if input == cty.NilVal || input.IsNull() || !input.IsKnown() {
		return nil
	}
	input, _ = input.Unmark()
	for _, a := range shape.Attrs {
		if a.Located && input.Type().HasAttribute(a.Name) {
			out = append(out, locationsIn(input.GetAttr(a.Name))...)
		}
	}
	for _, b := range shape.Blocks {
		if !input.Type().HasAttribute(b.Name) {
			continue
		}
		v, _ := input.GetAttr(b.Name).Unmark()
		if b.Nesting == schema.NestingSingle {
			out = append(out, Locations(b.Object, v)...)
			continue
		}
		if v.IsKnown() && !v.IsNull() && v.CanIterateElements() {
			for it := v.ElementIterator(); it.Next(); {
				_, e := it.Element()
				out = append(out, Locations(b.Object, e)...)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// locationsIn looks into one located attribute: a located value, a plain text (valid everywhere), or a collection of them.
func locationsIn(v cty.Value) []string {
	v, _ = v.UnmarkDeep()
	if !v.IsKnown() || v.IsNull() || v.Type() == cty.String {
		return nil
	}
	if v.Type().IsObjectType() && v.Type().HasAttribute("location") {
		loc := v.GetAttr("location")
		if loc.Type() == cty.String && loc.IsKnown() && !loc.IsNull() && loc.AsString() != "" {
			return []string{loc.AsString()}
		}
		return nil
	}
	var out []string
	if v.CanIterateElements() {
		for it := v.ElementIterator(); it.Next(); {
			_, e := it.Element()
			out = append(out, locationsIn(e)...)
		}
	}
	return out
}

// Use is an attribute or block that a body sets.
type Use struct {
	Name  string
	Range hcl.Range
}

// Uses are the attributes and blocks of the step's type that its body sets, in source order; dynamic blocks by what they make.
func (s *Step) Uses() (all []Use) {
	if s.Body == nil {
		return nil
	}
	for _, a := range s.Body.Attributes {
		all = append(all, Use{a.Name, a.NameRange})
	}
	for _, b := range s.Body.Blocks {
		switch {
		case b.Type != dynamicBlock:
			all = append(all, Use{b.Type, b.TypeRange})
		case len(b.Labels) > 0:
			all = append(all, Use{b.Labels[0], b.LabelRanges[0]})
		}
	}
	slices.SortFunc(all, func(a, b Use) int { return a.Range.Start.Byte - b.Range.Start.Byte })
	return all
}
