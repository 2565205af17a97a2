// Package contract holds the schemas of the standard step types, so that providers can stand in for one another. The names carry
// no product. A provider may add attributes (schema.Object.With); it must serve all of these with the meaning given here, and
// pass the suite of the type in sdk/sdktest.
package contract

//go:generate go run ../../internal/stepdocs/write ../../docs/steps

import (
	"github.com/zclconf/go-cty/cty"

	"github.com/containerpub/cpub/sdk/schema"
)

// Type is one standard step type: its name, what it does, and its shape.
type Type struct {
	Name string
	Doc  string
	schema.Step
}

// All returns the standard step types, in the order of the docs.
func All() []Type {
	return []Type{
		ObjectFetch(), ObjectPut(), ArchiveExtract(), ImageBuild(), ImagePush(), ImagePull(), ContainerRun(),
	}
}

// Lookup returns the standard step type of that name.
func Lookup(name string) (Type, bool) {
	for _, t := range All() {
		if t.Name == name {
			return t, true
		}
	}
	return Type{}, false
}

func text(name, doc string) schema.Attr {
	return schema.Attr{Name: name, Type: cty.String, Doc: doc}
}

func number(name, doc string) schema.Attr {
	return schema.Attr{Name: name, Type: cty.Number, Doc: doc}
}

func flag(name, doc string) schema.Attr {
	return schema.Attr{Name: name, Type: cty.Bool, Doc: doc}
}

func list(name, doc string) schema.Attr {
	return schema.Attr{Name: name, Type: cty.List(cty.String), Doc: doc}
}

func dict(name, doc string) schema.Attr {
	return schema.Attr{Name: name, Type: cty.Map(cty.String), Doc: doc}
}

// secrets is an attribute that takes secret().
func secrets(a schema.Attr) schema.Attr {
	a.Secrets = true
	return a
}

func size(name, doc string) schema.Attr {
	return schema.Attr{Name: name, Type: cty.String, Format: schema.FormatSize, Doc: doc}
}

func duration(name, doc string) schema.Attr {
	return schema.Attr{Name: name, Type: cty.String, Format: schema.FormatDuration, Doc: doc}
}

func required(a schema.Attr) schema.Attr {
	a.Required = true
	return a
}

func defaults(a schema.Attr, value string) schema.Attr {
	a.Default = value
	return a
}

func located(name, doc string) schema.Attr {
	return schema.Attr{Name: name, Type: schema.LocatedType, Located: true, Doc: doc}
}
