package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestUnfinishedModules checks the examples as they are while someone writes them: ended where a value or a block begins. Each beginning is read to
// its end, and what is wrong with it can be shown.
func TestUnfinishedModules(t *testing.T) {
	paths, err := filepath.Glob("../../examples/hcl/*/*.hcl")
	if err != nil || len(paths) == 0 {
		t.Fatal(paths, err)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err != nil || strings.HasSuffix(path, ".cpubtest.hcl") {
			continue
		}
		file := filepath.Join(t.TempDir(), "main.hcl")
		for n, c := range text {
			if strings.ContainsRune("={", rune(c)) {
				if err := os.WriteFile(file, text[:n+1], 0o600); err != nil {
					t.Fatal(err)
				}
				m, diags := Load(t.Context(), file, Contracts(), Options{})
				if err := WriteDiagnostics(&strings.Builder{}, diags, m.Files, Style{Width: 80}); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

// TestUnfinishedWorker does so with a worker.hcl, byte by byte.
func TestUnfinishedWorker(t *testing.T) {
	for n := range len(wholeWorker) {
		w, diags := parseWorker("worker.hcl", []byte(wholeWorker[:n]), func(string) ([]byte, error) { return nil, os.ErrNotExist })
		if err := WriteDiagnostics(&strings.Builder{}, diags, w.Files, Style{Width: 80}); err != nil {
			t.Fatal(err)
		}
	}
}
