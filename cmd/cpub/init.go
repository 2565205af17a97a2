package main

import (
	"errors"
	"fmt"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/containerpub/cpub/cmd/cpub/internal/scaffold"
)

func newInit(c *stdio) *cobra.Command {
	return &cobra.Command{
		Use:   "init [FOLDER]",
		Short: "Begin a pipeline, with an example archive and tests",
		Long: `init writes a pipeline that works into a folder (the current one where none is
named): the pipeline, its variables, its tests, the source of an example archive and
a README. It overwrites nothing.`,
		Args: needs(0, 1, "a folder"),
		RunE: verb(func(_ *cobra.Command, args []string) error {
			dir := filepath.Clean(append(args, ".")[0])
			whole, err := filepath.Abs(dir)
			if err != nil {
				return fmt.Errorf("finding the folder: %w", err)
			}
			files, err := scaffold.Files(filepath.Base(whole))
			if err != nil {
				return err
			}
			switch err := scaffold.Write(dir, files); {
			case errors.Is(err, scaffold.ErrExists):
				return usagef("%w; name a new folder", err)
			case err != nil:
				return &exitError{code: exitFailed, err: err}
			}
			var lines []string
			for _, f := range files {
				lines = append(lines, filepath.Join(dir, filepath.FromSlash(f.Path)))
			}
			if err := printLines(c.out, lines); err != nil {
				return err
			}
			next := "Next: cpub test, then what README.md says about running it."
			if dir != "." {
				next = fmt.Sprintf("Next: cd %s, cpub test, then what README.md says about running it.", dir)
			}
			return printLines(c.err, []string{next})
		}),
	}
}
