package main

import (
	"maps"
	"path/filepath"

	"github.com/hashicorp/hcl/v2"

	"github.com/containerpub/cpub/engine/config"
)

// diagnostics shows what is wrong with files, on stderr.
func (c *stdio) diagnostics(diags hcl.Diagnostics, files map[string]*hcl.File) error {
	style := c.style(c.err)
	return config.WriteDiagnostics(c.err, diags, files, config.Style{Color: style.Color, Width: style.Width})
}

// judge shows diagnostics, and ends the command where one is an error.
func (c *stdio) judge(diags hcl.Diagnostics, files map[string]*hcl.File) error {
	if len(diags) == 0 {
		return nil
	}
	if err := c.diagnostics(diags, files); err != nil {
		return err
	}
	if diags.HasErrors() {
		return exit(exitUsage)
	}
	return nil
}

// inFolder names the files of a module as a user of the working directory knows them; files that are not the module's keep
// their names.
func inFolder(diags hcl.Diagnostics, files map[string]*hcl.File, dir string) hcl.Diagnostics {
	var out hcl.Diagnostics
	for _, d := range diags {
		moved := *d
		moved.Subject, moved.Context = place(d.Subject, files, dir), place(d.Context, files, dir)
		out = append(out, &moved)
	}
	return out
}

func place(r *hcl.Range, files map[string]*hcl.File, dir string) *hcl.Range {
	if r == nil || files[r.Filename] == nil {
		return r
	}
	moved := *r
	moved.Filename = filepath.Join(dir, r.Filename)
	return &moved
}

// filesInFolder is files by the names that inFolder gives them.
func filesInFolder(files map[string]*hcl.File, dir string) map[string]*hcl.File {
	out := make(map[string]*hcl.File, len(files))
	for name, f := range maps.All(files) {
		out[filepath.Join(dir, name)] = f
	}
	return out
}
