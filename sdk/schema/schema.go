// Package schema describes the inputs and outputs of step types, declaratively: which attributes there are, of which
// type, with which flags and docs. Everything else (HCL decoding, checking, documentation, the wire) is derived from it.
package schema

import (
	"fmt"
	"slices"

	"github.com/zclconf/go-cty/cty"
)

// Object is an ordered set of attributes and nested blocks. The zero value is an empty object.
type Object struct {
	Attrs  []Attr  `json:"attrs,omitempty"`
	Blocks []Block `json:"blocks,omitempty"`
}

// Attr is one named value of an Object.
type Attr struct {
	// Name is a lower-case identifier, unique within its Object among attributes and blocks.
	Name string `json:"name"`
	// Type is what a value is converted to. cty.DynamicPseudoType accepts any.
	Type cty.Type `json:"type"`
	// Doc is one or two plain sentences of Markdown.
	Doc string `json:"doc,omitempty"`
	// Required inputs must be set; an input that is not required is optional. Meaningless in outputs.
	Required bool `json:"required,omitempty"`
	// Default is shown in docs and plans, in HCL syntax (`"128m"`, `0.5`); the provider applies it.
	Default string `json:"default,omitempty"`
	// Sensitive values never reach a log, a diagnostic or an unsealed history.
	Sensitive bool `json:"sensitive,omitempty"`
	// Secrets tells that texts in it may hold secret(): the provider keeps them out of what it leaves behind. Inputs alone have it.
	Secrets bool `json:"secrets,omitempty"`
	// Located outputs have LocatedType; located inputs accept a LocatedType, or a string that is valid everywhere.
	Located bool `json:"located,omitempty"`
	// Deprecated says what to use instead; empty when the attribute is current.
	Deprecated string `json:"deprecated,omitempty"`
	// Format narrows what a string, or an artifact, means.
	Format Format `json:"format,omitempty"`
	// Enum lists the only strings that are accepted; empty means any.
	Enum []string `json:"enum,omitempty"`
}

// Format narrows the values of an attribute's type.
type Format string

// The formats. FormatNone is the zero value.
const (
	FormatNone      Format = ""
	FormatSize      Format = "size"      // a string such as "128m" or "1GiB", see ParseSize
	FormatDuration  Format = "duration"  // a string such as "5s" or "1h30m", see ParseDuration
	FormatFile      Format = "file"      // a file artifact, of ArtifactType
	FormatDirectory Format = "directory" // a directory artifact, of ArtifactType
	FormatArtifact  Format = "artifact"  // an artifact of either kind, of ArtifactType: its media type says which
)

// MediaTypeDirectory is the media type of directory artifacts: their canonical tar. Those of any other one are files.
const MediaTypeDirectory = "application/vnd.cpub.directory.v1.tar"

// Nesting is how often a block may stand in its parent and how it is addressed.
type Nesting string

// The nestings.
const (
	NestingSingle Nesting = "single" // at most once; an object, or null
	NestingList   Nesting = "list"   // any number; a list of objects in source order
	NestingMap    Nesting = "map"    // any number, each with one unique label; a map of objects
)

// Block is a nested block of an Object.
type Block struct {
	Name     string  `json:"name"`
	Nesting  Nesting `json:"nesting"`
	Object   Object  `json:"object"`
	Doc      string  `json:"doc,omitempty"`
	Required bool    `json:"required,omitempty"`
}

// ArtifactType is the type of file and directory artifacts between steps: the content's digest ("sha256:<hex>"), its size in
// bytes, its media type and a name for people.
var ArtifactType = cty.Object(map[string]cty.Type{
	"digest": cty.String, "size": cty.Number, "media_type": cty.String, "name": cty.String,
})

// LocatedType is the type of values that exist in one place only: an id, and the location that it is valid in.
var LocatedType = cty.Object(map[string]cty.Type{"id": cty.String, "location": cty.String})

// File is an attribute that holds a file artifact.
func File(name, doc string) Attr {
	return Attr{Name: name, Type: ArtifactType, Format: FormatFile, Doc: doc}
}

// Directory is an attribute that holds a directory artifact.
func Directory(name, doc string) Attr {
	return Attr{Name: name, Type: ArtifactType, Format: FormatDirectory, Doc: doc}
}

// Attr returns the attribute of that name, or nil.
func (o Object) Attr(name string) *Attr {
	for i := range o.Attrs {
		if o.Attrs[i].Name == name {
			return &o.Attrs[i]
		}
	}
	return nil
}

// Block returns the nested block of that name, or nil.
func (o Object) Block(name string) *Block {
	for i := range o.Blocks {
		if o.Blocks[i].Name == name {
			return &o.Blocks[i]
		}
	}
	return nil
}

