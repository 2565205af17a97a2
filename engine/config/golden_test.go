package config_test

import (
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/rogpeppe/go-internal/txtar"
	"github.com/zclconf/go-cty/cty"

	"github.com/containerpub/cpub/engine"
	"github.com/containerpub/cpub/engine/config"
	"github.com/containerpub/cpub/engine/preview"
)

var update = flag.Bool("update", false, "rewrite the golden files")

func ctyText(s string) cty.Value { return cty.StringVal(s) }

// golden compares with a file, or rewrites it with -update.
func golden(t *testing.T, path, got string) {
	t.Helper()
	if *update {
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; got:\n%s\nwant:\n%s", path, got, want)
	}
}

// TestWrongModules loads the files of each archive and compares the diagnostics with its "want". A file "vars" holds flags, one a line, and a
// file "vars.*" or ".env" is a variable file; they are for pipelines that are right by themselves.
func TestWrongModules(t *testing.T) {
	here, err := os.Getwd() // each archive is loaded in a folder of its own
	if err != nil {
		t.Fatal(err)
	}
	archives, err := filepath.Glob(filepath.Join(here, "testdata", "wrong", "*.txtar"))
	if err != nil {
		t.Fatal(err)
	}
	if len(archives) < 200 {
		t.Fatalf("%d archives, want at least 200", len(archives))
	}
	for _, path := range archives {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			ar, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			first, second := diagnose(t, ar), diagnose(t, ar)
			if first != second {
				t.Errorf("the diagnostics vary:\n%s\n%s", first, second)
			}
			compareArchive(t, path, ar, first)
		})
	}
}

func compareArchive(t *testing.T, path string, ar *txtar.Archive, got string) {
	t.Helper()
	for i, f := range ar.Files {
		if f.Name != "want" {
			continue
		}
		if *update {
			ar.Files[i].Data = []byte(got)
			if err := os.WriteFile(path, txtar.Format(ar), 0o644); err != nil {
				t.Fatal(err)
			}
		} else if string(f.Data) != got {
			t.Errorf("got:\n%s\nwant:\n%s", got, f.Data)
		}
		return
	}
	if !*update {
		t.Fatal("the archive has no want")
	}
	ar.Files = append(ar.Files, txtar.File{Name: "want", Data: []byte(got)})
	if err := os.WriteFile(path, txtar.Format(ar), 0o644); err != nil {
		t.Fatal(err)
	}
}

// previewed evaluates a plan with variables, as far as that can be done before a run.
func previewed(t *testing.T, plan *engine.Plan, vars *config.Values) (*preview.Preview, hcl.Diagnostics) {
	t.Helper()
	p, err := preview.Make(plan, vars.JSON)
	var wrong *engine.DiagnosticsError
	switch {
	case errors.As(err, &wrong):
		return nil, wrong.Diags
	case err != nil:
		t.Fatal(err)
	}
	return p, nil
}

// diagnose gives the diagnostics for an archive's module, and for its variables where the module has none.
func diagnose(t *testing.T, ar *txtar.Archive) string {
	t.Helper()
	dir := t.TempDir()
	var src config.Sources
	explain := false
	for _, f := range ar.Files {
		switch base := filepath.Base(f.Name); {
		case base == "want":
			continue
		case base == "vars":
			explain = true
			src.Flags = append(src.Flags, strings.FieldsFunc(string(f.Data), func(r rune) bool { return r == '\n' })...)
			continue
		case strings.HasPrefix(base, "vars."), base == ".env":
			explain = true
			src.Files = append(src.Files, f.Name)
		}
		full := filepath.Join(dir, f.Name)
		if err := os.MkdirAll(filepath.Dir(full), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(full, f.Data, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
	m, diags := config.Load(t.Context(), ".", config.Contracts(), config.Options{Version: "0.1.0"})
	if !explain || diags.HasErrors() {
		return render(t, diags, m.Files)
	}
	vars, diags := config.Variables(m.Module, src)
	for name, f := range vars.Files {
		m.Files[name] = f
	}
	if !diags.HasErrors() {
		_, diags = previewed(t, m.Plans[0], vars)
	}
	return render(t, diags, m.Files)
}
