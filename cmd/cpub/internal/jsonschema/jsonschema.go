// Package jsonschema describes pipeline files in JSON (*.hcl.json) as a JSON Schema, so that editors complete and check them. It is made of
// the language's grammar and of the step types' schemas, and is pure.
package jsonschema

import (
	"slices"

	"github.com/zclconf/go-cty/cty"

	"github.com/containerpub/cpub/cmd/cpub/internal/catalog"
	"github.com/containerpub/cpub/engine/eval"
)

// Draft is the version of JSON Schema that File speaks.
const Draft = "https://json-schema.org/draft/2020-12/schema"

// object is a part of a schema. Maps are encoded with sorted keys, so that the text is always the same.
type object = map[string]any

// File is the schema of one file, with these step types.
func File(steps []catalog.Step) any {
	syntax := eval.ModuleSyntax()
	w := writer{steps: steps, defs: object{
		"template": object{"type": "string", "pattern": `[$%]\{`, "description": "A template, such as \"${var.name}\"."},
		"null":     object{"type": "null"},
	}}
	for _, s := range steps {
		w.defs["step_"+s.Name] = w.step(s, syntax)
	}
	w.defs["module"] = w.body(syntax, "module")
	module := object{"$ref": "#/$defs/module"}
	return object{
		"$schema":     Draft,
		"title":       "Pipelines of ContainerPub in JSON",
		"description": "A file *.hcl.json. It is the language of *.hcl files in HCL's JSON syntax.",
		"anyOf":       []any{module, object{"type": "array", "items": module}},
		"$defs":       w.defs,
	}
}

type writer struct {
	steps []catalog.Step
	defs  object
}

// namePattern is what labels can be; a property "//" is a comment anywhere.
const namePattern = `^([A-Za-z_][A-Za-z0-9_-]{0,63}|//)$`

// body is an object that is a block's content, or a file's.
func (w writer) body(s eval.Syntax, what string) object {
	properties := object{"//": true}
	for _, name := range s.Ignored {
		properties[name] = true
	}
	for _, name := range s.Attrs {
		properties[name] = w.attribute(s, what, name)
	}
	for name, block := range s.Blocks {
		properties[name] = w.block(name, block)
	}
	out := object{"type": "object", "properties": properties, "additionalProperties": false}
	if s.Open {
		out["additionalProperties"] = true
	}
	return out
}

// block is a block of the language, by its type.
func (w writer) block(name string, s eval.Syntax) any {
	if name == "step" || name == "compensate" {
		return describe(labelled(w.byType(s.Labels-1), 0), docs[name])
	}
	if s.Labels > 0 {
		return describe(labelled(several(w.body(s, name)), s.Labels), docs[name])
	}
	return describe(several(w.body(s, name)), docs[name])
}

// byType is an object of step types, each with so many further labels.
func (w writer) byType(labels int) object {
	properties := object{"//": true}
	for _, s := range w.steps {
		properties[s.Name] = describe(labelled(several(object{"$ref": "#/$defs/step_" + s.Name}), labels), s.Doc)
	}
	return object{"type": "object", "properties": properties, "additionalProperties": false}
}

// several is one of something, or an array of them; null is none.
func several(one any) object {
	return object{"anyOf": []any{one, object{"type": "array", "items": one}, object{"$ref": "#/$defs/null"}}}
}

// labelled is something under so many levels of names, at each of which an array of objects may stand.
func labelled(one any, labels int) object {
	level := one
	for range labels {
		level = several(object{
			"type": "object", "propertyNames": object{"pattern": namePattern}, "properties": object{"//": true}, "additionalProperties": level,
		})
	}
	if labels == 0 {
		return several(level)
	}
	o, _ := level.(object)
	return o
}

// describe is a schema with a text that editors show.
func describe(schema object, doc string) object {
	if doc == "" {
		return schema
	}
	out := object{"description": doc}
	for key, v := range schema {
		out[key] = v
	}
	return out
}

// attribute is one of the language's own attributes.
func (w writer) attribute(s eval.Syntax, what, name string) any {
	doc := docs[what+"."+name]
	if doc == "" {
		doc = docs[name]
	}
	if slices.Contains(s.Names, name) {
		if name == "depends_on" {
			return describe(object{"type": []any{"array", "null"}, "items": object{"type": "string", "pattern": `^step\.[A-Za-z_][A-Za-z0-9_-]*`}}, doc)
		}
		return describe(object{"type": []any{"string", "null"}}, doc)
	}
	t, ok := types[what+"."+name]
	if !ok {
		t, ok = types[name]
	}
	if !ok {
		t = cty.DynamicPseudoType
	}
	return describe(value(t), doc)
}
