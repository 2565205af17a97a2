// Package stepdocs makes the reference of step types, in Markdown, from their schemas.
package stepdocs

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"github.com/containerpub/cpub/sdk/contract"
	"github.com/containerpub/cpub/sdk/schema"
)

// Page is the reference of one step type, in Markdown.
func Page(t contract.Type) string {
	var b strings.Builder
	fmt.Fprintf(&b, "# `%s`\n", t.Name)
	if t.Doc != "" {
		fmt.Fprintf(&b, "\n%s\n", t.Doc)
	}
	b.WriteString("\n## In\n\n")
	inputs(&b, t.Input)
	blocks(&b, "", t.Input, inputs)
	abilities(&b, t.Abilities)
	b.WriteString("\n## Out\n\n")
	outputs(&b, t.Output)
	blocks(&b, "", t.Output, outputs)
	for _, a := range t.Output.Attrs {
		if a.Type.IsObjectType() && a.Format == schema.FormatNone && !a.Located {
			fmt.Fprintf(&b, "\n### `%s`\n\n", a.Name)
			fields(&b, "", a.Type)
		}
	}
	return b.String()
}

// abilities tells what a provider may leave out.
func abilities(b *strings.Builder, all []contract.Ability) {
	var names []string
	for _, a := range all {
		for _, input := range a.Inputs {
			names = append(names, "`"+input+"`")
		}
	}
	if len(names) > 0 {
		fmt.Fprintf(b, "\nNot every provider serves %s. A step that uses what its provider does not serve is refused before anything runs.\n", strings.Join(names, ", "))
	}
}

// inputs is the table of an object's attributes, as whoever writes it needs to know them.
func inputs(b *strings.Builder, o schema.Object) {
	if len(o.Attrs) == 0 {
		b.WriteString("No attributes.\n")
		return
	}
	b.WriteString("| attribute | type | default | |\n|---|---|---|---|\n")
	for _, a := range o.Attrs {
		fmt.Fprintf(b, "| `%s` | %s | %s | %s |\n", a.Name, typeName(a), defaultText(a), docText(a))
	}
}

// outputs is the table of an object's attributes, as whoever reads it needs to know them.
func outputs(b *strings.Builder, o schema.Object) {
	if len(o.Attrs) == 0 {
		b.WriteString("No outputs.\n")
		return
	}
	b.WriteString("| output | type | |\n|---|---|---|\n")
	for _, a := range o.Attrs {
		fmt.Fprintf(b, "| `%s` | %s | %s |\n", a.Name, typeName(a), docText(a))
	}
}

// blocks are the sections of an object's nested blocks, at any depth.
func blocks(b *strings.Builder, path string, o schema.Object, table func(*strings.Builder, schema.Object)) {
	for _, block := range o.Blocks {
		name := path + block.Name
		fmt.Fprintf(b, "\n### block `%s`\n\n%s\n\n", name, strings.TrimSpace(block.Doc+" "+occurrence(block)))
		table(b, block.Object)
		blocks(b, name+".", block.Object, table)
	}
}

// occurrence says how often a block may stand.
func occurrence(block schema.Block) string {
	often := map[schema.Nesting]string{
		schema.NestingSingle: "At most one.", schema.NestingList: "Any number.", schema.NestingMap: "Any number, each with a label of its own.",
	}[block.Nesting]
	if block.Required {
		often += " Required."
	}
	return often
}

// typeName is a type as an author would say it.
func typeName(a schema.Attr) string {
	switch {
	case a.Format == schema.FormatSize, a.Format == schema.FormatDuration:
		return string(a.Format)
	case a.Format.Holds() && a.Type.IsMapType():
		return "map of artifacts"
	case a.Format == schema.FormatArtifact:
		return "file or directory artifact"
	case a.Format != schema.FormatNone:
		return string(a.Format) + " artifact"
	case a.Located && a.Type == cty.DynamicPseudoType:
		return "located value or string"
	case a.Located:
		return "located value"
	case a.Type.IsObjectType():
		return "object"
	}
	return friendly(a.Type)
}

// friendly is HCL's way to write a type.
func friendly(t cty.Type) string {
	switch {
	case t == cty.DynamicPseudoType:
		return "any"
	case t.IsListType():
		return "list(" + friendly(t.ElementType()) + ")"
	case t.IsMapType():
		return "map(" + friendly(t.ElementType()) + ")"
	}
	return t.FriendlyName()
}

func defaultText(a schema.Attr) string {
	switch {
	case a.Required:
		return "required"
	case a.Default != "":
		return "`" + a.Default + "`"
	}
	return ""
}

func docText(a schema.Attr) string {
	doc := a.Doc
	if len(a.Enum) > 0 {
		doc += " One of `" + strings.Join(a.Enum, "`, `") + "`."
	}
	if a.Secrets {
		doc += " May hold `secret()`."
	}
	if a.Deprecated != "" {
		doc += " Deprecated: " + a.Deprecated
	}
	return strings.ReplaceAll(doc, "|", "\\|")
}

// fields lists an object's fields, sorted by name, as cty does not keep their order.
func fields(b *strings.Builder, prefix string, t cty.Type) {
	types := t.AttributeTypes()
	for _, name := range slices.Sorted(maps.Keys(types)) {
		if types[name].IsObjectType() {
			fields(b, prefix+name+".", types[name])
			continue
		}
		fmt.Fprintf(b, "- `%s%s`: %s\n", prefix, name, friendly(types[name]))
	}
}
