package config

import (
	"fmt"
	"maps"
	"slices"

	"github.com/containerpub/cpub/engine/eval"
	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/contract"
	"github.com/containerpub/cpub/sdk/schema"
)

// Schemas are the step types that pipelines may use, by name.
type Schemas map[string]Offer

// Offer is one step type and who offers it.
type Offer struct {
	// Step is the type's shape: of several providers', the first one's with what the others have beside it.
	Step schema.Step
	// Providers are the names of the providers that have it, such as "podman", sorted; empty when that is not known.
	Providers []string
	// Shapes are the providers' own, by their names, where they are known.
	Shapes map[string]schema.Step
}

// Add is the offer with one more provider that has the type.
func (o Offer) Add(provider string, shape schema.Step) Offer {
	if o.Shapes = maps.Clone(o.Shapes); o.Shapes == nil {
		o.Shapes, o.Step = map[string]schema.Step{}, schema.Step{}
	}
	if _, again := o.Shapes[provider]; again {
		return o
	}
	o.Shapes[provider] = shape
	o.Step = schema.Step{Input: joined(o.Step.Input, shape.Input), Output: joined(o.Step.Output, shape.Output)}
	o.Providers = append(slices.Clone(o.Providers), provider)
	slices.Sort(o.Providers)
	return o
}

// joined is a with the attributes and blocks of b that it lacks: none of them is needed, since not every provider has them.
func joined(a, b schema.Object) schema.Object {
	first := len(a.Attrs) == 0 && len(a.Blocks) == 0
	a = a.Without()
	for _, attr := range b.Attrs {
		if a.Attr(attr.Name) == nil && a.Block(attr.Name) == nil {
			attr.Required = attr.Required && first
			a.Attrs = append(a.Attrs, attr)
		}
	}
	for _, block := range b.Blocks {
		if a.Attr(block.Name) == nil && a.Block(block.Name) == nil {
			block.Required = block.Required && first
			a.Blocks = append(a.Blocks, block)
		}
	}
	return a
}

// Contracts gives the standard step types, for checking where no provider can be asked.
func Contracts() Schemas {
	s := Schemas{}
	for _, t := range contract.All() {
		s[t.Name] = Offer{Step: t.Step}
	}
	return s
}

// FromProviders gives the step types of these providers. Of a type that several offer, the first one's schema counts, and what only others
// have is added to it.
func FromProviders(infos ...sdk.Info) (Schemas, error) {
	s := Schemas{}
	for _, info := range infos {
		if err := info.Validate(); err != nil {
			return nil, fmt.Errorf("reading the schemas of provider %s: %w", info.Name, err)
		}
		for _, t := range info.Steps {
			if eval.IsBuiltin(t.Name) {
				return nil, fmt.Errorf("provider %s offers the step type %q, which is the engine's own", info.Name, t.Name)
			}
			s[t.Name] = s[t.Name].Add(info.Name, schema.Step{Input: t.Input, Output: t.Output})
		}
	}
	return s, nil
}

// withBuiltin adds the engine's own step types.
func (s Schemas) withBuiltin() Schemas {
	all := maps.Clone(s)
	if all == nil {
		all = Schemas{}
	}
	for _, name := range eval.BuiltinTypes() {
		shape, _ := eval.Builtin(name)
		all[name] = Offer{Step: shape}
	}
	return all
}

// names gives the step types, sorted.
func (s Schemas) names() []string { return slices.Sorted(maps.Keys(s)) }
