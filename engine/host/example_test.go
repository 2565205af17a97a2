//go:build integration

package host

import (
	"encoding/json"
	"os"
	"path/filepath"
	"testing"

	"github.com/containerpub/cpub/engine"
	"github.com/containerpub/cpub/internal/testenv"
	"github.com/containerpub/cpub/sdk"
)

// TestAStrangersProvider runs examples/providers/greet as a process.
func TestAStrangersProvider(t *testing.T) {
	h := newHost(t, func(o *Options) {
		o.Instances = []Instance{{
			Provider: "greet", Name: "g", Path: testenv.Build(t, "./examples/providers/greet/cpub-provider-greet"),
			Config: []byte(`{"greeting":"Salve"}`),
		}}
	})
	raw, err := h.Run(t.Context(), engine.Call{
		Instance: "greet.g", StepType: "greet", Step: "s", Run: "w/r", Key: "k", Attempt: 1, Input: []byte(`{"names":["Ada"]}`),
	}, newObserver())
	if err != nil {
		t.Fatal(err)
	}
	var out struct{ Letters sdk.Artifact }
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatal(err)
	}
	dir, err := h.cache.Path(t.Context(), out.Letters)
	if err != nil {
		t.Fatal(err)
	}
	if letter, err := os.ReadFile(filepath.Join(dir, "Ada.txt")); err != nil || string(letter) != "Salve, Ada!\n" {
		t.Errorf("the letter is %q, %v", letter, err)
	}
}
