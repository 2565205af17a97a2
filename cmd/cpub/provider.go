package main

import (
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/containerpub/cpub/cmd/cpub/internal/catalog"
	"github.com/containerpub/cpub/cmd/cpub/internal/jsonschema"
	"github.com/containerpub/cpub/engine/eval"
	"github.com/containerpub/cpub/internal/stepdocs"
	"github.com/containerpub/cpub/sdk/contract"
)

func newProvider(c *stdio) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "provider",
		Short: "Look at the providers of this machine",
		RunE:  namespaced,
	}
	cmd.AddCommand(newProviderList(c), newProviderSchema(c), newProviderDocs(c))
	return cmd
}

// providerEntry is what --json prints of a provider.
type providerEntry struct {
	Name    string   `json:"name"`
	Version string   `json:"version"`
	Path    string   `json:"path"`
	SHA256  string   `json:"sha256"`
	Steps   []string `json:"steps"`
}

func newProviderList(c *stdio) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "list",
		Short: "List the providers found in CPUB_PROVIDERS, or beside this binary",
		Args:  needs(0, 0, "no argument"),
		RunE: verb(func(cmd *cobra.Command, _ []string) error {
			all, err := loadCatalog(cmd.Context(), c)
			if err != nil {
				return err
			}
			rows := [][]string{{"NAME", "VERSION", "STEP TYPES", "PATH"}}
			for _, p := range all.Providers {
				e := providerEntry{Name: p.Name, Version: p.Version, Path: p.Path, SHA256: p.SHA256, Steps: []string{}}
				for _, s := range p.Steps {
					e.Steps = append(e.Steps, s.Name)
				}
				if asJSON {
					if err := c.printJSON(e); err != nil {
						return err
					}
				}
				rows = append(rows, []string{e.Name, e.Version, strings.Join(e.Steps, " "), e.Path})
			}
			switch {
			case asJSON:
				return nil
			case len(all.Providers) == 0:
				c.note("no providers here; pipelines are checked against the standard contracts")
				return nil
			}
			return printLines(c.out, c.style(c.out).Table(rows))
		}),
	}
	jsonFlag(cmd, &asJSON)
	return cmd
}

func newProviderSchema(c *stdio) *cobra.Command {
	var asJSON, asSchema bool
	cmd := &cobra.Command{
		Use:   "schema [STEP_TYPE...]",
		Short: "Print the schemas of step types as JSON, one a line",
		Long: `schema prints what step types take and give, one JSON object a line.

With --json-schema it prints a JSON Schema (2020-12) of pipeline files in JSON, by
which editors complete and check *.hcl.json files with these step types.`,
		Args: needs(0, -1, ""),
		RunE: verb(func(cmd *cobra.Command, args []string) error {
			if !asSchema {
				return eachStep(cmd, c, args, func(s catalog.Step) error { return c.printJSON(s) })
			}
			var steps []catalog.Step
			if err := eachStep(cmd, c, args, func(s catalog.Step) error {
				steps = append(steps, s)
				return nil
			}); err != nil {
				return err
			}
			return c.printJSON(jsonschema.File(steps))
		}),
	}
	jsonFlag(cmd, &asJSON)
	cmd.Flags().BoolVar(&asSchema, "json-schema", false, "print a JSON Schema of *.hcl.json files, for editors")
	return cmd
}

func newProviderDocs(c *stdio) *cobra.Command {
	return &cobra.Command{
		Use:   "docs [STEP_TYPE...]",
		Short: "Print the reference of step types, in Markdown",
		Long: `docs prints what step types take and give, in Markdown, as the providers of this
machine describe them; without a name it prints all of them.`,
		Args: needs(0, -1, ""),
		RunE: verb(func(cmd *cobra.Command, args []string) error {
			var pages []string
			err := eachStep(cmd, c, args, func(s catalog.Step) error {
				pages = append(pages, stepdocs.Page(contract.Type{Name: s.Name, Doc: s.Doc, Step: s.Step}))
				return nil
			})
			if err != nil {
				return err
			}
			if _, err := fmt.Fprint(c.out, strings.Join(pages, "\n")); err != nil {
				return fmt.Errorf("printing: %w", err)
			}
			return nil
		}),
	}
}

// eachStep does something with the step types of these names, or with all.
func eachStep(cmd *cobra.Command, c *stdio, names []string, do func(catalog.Step) error) error {
	all, err := loadCatalog(cmd.Context(), c)
	if err != nil {
		return err
	}
	steps := withBuiltin(all.Steps)
	if len(names) > 0 {
		all.Steps, steps = steps, nil
	}
	for _, name := range names {
		s := all.Step(name)
		if s == nil {
			return usagef("there is no step type %q in %s", name, all.Describe())
		}
		steps = append(steps, *s)
	}
	for _, s := range steps {
		if err := do(s); err != nil {
			return err
		}
	}
	return nil
}

// withBuiltin adds the step types of the engine itself, in their places by name.
func withBuiltin(steps []catalog.Step) []catalog.Step {
	out := slices.Clone(steps)
	for _, name := range eval.BuiltinTypes() {
		shape, _ := eval.Builtin(name)
		out = append(out, catalog.Step{Name: name, Doc: eval.BuiltinDoc(name), Step: shape})
	}
	slices.SortStableFunc(out, func(a, b catalog.Step) int { return strings.Compare(a.Name, b.Name) })
	return out
}
