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
	Step schema.Step
	// Providers are the names of the providers that have it, such as "podman", sorted; empty when that is not known.
	Providers []string
}

// Contracts gives the standard step types, for checking where no provider can be asked.
func Contracts() Schemas {
	s := Schemas{}
	for _, t := range contract.All() {
		s[t.Name] = Offer{Step: t.Step}
	}
	return s
}

// FromProviders gives the step types of these providers. Of a type that several offer, the first one's schema counts.
func FromProviders(infos ...sdk.Info) (Schemas, error) {
	s := Schemas{}
	for _, info := range infos {
		if err := info.Validate(); err != nil {
			return nil, fmt.Errorf("reading the schemas of provider %s: %w", info.Name, err)
		}
		for _, t := range info.Steps {
			offer, ok := s[t.Name]
			if !ok {
				offer.Step = schema.Step{Input: t.Input, Output: t.Output}
			}
			if eval.IsBuiltin(t.Name) {
				return nil, fmt.Errorf("provider %s offers the step type %q, which is the engine's own", info.Name, t.Name)
			}
			if !slices.Contains(offer.Providers, info.Name) {
				offer.Providers = append(offer.Providers, info.Name)
				slices.Sort(offer.Providers)
			}
			s[t.Name] = offer
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
