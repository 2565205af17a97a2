// Package contract holds the schemas of the standard step types, so that providers can stand in for one another. The names carry
// no product. A provider may add attributes (schema.Object.With), and leave out whole abilities (Type.Without); it must serve all that
// is left with the meaning given here, and pass the suite of the type in sdk/sdktest.
package contract

//go:generate go run ../../internal/stepdocs/write ../../docs/steps

import (
	"fmt"
	"slices"

	"github.com/zclconf/go-cty/cty"

	"github.com/containerpub/cpub/sdk/schema"
)

// Type is one standard step type: its name, what it does, and its shape.
type Type struct {
	Name string
	Doc  string
	schema.Step
	// Abilities are the parts of the type that a provider may leave out: all of one, or nothing of it. What belongs to none of them, every
	// provider serves.
	Abilities []Ability
}

// Ability is a part of a step type that not every provider can serve.
type Ability struct {
	Name string
	// Inputs and Outputs are the names of the attributes and blocks that it consists of.
	Inputs  []string
	Outputs []string
}

// Without is the type without these abilities, for a provider that cannot serve them: a pipeline that asks for one of them is refused
// before it runs. It panics for a name that is no ability of the type.
func (t Type) Without(abilities ...string) Type {
	for _, name := range abilities {
		i := slices.IndexFunc(t.Abilities, func(a Ability) bool { return a.Name == name })
		if i < 0 {
			panic(fmt.Sprintf("the step type %s has no ability %q", t.Name, name))
		}
		t.Input, t.Output = t.Input.Without(t.Abilities[i].Inputs...), t.Output.Without(t.Abilities[i].Outputs...)
		t.Abilities = slices.Delete(slices.Clone(t.Abilities), i, i+1)
	}
	return t
}

// Ability gives the ability that an attribute or block of the input belongs to, or nil.
func (t Type) Ability(input string) *Ability {
	for i := range t.Abilities {
		if slices.Contains(t.Abilities[i].Inputs, input) {
			return &t.Abilities[i]
		}
	}
	return nil
}

// Served tells whether a provider's shape of the type has all of the ability, or something of it.
func (a Ability) Served(s schema.Step) (all, some bool) {
	all = true
	count := func(o schema.Object, names []string) {
		for _, name := range names {
			has := o.Attr(name) != nil || o.Block(name) != nil
			all, some = all && has, some || has
		}
	}
	count(s.Input, a.Inputs)
	count(s.Output, a.Outputs)
	return all, some
}

// All returns the standard step types, in the order of the docs.
func All() []Type {
	return []Type{
		ObjectFetch(), ObjectPut(), ArchiveExtract(), ImageBuild(), ImagePush(), ImagePull(), ImageCopy(), ImagePrune(), ContainerRun(),
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

func locatedImage(doc string) schema.Attr {
	return schema.Attr{Name: "image", Type: schema.LocatedType, Located: true, Doc: doc}
}
