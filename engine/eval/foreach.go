package eval

import (
	"fmt"
	"slices"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// Instances are the elements of a step's for_each.
type Instances struct {
	// Known tells that the elements are known; while checking they may not be.
	Known bool
	// Keys are sorted, and each has its value in Values.
	Keys   []string
	Values []cty.Value
	// MaxParallel is how many may be under way at once; 0: as many as the pipeline lets.
	MaxParallel int

	element cty.Type
}

// Each is what `each` means in the instance of that index.
func (in Instances) Each(i int) cty.Value {
	return cty.ObjectVal(map[string]cty.Value{"key": cty.StringVal(in.Keys[i]), "value": in.Values[i]})
}

// AnyEach is what `each` means in every instance: unknown values, with what type is known.
func (in Instances) AnyEach() cty.Value {
	element := in.element
	if element == cty.NilType {
		element = cty.DynamicPseudoType
	}
	return cty.ObjectVal(map[string]cty.Value{"key": cty.UnknownVal(cty.String).RefineNotNull(), "value": cty.UnknownVal(element)})
}

// maxKey is the most bytes of an instance's key: it stands in addresses everywhere.
const maxKey = 200

// ForEach evaluates a step's for_each, which it must have, and the max_parallel of its instances.
func (s *Scope) ForEach(st *Step) (Instances, hcl.Diagnostics) {
	in := Instances{element: cty.DynamicPseudoType}
	n, diags := s.whole("max_parallel", st.MaxParallel, 1000)
	in.MaxParallel = n
	v, more := s.evaluate(st.ForEach)
	diags = append(diags, more...)
	if diags.HasErrors() {
		return in, diags
	}
	wrong := func(detail string) (Instances, hcl.Diagnostics) {
		return in, append(diags, s.badMeta(st.ForEach, "for_each", detail))
	}
	if d := misplacedSecret(v, st.ForEach.Range()); d != nil {
		return in, append(diags, d)
	}
	if HasSensitive(v) {
		return wrong("names the instances, and names are shown everywhere, so it cannot be sensitive.")
	}
	t := v.Type()
	switch {
	case t.IsTupleType() || t.IsListType():
		return wrong("takes a map or a set; this is a list. Write toset(…) around a list of texts, or { for item in … : item.name => item }.")
	case t == cty.DynamicPseudoType && !v.IsNull():
		return in, diags
	case !t.IsObjectType() && !t.IsMapType() && !t.IsSetType():
		return wrong(fmt.Sprintf("takes a map or a set; this is %s.", shownKind(v)))
	case t.IsSetType() && t.ElementType() != cty.String && t.ElementType() != cty.DynamicPseudoType:
		return wrong("takes a set of texts, since they name the instances. Use a map.")
	}
	in.element = elementOf(t)
	switch {
	case !v.IsKnown():
		return in, diags
	case v.IsNull():
		return wrong("must have a value; it is null. The outputs of a skipped step are null: use `when`, or coalesce().")
	case v.LengthInt() > MaxInstances:
		return wrong(fmt.Sprintf("has %d elements, more than the %d that are possible.", v.LengthInt(), MaxInstances))
	}
	return in.fill(v, wrong, diags)
}

// elementOf is the type that every element has, if they share one.
func elementOf(t cty.Type) cty.Type {
	if !t.IsObjectType() {
		return t.ElementType()
	}
	var one cty.Type
	for _, a := range t.AttributeTypes() {
		if one != cty.NilType && !one.Equals(a) {
			return cty.DynamicPseudoType
		}
		one = a
	}
	if one == cty.NilType {
		return cty.DynamicPseudoType
	}
	return one
}

// fill takes the elements of a known collection, in the order of their keys.
func (in Instances) fill(v cty.Value, wrong func(string) (Instances, hcl.Diagnostics), diags hcl.Diagnostics) (Instances, hcl.Diagnostics) {
	for it := v.ElementIterator(); it.Next(); {
		k, e := it.Element()
		if v.Type().IsSetType() {
			k = e
		}
		switch {
		case !k.IsKnown():
			return Instances{element: in.element, MaxParallel: in.MaxParallel}, diags
		case k.IsNull():
			return wrong("has a null in its set.")
		case len(k.AsString()) > maxKey || k.AsString() == "" || !utf8.ValidString(k.AsString()):
			return wrong(fmt.Sprintf("has the key %q; keys take 1 to %d bytes of text.", cut(k.AsString(), 40), maxKey))
		}
		in.Keys = append(in.Keys, k.AsString())
		in.Values = append(in.Values, e)
	}
	in.Known = true
	if !slices.IsSorted(in.Keys) { // cty iterates in order; an order that another version changes must not change ours
		order := make([]int, len(in.Keys))
		for i := range order {
			order[i] = i
		}
		slices.SortFunc(order, func(a, b int) int {
			if in.Keys[a] < in.Keys[b] {
				return -1
			}
			return 1
		})
		keys, values := in.Keys, in.Values
		in.Keys, in.Values = nil, nil
		for _, i := range order {
			in.Keys, in.Values = append(in.Keys, keys[i]), append(in.Values, values[i])
		}
	}
	return in, diags
}

// NamesEach tells whether a step's `when` is to be asked of each instance, since it names each.*, rather than once.
func (s *Step) NamesEach() bool {
	return s.ForEach != nil && s.When != nil && slices.ContainsFunc(s.When.Variables(), func(t hcl.Traversal) bool { return t.RootName() == "each" })
}

// InstancesValue is what step.NAME means of a step with for_each: an object with the value of each instance by its key.
func InstancesValue(keys []string, values []cty.Value) cty.Value {
	if len(keys) == 0 {
		return cty.EmptyObjectVal
	}
	attrs := make(map[string]cty.Value, len(keys))
	for i, k := range keys {
		attrs[k] = values[i]
	}
	return cty.ObjectVal(attrs)
}

// UnknownInstances is what step.NAME means before a step with for_each ran: a map whose elements have the type's outputs.
func UnknownInstances(one cty.Value) cty.Value {
	plain, marks := one.UnmarkDeep()
	if plain.Type().HasDynamicTypes() {
		return cty.DynamicVal.WithMarks(marks)
	}
	return cty.UnknownVal(cty.Map(plain.Type())).RefineNotNull().WithMarks(marks)
}
