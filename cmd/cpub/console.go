package main

import (
	"context"
	"os"
	"path/filepath"

	"github.com/hashicorp/hcl/v2"
	"github.com/spf13/cobra"

	"github.com/containerpub/cpub/cmd/cpub/internal/repl"
	"github.com/containerpub/cpub/engine/config"
	"github.com/containerpub/cpub/engine/eval"
	"github.com/containerpub/cpub/sdk/schema"
)

const consoleHelp = `console evaluates expressions as a pipeline would before it runs: with variables,
locals and functions. What steps give is not known then, and shown as such.

On a terminal it keeps a history (arrow keys; a line that begins with a space is
not kept) and completes names with the tab key; exit, Ctrl-C and Ctrl-D end it.
Otherwise it reads one expression a line and prints one value a line, and ends with
2 if one was wrong.

Without a file or folder it takes the current folder if there is a pipeline in it,
and functions alone otherwise. A variable that is not given is not known.`

func newConsole(c *stdio) *cobra.Command {
	var (
		vars   variableFlags
		asJSON bool
	)
	cmd := &cobra.Command{
		Use:   "console [FILE|FOLDER] [PIPELINE]",
		Short: "Try expressions",
		Long:  consoleHelp,
		Args:  needs(0, 2, "a file or folder"),
		RunE: verb(func(cmd *cobra.Command, args []string) error {
			s, done, err := openConsole(cmd.Context(), c, args, vars)
			if err != nil {
				return err
			}
			defer done()
			if c.inTTY && c.outTTY && !asJSON && !c.dumb() {
				return s.interactive()
			}
			return s.batch(asJSON)
		}),
	}
	vars.add(cmd)
	jsonFlag(cmd, &asJSON)
	return cmd
}

// consoleSession is one use of the console.
type consoleSession struct {
	*repl.Session
	c *stdio
	m *module
}

// openConsole reads what the arguments name. Mistakes are shown, and end the command.
func openConsole(ctx context.Context, c *stdio, args []string, vars variableFlags) (s *consoleSession, done func(), err error) {
	args = append(args, "", "")
	if args[0] == "" && anySource(".") {
		args[0] = "."
	}
	m := &module{Module: &config.Module{Module: &eval.Module{Files: map[string]*hcl.File{}}, Dir: "."}}
	var p *eval.Pipeline
	if args[0] != "" {
		if m, err = loadModule(ctx, c, args[0]); err != nil {
			return nil, nil, err
		}
		if len(m.Plans) == 1 || args[1] != "" {
			plan, err := m.choose(args[1])
			if err != nil {
				return nil, nil, err
			}
			p = m.Pipeline(plan.Pipeline)
		}
	}
	values, diags := config.Variables(m.Module.Module, config.Sources{Env: os.Environ(), Files: vars.files, Flags: vars.values})
	files := m.sources()
	for name, f := range values.Files {
		files[name] = f
	}
	if err := c.judge(inFolder(given(diags), m.Files, m.Dir), files); err != nil {
		return nil, nil, err
	}
	in := eval.Inputs{Variables: values.All}
	if in.Files, done, err = config.OpenFiles(m.Dir); err != nil {
		return nil, nil, err
	}
	if p != nil {
		in.Steps = m.UnknownSteps(p)
	}
	session := &repl.Session{Module: m.Module.Module, Pipeline: p, Inputs: in, Outputs: m.outputs, Name: "<console>"}
	return &consoleSession{Session: session, c: c, m: m}, done, nil
}

// given leaves out that variables are missing: here they are unknown.
func given(diags hcl.Diagnostics) (out hcl.Diagnostics) {
	for _, d := range diags {
		if d.Summary != "Missing variable" {
			out = append(out, d)
		}
	}
	return out
}

// anySource tells whether there is a pipeline file in a folder.
func anySource(folder string) bool {
	for _, pattern := range []string{"*.hcl", "*" + eval.JSONSuffix} {
		if found, err := filepath.Glob(filepath.Join(folder, pattern)); err == nil && len(found) > 0 {
			return true
		}
	}
	return false
}

// outputs are what a step type gives; nothing where it is not known.
func (m *module) outputs(stepType string) schema.Object {
	if m.catalog != nil {
		if s := m.catalog.Step(stepType); s != nil {
			return s.Output
		}
	}
	return schema.Object{}
}
