package main

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/spf13/cobra"

	"github.com/containerpub/cpub/cmd/cpub/internal/catalog"
	"github.com/containerpub/cpub/engine"
	"github.com/containerpub/cpub/engine/config"
)

// module is a checked module, and what it was checked against.
type module struct {
	*config.Module
	catalog *catalog.Catalog
	diags   hcl.Diagnostics
}

// checkModule reads and checks a file or folder. What is wrong with it is in the module's diags.
func checkModule(ctx context.Context, c *stdio, path string) (*module, error) {
	if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
		return nil, usagef("there is no file or folder %s", path)
	}
	all, err := loadCatalog(ctx, c)
	if err != nil {
		return nil, err
	}
	schemas := config.Schemas{}
	for _, s := range all.Steps {
		schemas[s.Name] = config.Offer{Step: s.Step}
	}
	for _, p := range all.Providers {
		for _, s := range p.Steps {
			schemas[s.Name] = schemas[s.Name].Add(p.Name, s.Step)
		}
	}
	m, diags := config.Load(ctx, path, schemas, config.Options{Version: readVersion().release()})
	return &module{Module: m, catalog: all, diags: inFolder(diags, m.Files, m.Dir)}, nil
}

// loadModule is checkModule for those who need the plans: mistakes are shown, and end the command.
func loadModule(ctx context.Context, c *stdio, path string) (*module, error) {
	m, err := checkModule(ctx, c, path)
	if err != nil {
		return nil, err
	}
	return m, c.judge(m.diags, m.sources())
}

// sources are the module's files by the names in its diags.
func (m *module) sources() map[string]*hcl.File { return filesInFolder(m.Files, m.Dir) }

// choose gives the plan of that pipeline; with no name, of the only one.
func (m *module) choose(name string) (*engine.Plan, error) {
	var names []string
	for _, p := range m.Plans {
		names = append(names, p.Pipeline)
	}
	switch {
	case name == "" && len(m.Plans) == 1:
		return m.Plans[0], nil
	case name == "":
		return nil, usagef("there are several pipelines in %s; name one of %s", m.Dir, strings.Join(names, ", "))
	}
	if plan := m.Plan(name); plan != nil {
		return plan, nil
	}
	return nil, usagef("there is no pipeline %q in %s; there is %s", name, m.Dir, strings.Join(names, ", "))
}

// variableFlags are the flags by which variables are given.
type variableFlags struct{ values, files []string }

func (v *variableFlags) add(cmd *cobra.Command) {
	cmd.Flags().StringArrayVar(&v.values, "var", nil, "a variable, NAME=VALUE; may be repeated")
	cmd.Flags().StringArrayVar(&v.files, "var-file", nil, "a file with variables: HCL, JSON or .env; may be repeated")
}

// planOf is the plan that the arguments FILE|FOLDER [PIPELINE] name, and the variables given to it. Mistakes are shown, and end the
// command.
func planOf(ctx context.Context, c *stdio, args []string, vars variableFlags) (*module, *engine.Plan, json.RawMessage, error) {
	m, err := loadModule(ctx, c, args[0])
	if err != nil {
		return nil, nil, nil, err
	}
	plan, err := m.choose(append(args, "")[1])
	if err != nil {
		return nil, nil, nil, err
	}
	values, diags := config.Variables(m.Module.Module, config.Sources{Env: os.Environ(), Files: vars.files, Flags: vars.values})
	files := m.sources()
	for name, f := range values.Files {
		files[name] = f
	}
	for name := range values.Files { // a variable file may have the name of one of the module's
		delete(m.Files, name)
	}
	return m, plan, values.JSON, c.judge(inFolder(diags, m.Files, m.Dir), files)
}
