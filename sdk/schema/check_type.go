package schema

import (
	"encoding/json"
	"maps"
	"slices"
	"strconv"

	"github.com/zclconf/go-cty/cty"
)

// value checks v against a type, strictly: providers decode the same JSON into their own structs, so that "5" is no number.
func (c *checker) value(t cty.Type, path string, v any) {
	if v == nil || t == cty.DynamicPseudoType {
		return
	}
	switch {
	case t.IsPrimitiveType():
		if want := kindOfType(t); kindOf(v) != want {
			c.add(path, "%s is needed, not %s", want, kindOf(v))
		}
	case t.IsListType() || t.IsSetType():
		c.list(path, v, func(p string, item any) { c.value(t.ElementType(), p, item) })
	case t.IsMapType():
		c.dict(path, v, func(p string, item any) { c.value(t.ElementType(), p, item) })
	case t.IsTupleType():
		c.tuple(t, path, v)
	case t.IsObjectType():
		c.fields(t, path, v)
	}
}

func (c *checker) tuple(t cty.Type, path string, v any) {
	items, ok := v.([]any)
	types := t.TupleElementTypes()
	if !ok || len(items) != len(types) {
		c.add(path, "a list of %d values is needed", len(types))
		return
	}
	for i, item := range items {
		c.value(types[i], path+"["+strconv.Itoa(i)+"]", item)
	}
}

func (c *checker) fields(t cty.Type, path string, v any) {
	m, ok := v.(map[string]any)
	if !ok {
		c.add(path, "an object is needed, not %s", kindOf(v))
		return
	}
	for _, name := range sortedKeys(m) {
		switch {
		case t.HasAttribute(name):
			c.value(t.AttributeType(name), join(path, name), m[name])
		case c.path && name == "path" && t.Equals(ArtifactType):
		default:
			c.add(join(path, name), "there is no such attribute")
		}
	}
}

func kindOfType(t cty.Type) string {
	switch t {
	case cty.String:
		return "a string"
	case cty.Number:
		return "a number"
	default:
		return "true or false"
	}
}

func kindOf(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case string:
		return "a string"
	case json.Number, float64:
		return "a number"
	case bool:
		return "true or false"
	case []any:
		return "a list"
	default:
		return "an object"
	}
}

func sortedKeys(m map[string]any) []string { return slices.Sorted(maps.Keys(m)) }
