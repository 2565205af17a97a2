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

// convertTo is convert.Convert without its costs on hostile texts.
func convertTo(v cty.Value, want cty.Type) (cty.Value, error) {
	if err := convertible(v, want, 0); err != nil {
		return cty.NilVal, err
	}
	return convert.Convert(v, want)
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