// Type is the cty object type of a complete value: every attribute is present, those that were left out are null.
func (o Object) Type() cty.Type {
	atys := make(map[string]cty.Type, len(o.Attrs)+len(o.Blocks))
	for _, a := range o.Attrs {
		atys[a.Name] = a.Type
	}
	for _, b := range o.Blocks {
		t := b.Object.Type()
		switch b.Nesting {
		case NestingList:
			t = cty.List(t)
		case NestingMap:
			t = cty.Map(t)
		case NestingSingle:
		}
		atys[b.Name] = t
	}
	return cty.Object(atys)
}

// Bare is a copy without docs, for places where only the shape counts (plans, digests).
func (o Object) Bare() Object {
	out := Object{}
	for _, a := range o.Attrs {
		a.Doc = ""
		out.Attrs = append(out.Attrs, a)
	}
	for _, b := range o.Blocks {
		b.Doc, b.Object = "", b.Object.Bare()
		out.Blocks = append(out.Blocks, b)
	}
	return out
}

// With is a copy with further attributes, for a provider that adds its own to a standard step type.
func (o Object) With(attrs ...Attr) Object {
	return Object{Attrs: append(append([]Attr(nil), o.Attrs...), attrs...), Blocks: append([]Block(nil), o.Blocks...)}
}

// Without is a copy without the attributes and blocks of these names.
func (o Object) Without(names ...string) Object {
	return Object{
		Attrs:  slices.DeleteFunc(slices.Clone(o.Attrs), func(a Attr) bool { return slices.Contains(names, a.Name) }),
		Blocks: slices.DeleteFunc(slices.Clone(o.Blocks), func(b Block) bool { return slices.Contains(names, b.Name) }),
	}
}

// Validate reports what is wrong with the declaration itself (not with a value).
func (o Object) Validate() error {
	seen := map[string]bool{}
	for _, a := range o.Attrs {
		if err := a.validate(); err != nil {
			return err
		}
		if seen[a.Name] {
			return fmt.Errorf("attribute %q is declared twice", a.Name)
		}
		seen[a.Name] = true
	}
	for _, b := range o.Blocks {
		if !validName(b.Name) || seen[b.Name] {
			return fmt.Errorf("block %q: the name is invalid or declared twice", b.Name)
		}
		seen[b.Name] = true
		switch b.Nesting {
		case NestingSingle, NestingList, NestingMap:
		default:
			return fmt.Errorf("block %q: unknown nesting %q", b.Name, b.Nesting)
		}
		if err := b.Object.Validate(); err != nil {
			return fmt.Errorf("block %q: %w", b.Name, err)
		}
	}
	return nil
}

func (a Attr) validate() error {
	if !validName(a.Name) {
		return fmt.Errorf("attribute %q: a name is lower-case letters, digits and _", a.Name)
	}
	if a.Type == cty.NilType {
		return fmt.Errorf("attribute %q has no type", a.Name)
	}
	if a.Secrets && (a.Format != FormatNone || len(a.Enum) > 0 || !holdsText(a.Type)) {
		return fmt.Errorf("attribute %q: secrets need a string, or a list or map of strings, of any content", a.Name)
	}
	switch a.Format {
	case FormatNone:
	case FormatSize, FormatDuration:
		if a.Type != cty.String {
			return fmt.Errorf("attribute %q: format %s needs type string", a.Name, a.Format)
		}
	case FormatFile, FormatDirectory, FormatArtifact:
		if !isArtifact(a.Type) {
			return fmt.Errorf("attribute %q: format %s needs an artifact's type", a.Name, a.Format)
		}
	default:
		return fmt.Errorf("attribute %q: unknown format %q", a.Name, a.Format)
	}
	return nil
}

// Holds tells whether attributes of the format hold artifacts.
func (f Format) Holds() bool { return f == FormatFile || f == FormatDirectory || f == FormatArtifact }

// kind is FormatFile or FormatDirectory: what an artifact of the format is.
func (f Format) kind(artifact map[string]any) Format {
	switch {
	case f != FormatArtifact:
		return f
	case artifact["media_type"] == MediaTypeDirectory:
		return FormatDirectory
	default:
		return FormatFile
	}
}

// isArtifact tells whether values of t hold artifacts: one, or a collection of them.
func isArtifact(t cty.Type) bool {
	return t.Equals(ArtifactType) || t.IsCollectionType() && t.ElementType().Equals(ArtifactType)
}

func validName(s string) bool {
	for i, r := range s {
		if r != '_' && (r < 'a' || r > 'z') && (i == 0 || r < '0' || r > '9') {
			return false
		}
	}
	return s != ""
}

func holdsText(t cty.Type) bool {
	return t == cty.String || (t.IsListType() || t.IsMapType()) && t.ElementType() == cty.String
}
