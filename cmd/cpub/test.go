package main

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/spf13/cobra"

	"github.com/containerpub/cpub/engine/cases"
)

const testHelp = `test runs the tests of a pipeline: the run blocks of the *.cpubtest.hcl files beside
it, or of the one file named. Mocks stand in for the providers, so that no service is
needed and no time passes; everything else is what a worker does.

It ends with 1 when a case fails, with 2 when a file is wrong. docs/testing.md tells
how to write tests.`

// testFlags are the flags of test.
type testFlags struct {
	asJSON     bool
	run, junit string
}

func newTest(c *stdio) *cobra.Command {
	var flags testFlags
	cmd := &cobra.Command{
		Use:   "test [FOLDER|FILE]",
		Short: "Run a pipeline's tests, without any service",
		Long:  testHelp,
		Args:  needs(0, 1, "a folder or file"),
		RunE: verb(func(cmd *cobra.Command, args []string) error {
			chosen, err := regexp.Compile(flags.run)
			if err != nil {
				return usagef("-run takes a regular expression: %w", err)
			}
			s, dir, err := loadTests(cmd.Context(), c, append(args, ".")[0])
			if err != nil {
				return err
			}
			report, err := runTests(cmd.Context(), c, s, dir, chosen, flags.asJSON)
			if err != nil {
				return err
			}
			return report.end(flags)
		}),
	}
	cmd.Flags().StringVar(&flags.run, "run", "", "run only the cases whose name matches a regular expression")
	cmd.Flags().StringVar(&flags.junit, "junit", "", "write the results as JUnit XML to a file")
	jsonFlag(cmd, &flags.asJSON)
	return cmd
}

// loadTests reads a module and the tests beside it. Mistakes are shown, and end the command.
func loadTests(ctx context.Context, c *stdio, path string) (*cases.Suite, string, error) {
	var only []string
	if strings.HasSuffix(path, cases.Suffix) {
		only, path = []string{filepath.Base(path)}, filepath.Dir(path)
	}
	m, err := loadModule(ctx, c, path)
	if err != nil {
		return nil, "", err
	}
	s, diags, err := cases.Load(ctx, m.Module, only)
	switch {
	case errors.Is(err, cases.ErrNoTests):
		return nil, "", usagef("%s: %w", m.Dir, err)
	case err != nil:
		return nil, "", usagef("%w", err)
	}
	return s, m.Dir, c.judge(inFolder(diags, s.Sources, m.Dir), filesInFolder(s.Sources, m.Dir))
}

// runTests runs the cases that are chosen, and shows what comes of each.
func runTests(ctx context.Context, c *stdio, s *cases.Suite, dir string, chosen *regexp.Regexp, asJSON bool) (*testReport, error) {
	r := &testReport{c: c, suite: s, dir: dir, asJSON: asJSON}
	for _, f := range s.Files {
		shown := false
		for _, one := range f.Cases {
			if !chosen.MatchString(one.Name) {
				continue
			}
			if !shown && !asJSON {
				if err := printLines(c.out, []string{filepath.Join(dir, f.Name)}); err != nil {
					return nil, err
				}
			}
			shown = true
			result, err := s.Run(ctx, one)
			if err != nil {
				return nil, err
			}
			if err := r.add(one, result); err != nil {
				return nil, err
			}
		}
	}
	if r.total() == 0 {
		return nil, usagef("no case has a name that matches %q", fmt.Sprint(chosen))
	}
	return r, nil
}
