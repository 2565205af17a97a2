// Package catalog knows what step types there are on this machine: those of the provider binaries in the operator's folders, and the
// standard contracts for all that no binary here offers. It never looks into the folder of a pipeline: checking a
// stranger's pipeline starts nothing of theirs.
package catalog

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/containerpub/cpub/engine/host"
	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/contract"
	"github.com/containerpub/cpub/sdk/schema"
)

// Provider is one provider binary, described.
type Provider struct {
	Path    string        `json:"path"`
	SHA256  string        `json:"sha256"`
	Name    string        `json:"name"`
	Version string        `json:"version"`
	Config  schema.Object `json:"config"`
	Steps   []Step        `json:"steps"`
}

// Step is one step type.
type Step struct {
	Name string `json:"name"`
	Doc  string `json:"doc,omitempty"`
	schema.Step
	// Providers are the names of who offers it; empty for a standard contract that nobody here offers.
	Providers []string `json:"providers,omitempty"`
}

// Catalog is what there is.
type Catalog struct {
	// Providers are sorted by name.
	Providers []Provider
	// Steps are sorted by name.
	Steps []Step
}

// Options say where to look.
type Options struct {
	// Folders are the operator's folders with provider binaries; those that do not exist are empty.
	Folders []string
	// Cache is the folder that keeps the descriptions of binaries, by their checksum; empty keeps none.
	Cache string
	// Describe starts a binary and asks it.
	Describe func(ctx context.Context, path string) (sdk.Info, error)
}

// Load finds the provider binaries and their step types. A binary that cannot be described is an error: a pipeline checked without it
// would be checked against something else than what runs.
func Load(ctx context.Context, o Options) (*Catalog, error) {
	binaries, err := host.Find(o.Folders...)
	if err != nil {
		return nil, err
	}
	c := &Catalog{Providers: make([]Provider, len(binaries))}
	group, ctx := errgroup.WithContext(ctx)
	for i, b := range binaries {
		group.Go(func() error {
			p, err := o.describe(ctx, b.Path)
			if err != nil {
				return fmt.Errorf("asking the provider %s what it offers: %w", b.Path, err)
			}
			c.Providers[i] = *p
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	slices.SortStableFunc(c.Providers, func(a, b Provider) int { return strings.Compare(a.Name, b.Name) })
	c.Steps = merge(c.Providers)
	return c, nil
}

// Step returns the step type of that name, or nil.
func (c *Catalog) Step(name string) *Step {
	for i := range c.Steps {
		if c.Steps[i].Name == name {
			return &c.Steps[i]
		}
	}
	return nil
}

// Describe says in a few words what the step types come from.
func (c *Catalog) Describe() string {
	if len(c.Providers) == 0 {
		return "the standard contracts (no provider binaries here)"
	}
	var names []string
	for _, p := range c.Providers {
		names = append(names, strings.TrimSpace(p.Name+" "+p.Version))
	}
	return "the providers " + strings.Join(names, ", ")
}

// merge makes the list of step types: of each name the schema of the first provider that offers it, then the standard contracts
// that are left.
func merge(providers []Provider) []Step {
	var steps []Step
	index := map[string]int{}
	for _, p := range providers {
		for _, s := range p.Steps {
			i, ok := index[s.Name]
			if !ok {
				i = len(steps)
				index[s.Name] = i
				steps = append(steps, s)
			}
			steps[i].Providers = append(steps[i].Providers, p.Name)
		}
	}
	for _, t := range contract.All() {
		if _, ok := index[t.Name]; !ok {
			steps = append(steps, Step{Name: t.Name, Doc: t.Doc, Step: t.Step})
		}
	}
	slices.SortFunc(steps, func(a, b Step) int { return strings.Compare(a.Name, b.Name) })
	return steps
}
