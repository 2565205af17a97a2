package main

import (
	"fmt"
	"sort"
	"strings"

	"github.com/zclconf/go-cty/cty"

	"github.com/containerpub/cpub/sdk/contract"
	"github.com/containerpub/cpub/sdk/schema"
)

const notice = "<!-- Made by internal/stepdocs from sdk/contract; `make generate` writes it again. -->\n\n"

// page is the reference of one step type, in Markdown.
func page(t contract.Type) string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s# `%s`\n\n%s\n\n## In\n\n", notice, t.Name, t.Doc)
	b.WriteString("| attribute | type | default | |\n|---|---|---|---|\n")
	for _, a := range t.Input.Attrs {
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", a.Name, typeName(a), defaultText(a), docText(a))
	}
	b.WriteString("\n## Out\n\n| output | type | |\n|---|---|---|\n")
	for _, a := range t.Output.Attrs {
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", a.Name, typeName(a), docText(a))
	}
	for _, a := range t.Output.Attrs {
		if a.Type.IsObjectType() && a.Format == schema.FormatNone && !a.Located {
			fmt.Fprintf(&b, "\n### `%s`\n\n", a.Name)
			fields(&b, "", a.Type)
		}
	}
	return b.String()
}

// typeName is a type as an author would say it.
func typeName(a schema.Attr) string {
	switch {
	case a.Format == schema.FormatSize, a.Format == schema.FormatDuration:
		return string(a.Format)
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
	if a.Deprecated != "" {
		doc += " Deprecated: " + a.Deprecated
	}
	return strings.ReplaceAll(doc, "|", "\\|")
}

// fields lists an object's fields, sorted by name, as cty does not keep their order.
func fields(b *strings.Builder, prefix string, t cty.Type) {
	types := t.AttributeTypes()
	names := make([]string, 0, len(types))
	for name := range types {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		if types[name].IsObjectType() {
			fields(b, prefix+name+".", types[name])
			continue
		}
		fmt.Fprintf(b, "- `%s%s`: %s\n", prefix, name, friendly(types[name]))
	}
}
