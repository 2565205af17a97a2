package eval

import (
	"errors"
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/convert"
)

// maxDigits is how long a text may be that is read as a number: reading takes the square of its length.
const maxDigits = 1300

// number refuses texts that are too long to be read as a number.
func (m *meter) number(v cty.Value) error {
	if m.over != nil {
		return m.over
	}
	if longText(v) {
		return m.refuse("it reads a text of more than %d characters as a number", maxDigits)
	}
	return nil
}

func longText(v cty.Value) bool {
	v, _ = v.Unmark()
	return v != cty.NilVal && v.Type() == cty.String && v.IsKnown() && !v.IsNull() && len(v.AsString()) > maxDigits
}

// maxMixed is how many elements of different types may become one collection: cty compares each with each.
const maxMixed = 3000

// convertTo is convert.Convert without its costs on hostile values: the square of a text's length for numbers, and of a tuple's for lists.
func convertTo(v cty.Value, want cty.Type) (cty.Value, error) {
	if err := convertible(v, want, 0); err != nil {
		return cty.NilVal, err
	}
	v, _, err := collect(v, want)
	if err != nil {
		return cty.NilVal, err
	}
	return convert.Convert(v, want)
}

// collect makes collections of the tuples and objects in v, however deep, where want has collections and the elements have one type. It tells
// whether it made anything: an object that holds nothing new stays itself, since making values is what takes the time.
func collect(v cty.Value, want cty.Type) (out cty.Value, made bool, err error) {
	bare, marks := v.Unmark()
	t := bare.Type()
	if !bare.IsKnown() || bare.IsNull() || !bare.CanIterateElements() || !want.IsCollectionType() && !(want.IsObjectType() && t.IsObjectType()) {
		return v, false, nil
	}
	var keys, vals []cty.Value
	for it := bare.ElementIterator(); it.Next(); {
		k, e := it.Element()
		to := elementType(want, k, len(vals))
		e, within, err := collect(e, to)
		if err == nil && want.IsCollectionType() && to != cty.DynamicPseudoType {
			e, err = convert.Convert(e, to)
		}
		if err != nil {
			return cty.NilVal, false, below(k, t.IsObjectType(), err)
		}
		keys, vals, made = append(keys, k), append(vals, e), made || within
	}
	if len(vals) == 0 || t.IsObjectType() && !want.IsObjectType() && !want.IsMapType() || t.IsMapType() && !want.IsMapType() {
		return v, false, nil
	}
	switch same := sameTypes(vals); {
	case t.IsObjectType() && want.IsMapType() && same:
		return cty.MapVal(byName(keys, vals)).WithMarks(marks), true, nil
	case want.IsListType() && same:
		return cty.ListVal(vals).WithMarks(marks), true, nil
	case want.IsSetType() && same:
		return cty.SetVal(vals).WithMarks(marks), true, nil
	case t.IsObjectType() && want.IsObjectType() && made:
		return cty.ObjectVal(byName(keys, vals)).WithMarks(marks), true, nil
	case t.IsObjectType() && want.IsObjectType():
		return v, false, nil
	case !same && len(vals) > maxMixed:
		return cty.NilVal, false, fmt.Errorf("%d elements of different types are too many to be made alike", len(vals))
	default:
		return v, false, nil
	}
}

func byName(keys, vals []cty.Value) map[string]cty.Value {
	out := make(map[string]cty.Value, len(keys))
	for i, k := range keys {
		out[k.AsString()] = vals[i]
	}
	return out
}

// below puts an element's key before an error's path.
func below(key cty.Value, attr bool, err error) error {
	path := cty.Path{cty.IndexStep{Key: key}}
	if attr {
		path = cty.GetAttrPath(key.AsString())
	}
	var at cty.PathError
	if errors.As(err, &at) {
		return append(path, at.Path...).NewError(errors.New(at.Error()))
	}
	return path.NewError(err)
}

func convertible(v cty.Value, want cty.Type, depth int) error {
	v, _ = v.Unmark()
	if want == cty.Number && longText(v) {
		return errors.New("a number is required")
	}
	if depth > maxValueDepth {
		return fmt.Errorf("a value can be %d levels deep", maxValueDepth)
	}
	if !hasElements(want) || !v.IsKnown() || v.IsNull() || !v.CanIterateElements() {
		return nil
	}
	i := 0
	for it := v.ElementIterator(); it.Next(); i++ {
		k, e := it.Element()
		if err := convertible(e, elementType(want, k, i), depth+1); err != nil {
			return err
		}
	}
	return nil
}

func hasElements(t cty.Type) bool { return t.IsCollectionType() || t.IsObjectType() || t.IsTupleType() }

// elementType is the type that the element under key k, the i-th, is converted to.
func elementType(t cty.Type, k cty.Value, i int) cty.Type {
	switch {
	case t.IsCollectionType():
		return t.ElementType()
	case t.IsTupleType() && i < t.Length():
		return t.TupleElementType(i)
	case t.IsObjectType() && k.Type() == cty.String && k.IsKnown() && t.HasAttribute(k.AsString()):
		return t.AttributeType(k.AsString())
	default:
		return cty.DynamicPseudoType
	}
}

// describe gives a conversion error with the path where it is: `.receipt.limits: a number is required`.
func describe(err error) string {
	var at cty.PathError
	if !errors.As(err, &at) || len(at.Path) == 0 {
		return err.Error()
	}
	return fmt.Sprintf("%s: %s", pathString(at.Path), err)
}

func pathString(p cty.Path) string {
	var b strings.Builder
	for _, step := range p {
		switch s := step.(type) {
		case cty.GetAttrStep:
			b.WriteString("." + s.Name)
		case cty.IndexStep:
			switch {
			case !s.Key.IsKnown() || s.Key.IsNull() || s.Key.IsMarked():
				b.WriteString("[…]")
			case s.Key.Type() == cty.String:
				fmt.Fprintf(&b, "[%q]", s.Key.AsString())
			case s.Key.Type() == cty.Number:
				b.WriteString("[" + s.Key.AsBigFloat().Text('f', -1) + "]")
			default:
				b.WriteString("[…]")
			}
		}
	}
	return strings.TrimPrefix(b.String(), ".")
}

// typeName writes a type as the language does.
func typeName(t cty.Type) string { return typeexpr.TypeString(t.WithoutOptionalAttributesDeep()) }
