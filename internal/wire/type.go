package wire

import (
	"encoding/json"
	"fmt"

	"github.com/zclconf/go-cty/cty"
)

// The bounds of a type's JSON. cty's own decoder has none, and panics on some inputs.
const (
	maxTypeSize  = 64 << 10
	maxTypeDepth = 32
)

// decodeType reads a type in the JSON form that cty writes.
func decodeType(data []byte) (cty.Type, error) {
	if len(data) > maxTypeSize {
		return cty.NilType, fmt.Errorf("the type has %d bytes, more than %d", len(data), maxTypeSize)
	}
	var v any
	if err := json.Unmarshal(data, &v); err != nil {
		return cty.NilType, fmt.Errorf("decoding type: %w", err)
	}
	return typeOf(v, 0)
}

func typeOf(v any, depth int) (cty.Type, error) {
	if depth > maxTypeDepth {
		return cty.NilType, fmt.Errorf("the type nests deeper than %d", maxTypeDepth)
	}
	switch v := v.(type) {
	case string:
		return primitiveOf(v)
	case []any:
		if len(v) == 2 {
			if kind, ok := v[0].(string); ok {
				return compoundOf(kind, v[1], depth+1)
			}
		}
	}
	return cty.NilType, fmt.Errorf("not the form of a type")
}

func primitiveOf(name string) (cty.Type, error) {
	switch name {
	case "string":
		return cty.String, nil
	case "number":
		return cty.Number, nil
	case "bool":
		return cty.Bool, nil
	case "dynamic":
		return cty.DynamicPseudoType, nil
	default:
		return cty.NilType, fmt.Errorf("unknown type %q", name)
	}
}

func compoundOf(kind string, arg any, depth int) (cty.Type, error) {
	switch kind {
	case "object":
		return objectOf(arg, depth)
	case "tuple":
		return tupleOf(arg, depth)
	}
	elem, err := typeOf(arg, depth)
	if err != nil {
		return cty.NilType, err
	}
	switch kind {
	case "list":
		return cty.List(elem), nil
	case "set":
		return cty.Set(elem), nil
	case "map":
		return cty.Map(elem), nil
	default:
		return cty.NilType, fmt.Errorf("unknown type %q", kind)
	}
}

func objectOf(arg any, depth int) (cty.Type, error) {
	fields, ok := arg.(map[string]any)
	if !ok {
		return cty.NilType, fmt.Errorf("an object type needs its attributes")
	}
	types := make(map[string]cty.Type, len(fields))
	for name, f := range fields {
		if !plainName(name) {
			return cty.NilType, fmt.Errorf("attribute %q of an object type: a name is letters, digits, _ and -", name)
		}
		t, err := typeOf(f, depth)
		if err != nil {
			return cty.NilType, err
		}
		types[name] = t
	}
	return cty.Object(types), nil
}

func tupleOf(arg any, depth int) (cty.Type, error) {
	items, ok := arg.([]any)
	if !ok {
		return cty.NilType, fmt.Errorf("a tuple type needs its elements")
	}
	types := make([]cty.Type, 0, len(items))
	for _, item := range items {
		t, err := typeOf(item, depth)
		if err != nil {
			return cty.NilType, err
		}
		types = append(types, t)
	}
	return cty.Tuple(types), nil
}

// plainName keeps names to ASCII, in which no two are the same after Unicode normalisation.
func plainName(s string) bool {
	for _, r := range s {
		if r != '_' && r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') {
			return false
		}
	}
	return s != ""
}
