package eval

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"

	"github.com/zclconf/go-cty/cty"

	"github.com/containerpub/cpub/sdk/schema"
)

// mark is the type of our marks on values.
type mark string

// Sensitive is the mark of sensitive values and of all that is made from them.
const Sensitive = mark("sensitive")

// HasSensitive tells whether anything in v is sensitive.
func HasSensitive(v cty.Value) bool { return v.ContainsMarked() }

// Plain gives v without its marks.
func Plain(v cty.Value) cty.Value {
	v, _ = v.UnmarkDeep()
	return v
}

// ErrSensitive is returned by JSON for values with marks.
var ErrSensitive = errors.New("the value is sensitive")

// ErrUnknown is returned by JSON for values that are not wholly known.
var ErrUnknown = errors.New("the value is not known yet")

// JSON gives a value as plain JSON: keys sorted, numbers as they are, attributes of objects that are null left out where the
// object comes from a schema or a type (lists and maps keep theirs). It returns ErrSensitive for marked values (use Plain to give them
// up) and ErrUnknown for unknown ones.
func JSON(v cty.Value) (json.RawMessage, error) {
	if v.ContainsMarked() {
		return nil, ErrSensitive
	}
	var b bytes.Buffer
	if err := writeJSON(&b, v, 0); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}

func writeJSON(b *bytes.Buffer, v cty.Value, depth int) error {
	t := v.Type()
	switch {
	case depth > maxValueDepth:
		return fmt.Errorf("a value can be %d levels deep", maxValueDepth)
	case !v.IsKnown():
		return ErrUnknown
	case v.IsNull():
		b.WriteString("null")
	case t == cty.String:
		writeText(b, v.AsString())
	case t == cty.Bool:
		fmt.Fprint(b, v.True())
	case t == cty.Number:
		f := v.AsBigFloat()
		if isLong(f) {
			return errors.New("a number is too large")
		}
		b.WriteString(f.Text('f', -1))
	case t.IsObjectType() || t.IsMapType():
		return writeObject(b, v, depth)
	case v.CanIterateElements():
		b.WriteByte('[')
		first := true
		for it := v.ElementIterator(); it.Next(); first = false {
			if !first {
				b.WriteByte(',')
			}
			_, e := it.Element()
			if err := writeJSON(b, e, depth+1); err != nil {
				return err
			}
		}
		b.WriteByte(']')
	default:
		return fmt.Errorf("a %s has no JSON form", t.FriendlyName())
	}
	return nil
}

// writeText is JSON without the escapes that are for HTML.
func writeText(b *bytes.Buffer, s string) {
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	_ = enc.Encode(s) // a string into memory cannot fail
	b.Truncate(b.Len() - 1)
}

func writeObject(b *bytes.Buffer, v cty.Value, depth int) error {
	b.WriteByte('{')
	first := true
	for it := v.ElementIterator(); it.Next(); { // sorted by key
		k, e := it.Element()
		if v.Type().IsObjectType() && e.IsNull() {
			continue
		}
		if !first {
			b.WriteByte(',')
		}
		first = false
		writeText(b, k.AsString())
		b.WriteByte(':')
		if err := writeJSON(b, e, depth+1); err != nil {
			return err
		}
	}
	b.WriteByte('}')
	return nil
}

// FromJSON reads plain JSON as a value: objects, tuples, texts, numbers, booleans and null.
func FromJSON(data []byte) (cty.Value, error) {
	dec := json.NewDecoder(bytes.NewReader(data))
	dec.UseNumber()
	var raw any
	if err := dec.Decode(&raw); err != nil {
		return cty.NilVal, fmt.Errorf("this is not JSON: %w", err)
	}
	if _, err := dec.Token(); !errors.Is(err, io.EOF) {
		return cty.NilVal, errors.New("this is not JSON: something follows the value")
	}
	return fromAny(raw, 0)
}

func fromAny(raw any, depth int) (cty.Value, error) {
	if depth > maxValueDepth {
		return cty.NilVal, fmt.Errorf("a value can be %d levels deep", maxValueDepth)
	}
	switch raw := raw.(type) {
	case nil:
		return cty.NullVal(cty.DynamicPseudoType), nil
	case bool:
		return cty.BoolVal(raw), nil
	case string:
		return cty.StringVal(raw), nil
	case json.Number:
		return parseNumber(raw.String())
	case []any:
		vals := make([]cty.Value, len(raw))
		for i, e := range raw {
			v, err := fromAny(e, depth+1)
			if err != nil {
				return cty.NilVal, err
			}
			vals[i] = v
		}
		return cty.TupleVal(vals), nil
	case map[string]any:
		vals := make(map[string]cty.Value, len(raw))
		for k, e := range raw {
			v, err := fromAny(e, depth+1)
			if err != nil {
				return cty.NilVal, err
			}
			vals[cty.NormalizeString(k)] = v
		}
		return cty.ObjectVal(vals), nil
	default:
		return cty.NilVal, fmt.Errorf("%T is no JSON", raw)
	}
}

func parseNumber(s string) (cty.Value, error) {
	if len(s) > maxDigits {
		return cty.NilVal, fmt.Errorf("a number can have %d digits", maxDigits)
	}
	v, err := cty.ParseNumberVal(s)
	if err != nil || isLong(v.AsBigFloat()) {
		return cty.NilVal, fmt.Errorf("%s is too large for a number", s)
	}
	return v, nil
}

// ParseOutputs reads a step's outputs as a provider returned them, and gives them the shape's type: attributes that are missing
// are null, those that the shape does not have are left out, sensitive ones are marked.
func ParseOutputs(shape schema.Object, data json.RawMessage) (cty.Value, error) {
	return ShapeOf(shape).Parse(data)
}

// optional makes every attribute of an object, however deep, one that may be missing.
func optional(t cty.Type) cty.Type {
	switch {
	case t.IsObjectType():
		attrs := map[string]cty.Type{}
		var all []string
		for name, a := range t.AttributeTypes() {
			attrs[name] = optional(a)
			all = append(all, name)
		}
		slices.Sort(all)
		return cty.ObjectWithOptionalAttrs(attrs, all)
	case t.IsListType():
		return cty.List(optional(t.ElementType()))
	case t.IsSetType():
		return cty.Set(optional(t.ElementType()))
	case t.IsMapType():
		return cty.Map(optional(t.ElementType()))
	default:
		return t
	}
}

// markSensitive marks the attributes that the shape says are sensitive.
func markSensitive(shape schema.Object, v cty.Value) cty.Value {
	sensitive := func(a schema.Attr) bool { return a.Sensitive }
	if v.IsNull() || !v.IsKnown() || !v.Type().IsObjectType() || !slices.ContainsFunc(shape.Attrs, sensitive) {
		return v
	}
	attrs := v.AsValueMap()
	for _, a := range shape.Attrs {
		if e, ok := attrs[a.Name]; ok && sensitive(a) {
			attrs[a.Name] = e.Mark(Sensitive)
		}
	}
	if attrs == nil {
		return v
	}
	return cty.ObjectVal(attrs)
}

// JSONObject is JSON for named values, those that are null included.
func JSONObject(vals map[string]cty.Value) (json.RawMessage, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, name := range slices.Sorted(maps.Keys(vals)) {
		if i > 0 {
			b.WriteByte(',')
		}
		writeText(&b, name)
		b.WriteByte(':')
		v, err := JSON(vals[name])
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		b.Write(v)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}
