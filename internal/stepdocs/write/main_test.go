package main

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/containerpub/cpub/plugins/podman/steps"
	"github.com/containerpub/cpub/sdk/contract"
)

// The checked-in pages are what a reader sees, so they must be what the schemas say.
func TestPagesAreCurrent(t *testing.T) {
	dir := t.TempDir()
	if err := write(dir); err != nil {
		t.Fatal(err)
	}
	made, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	if want := len(contract.All()) + len(steps.All()) + len(builtin()) + 1; len(made) != want {
		t.Errorf("%d pages, want %d", len(made), want)
	}
	for _, f := range made {
		want, err := os.ReadFile(filepath.Join(dir, f.Name()))
		if err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(filepath.Join("..", "..", "..", "docs", "steps", f.Name()))
		if err != nil || string(got) != string(want) {
			t.Errorf("docs/steps/%s is not what the schemas give (%v): run make generate", f.Name(), err)
		}
	}
}
