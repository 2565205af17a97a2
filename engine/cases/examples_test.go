package cases_test

import (
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/containerpub/cpub/engine/cases"
	"github.com/containerpub/cpub/engine/config"
	"github.com/containerpub/cpub/plugins/podman/steps"
)

// TestExamples runs the tests of every example. One that has none fails.
func TestExamples(t *testing.T) {
	const examples = "../../examples/hcl"
	entries, err := os.ReadDir(examples)
	if err != nil {
		t.Fatal(err)
	}
	if len(entries) == 0 {
		t.Fatal("there are no examples")
	}
	schemas := config.Contracts()
	for _, own := range steps.All() {
		schemas[own.Name] = config.Offer{Step: own.Step}
	}
	for _, e := range entries {
		t.Run(e.Name(), func(t *testing.T) {
			m, diags := config.Load(t.Context(), filepath.Join(examples, e.Name()), schemas, config.Options{})
			if diags.HasErrors() {
				t.Fatal(show(t, diags, m.Files))
			}
			s, diags, err := cases.Load(t.Context(), m, nil)
			if errors.Is(err, cases.ErrNoTests) {
				t.Fatalf("examples/hcl/%s has no test: write one into a file that ends in %s", e.Name(), cases.Suffix)
			}
			if err != nil || diags.HasErrors() {
				t.Fatalf("%v\n%s", err, show(t, diags, m.Files))
			}
			for _, f := range s.Files {
				for _, c := range f.Cases {
					result, err := s.Run(t.Context(), c)
					if err != nil || result.Status != cases.Passed {
						t.Errorf("%s: %q: %s %v\n%s", f.Name, c.Name, result.Status, err, show(t, result.Diagnostics, s.Sources))
					}
				}
			}
		})
	}
}
