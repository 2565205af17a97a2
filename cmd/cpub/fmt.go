package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/rogpeppe/go-internal/diff"
	"github.com/spf13/cobra"

	"github.com/containerpub/cpub/engine/config"
	"github.com/containerpub/cpub/engine/eval"
)

// formatter is what fmt was asked for.
type formatter struct {
	c                      *stdio
	check, diff, recursive bool
	changed                bool            // something was not formatted
	diags                  hcl.Diagnostics // of files that are no HCL
	files                  map[string]*hcl.File
}

func newFmt(c *stdio) *cobra.Command {
	f := &formatter{c: c, files: map[string]*hcl.File{}}
	cmd := &cobra.Command{
		Use:   "fmt [FILE|FOLDER|-]...",
		Short: "Write HCL files in the usual form",
		Long: `fmt writes HCL files in the usual form, and prints the names of those that it
changed. It takes the current folder where none is named; - formats stdin to stdout.
Files in JSON (*.hcl.json) are left as they are.

With -check it changes nothing, and ends with 1 where a file is not formatted.`,
		Args: needs(0, -1, ""),
		RunE: verb(func(_ *cobra.Command, args []string) error { return f.run(args) }),
	}
	cmd.Flags().BoolVar(&f.check, "check", false, "change nothing; end with 1 where a file is not formatted")
	cmd.Flags().BoolVar(&f.diff, "diff", false, "print what changes")
	cmd.Flags().BoolVar(&f.recursive, "recursive", false, "folders in folders too")
	return cmd
}

func (f *formatter) run(args []string) error {
	if len(args) == 0 {
		args = []string{"."}
	}
	for _, arg := range args {
		if err := f.argument(arg); err != nil {
			return err
		}
	}
	if f.diags.HasErrors() {
		if err := f.c.diagnostics(f.diags, f.files); err != nil {
			return err
		}
		return exit(exitUsage)
	}
	if f.check && f.changed {
		return exit(exitFailed)
	}
	return nil
}

// argument formats what one argument names.
func (f *formatter) argument(arg string) error {
	if arg == "-" {
		return f.stdin()
	}
	info, err := os.Stat(arg)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return usagef("there is no file or folder %s", arg)
	case err != nil:
		return fmt.Errorf("formatting: %w", err)
	case !info.IsDir():
		return f.file(arg)
	}
	err = filepath.WalkDir(arg, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && path != arg && (!f.recursive || strings.HasPrefix(entry.Name(), ".")):
			return fs.SkipDir
		case entry.Type().IsRegular() && filepath.Ext(path) == ".hcl" && !strings.HasPrefix(entry.Name(), "."):
			return f.file(path)
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("formatting %s: %w", arg, err)
	}
	return nil
}

func (f *formatter) stdin() error {
	src, err := io.ReadAll(f.c.in)
	if err != nil {
		return fmt.Errorf("reading stdin: %w", err)
	}
	formatted, ok := f.format("<stdin>", src)
	if !ok {
		return nil
	}
	f.changed = f.changed || !bytes.Equal(src, formatted)
	switch {
	case f.diff:
		formatted = diff.Diff("old/<stdin>", src, "new/<stdin>", formatted)
	case f.check:
		return nil
	}
	_, err = f.c.out.Write(formatted)
	return err
}

// file formats one file in place, unless it is only checked.
func (f *formatter) file(path string) error {
	if eval.IsJSON(path) {
		f.c.note("%s is left as it is: only native HCL has a usual form", path)
		return nil
	}
	src, err := os.ReadFile(path)
	if err != nil {
		return fmt.Errorf("formatting: %w", err)
	}
	formatted, ok := f.format(path, src)
	if !ok || bytes.Equal(src, formatted) {
		return nil
	}
	f.changed = true
	if err := printLines(f.c.out, []string{path}); err != nil {
		return err
	}
	if f.diff {
		slashed := filepath.ToSlash(path)
		if _, err := f.c.out.Write(diff.Diff("old/"+slashed, src, "new/"+slashed, formatted)); err != nil {
			return fmt.Errorf("printing: %w", err)
		}
	}
	if f.check {
		return nil
	}
	return replace(path, formatted)
}

// format is the file in the usual form; false where it is no HCL, which goes to the diagnostics.
func (f *formatter) format(path string, src []byte) ([]byte, bool) {
	formatted, diags := config.Format(path, src)
	if diags.HasErrors() {
		f.files[path] = &hcl.File{Bytes: src}
		f.diags = append(f.diags, diags...)
		return nil, false
	}
	return formatted, true
}

// replace puts new content into a file, whole or not at all, and keeps its mode.
func replace(path string, content []byte) error {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	info, err := os.Stat(path)
	if err != nil {
		return fmt.Errorf("writing: %w", err)
	}
	tmp, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return fmt.Errorf("writing %s: %w", path, err)
	}
	_, err = tmp.Write(content)
	if err == nil {
		err = tmp.Chmod(info.Mode().Perm())
	}
	if closeErr := tmp.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(tmp.Name(), path)
	}
	if err != nil {
		_ = os.Remove(tmp.Name())
		return fmt.Errorf("writing %s: %w", path, err)
	}
	return nil
}
