package main

import (
	"fmt"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/spf13/cobra"

	"github.com/containerpub/cpub/engine/config"
)

// validation is what --json prints.
type validation struct {
	Valid       bool                `json:"valid"`
	Errors      int                 `json:"error_count"`
	Warnings    int                 `json:"warning_count"`
	Diagnostics []config.Diagnostic `json:"diagnostics"`
	Pipelines   []string            `json:"pipelines"`
	// Schemas says what the step types were checked against.
	Schemas string `json:"schemas"`
}

func newValidate(c *stdio) *cobra.Command {
	var asJSON bool
	cmd := &cobra.Command{
		Use:   "validate [FILE|FOLDER]",
		Short: "Check a pipeline, without running anything",
		Long: `validate checks a file, or all of a folder (the current one where none is named):
syntax, step types, attributes, types, references. No service is needed, and no
value for a variable. Step types are known from the providers in CPUB_PROVIDERS, or
beside this binary, and from the standard contracts.`,
		Args: needs(0, 1, "a file or folder"),
		RunE: verb(func(cmd *cobra.Command, args []string) error {
			m, err := checkModule(cmd.Context(), c, append(args, ".")[0])
			if err != nil {
				return err
			}
			if asJSON {
				return m.printValidation(c)
			}
			if err := c.judge(m.diags, m.sources()); err != nil {
				return err
			}
			var names []string
			for _, p := range m.Pipelines {
				names = append(names, p.Name)
			}
			return printLines(c.out, []string{fmt.Sprintf("Valid: pipeline %s, checked against %s.", strings.Join(names, ", "), m.catalog.Describe())})
		}),
	}
	jsonFlag(cmd, &asJSON)
	return cmd
}

func (m *module) printValidation(c *stdio) error {
	v := validation{
		Valid: !m.diags.HasErrors(), Pipelines: []string{}, Schemas: m.catalog.Describe(),
		Diagnostics: config.JSONDiagnostics(m.diags, m.sources(), ""),
	}
	for _, d := range m.diags {
		if d.Severity == hcl.DiagError {
			v.Errors++
		} else {
			v.Warnings++
		}
	}
	for _, p := range m.Pipelines {
		v.Pipelines = append(v.Pipelines, p.Name)
	}
	if err := c.printJSON(v); err != nil {
		return err
	}
	if !v.Valid {
		return exit(exitUsage)
	}
	return nil
}
