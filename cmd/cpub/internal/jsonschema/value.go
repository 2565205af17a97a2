package jsonschema

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"github.com/containerpub/cpub/cmd/cpub/internal/catalog"
	"github.com/containerpub/cpub/engine/eval"
	"github.com/containerpub/cpub/sdk/schema"
)

// step is the body of a step of one type: what its type takes, and the meta-arguments.
func (w writer) step(s catalog.Step, syntax eval.Syntax) object {
	meta := syntax.Blocks["pipeline"].Blocks["step"]
	out := w.content(s.Input)
	properties, _ := out["properties"].(object)
	for _, name := range meta.Attrs {
		properties[name] = w.attribute(meta, "step", name)
	}
	for name, block := range meta.Blocks {
		properties[name] = w.block(name, block)
	}
	return describe(out, s.Doc)
}

// content is a body by a schema.
func (w writer) content(o schema.Object) object {
	properties := object{"//": true}
	var required []string
	for _, a := range o.Attrs {
		properties[a.Name] = attr(a)
		if a.Required {
			required = append(required, a.Name)
		}
	}
	for _, b := range o.Blocks {
		inner := several(w.content(b.Object))
		if b.Nesting == schema.NestingMap {
			inner = labelled(inner, 1)
		}
		properties[b.Name] = describe(inner, b.Doc)
	}
	if len(o.Blocks) > 0 {
		properties["dynamic"] = true
	}
	out := object{"type": "object", "properties": properties, "additionalProperties": false}
	if required != nil {
		out["required"] = required
	}
	return out
}

// attr is one attribute of a step type. A template may stand for any value: what it gives is seen by cpub validate.
func attr(a schema.Attr) object {
	out := value(a.Type)
	var other object
	switch {
	case a.Located:
		out = object{}
	case len(a.Enum) > 0:
		other = object{"enum": texts(a.Enum)}
	case a.Format == schema.FormatSize:
		other = object{"type": []any{"string", "number"}, "pattern": `^\s*[0-9.]+\s*([KkMmGgTt]([Ii]?[Bb])?|[Bb])?\s*$`}
	case a.Format == schema.FormatDuration:
		other = object{"type": "string", "pattern": `^\+?(0|([0-9]*\.?[0-9]+|[0-9]+\.)(ns|us|µs|μs|ms|s|m|h))+$`}
	}
	if other != nil {
		out = object{"anyOf": []any{other, object{"$ref": "#/$defs/template"}, object{"$ref": "#/$defs/null"}}}
	}
	doc := a.Doc
	if a.Default != "" {
		doc = strings.TrimSpace(fmt.Sprintf("%s Default: %s", doc, a.Default))
	}
	if a.Deprecated != "" {
		out["deprecated"] = true
		doc = strings.TrimSpace(fmt.Sprintf("%s Deprecated: %s.", doc, a.Deprecated))
	}
	return describe(out, doc)
}

func texts(all []string) []any {
	out := make([]any, len(all))
	for i, s := range all {
		out[i] = s
	}
	return out
}

// value is what JSON may say where a type is wanted: numbers, bools and texts become each other where they can, and a template
// may give anything.
func value(t cty.Type) object {
	var own object
	switch {
	case t == cty.String:
		return object{"type": []any{"string", "number", "boolean", "null"}}
	case t == cty.Number:
		own = object{"type": []any{"number", "string"}, "pattern": `^-?[0-9]*\.?[0-9]+([eE][+-]?[0-9]+)?$`}
	case t == cty.Bool:
		own = object{"enum": []any{true, false, "true", "false", "1", "0"}}
	case t.IsListType() || t.IsSetType():
		own = object{"type": "array", "items": value(t.ElementType())}
	case t.IsTupleType():
		own = object{"type": "array"}
	case t.IsMapType():
		own = object{"type": "object", "additionalProperties": value(t.ElementType())}
	case t.IsObjectType():
		own = ofObject(t)
	default:
		return object{}
	}
	return object{"anyOf": []any{own, object{"$ref": "#/$defs/template"}, object{"$ref": "#/$defs/null"}}}
}

func ofObject(t cty.Type) object {
	properties := object{}
	for _, name := range slices.Sorted(maps.Keys(t.AttributeTypes())) {
		properties[name] = value(t.AttributeType(name))
	}
	return object{"type": "object", "properties": properties}
}
