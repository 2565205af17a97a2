// Package sdktest is what the author of a provider tests it with: a Harness that runs steps the way a worker does, without one,
// and the conformance suites of the standard step types.
package sdktest

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/containerpub/cpub/internal/wire"
	"github.com/containerpub/cpub/sdk"
)

// Options say how the provider is configured. The zero value is a provider without configuration, called directly.
type Options struct {
	// Config is a value whose JSON has the shape of the provider's configuration, or nil.
	Config any
	// Instance is the instance's name; "test" if left out.
	Instance   string
	Registries []sdk.Registry
	// Buckets are the patterns that the policy allows.
	Buckets []string
	// Secrets are what the instance is granted.
	Secrets []sdk.Secret
	// StateDir is a folder of the test's own if left out. A second harness with the same one is the provider started again.
	StateDir string
	// Wire makes everything go over gRPC, as between a worker and a provider's process.
	Wire bool
}

// Harness is a configured provider and the files that its steps share. Its methods may be called concurrently; all of it is
// gone at the end of the test.
type Harness struct {
	// Location is what Configure gave.
	Location string

	*shared

	t testing.TB
}

// shared is what the harnesses of one provider have in common.
type shared struct {
	info   sdk.Info
	caller caller
	base   string // folder of scratch folders and artifacts

	mu      sync.Mutex
	files   map[string]string          // digest -> path
	results map[string]json.RawMessage // of pure steps, by type and input
}

// For is the same harness for a part of the test: what fails there, fails that part.
func (h *Harness) For(t testing.TB) *Harness {
	return &Harness{Location: h.Location, shared: h.shared, t: t}
}

// New configures the provider; a failure ends the test.
func New(t testing.TB, p sdk.Provider, o Options) *Harness {
	t.Helper()
	h, err := TryNew(t, p, o)
	if err != nil {
		t.Fatalf("configuring provider %s: %v", p.Info().Name, err)
	}
	return h
}

// TryNew is New for configurations that may be refused: it gives Configure's error.
func TryNew(t testing.TB, p sdk.Provider, o Options) (*Harness, error) {
	t.Helper()
	base, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatalf("finding the test's folder: %v", err)
	}
	h := &Harness{t: t, shared: &shared{info: p.Info(), base: base, files: map[string]string{}, results: map[string]json.RawMessage{}}}
	if err := h.info.Validate(); err != nil {
		t.Fatalf("the provider's description: %v", err)
	}
	h.caller = direct{p, o.Secrets}
	if o.Wire {
		client, stop, err := wire.Loopback(p)
		if err != nil {
			t.Fatalf("serving the provider: %v", err)
		}
		t.Cleanup(stop)
		h.caller = remote{client}
	}
	config := sdk.Configuration{Instance: o.Instance, Registries: o.Registries, Buckets: o.Buckets, Secrets: o.Secrets, StateDir: o.StateDir, Config: encode(t, o.Config)}
	if config.Instance == "" {
		config.Instance = "test"
	}
	if config.StateDir == "" {
		config.StateDir = t.TempDir()
	}
	for _, problem := range h.info.Config.CheckInput(config.Config) {
		return nil, sdk.Invalidf(problem.Path, "%s", problem.Message)
	}
	h.Location, err = h.caller.Configure(t.Context(), config)
	return h, err
}

func encode(t testing.TB, v any) json.RawMessage {
	t.Helper()
	if v == nil {
		return json.RawMessage("{}")
	}
	data, err := json.Marshal(v)
	if err != nil {
		t.Fatalf("encoding %T: %v", v, err)
	}
	return data
}

// Check is the provider's Check.
func (h *Harness) Check() ([]sdk.Finding, error) { return h.caller.Check(h.context()) }

// Release is the provider's Release.
func (h *Harness) Release(keys ...string) error { return h.caller.Release(h.context(), keys) }

// Sweep is the provider's Sweep.
func (h *Harness) Sweep(s sdk.Sweep) (int, error) { return h.caller.Sweep(h.context(), s) }

// context lives on in clean-ups, when the test's own has ended.
func (h *Harness) context() context.Context { return context.WithoutCancel(h.t.Context()) }

// mkdir makes a new private folder.
func (h *Harness) mkdir(pattern string) string {
	h.t.Helper()
	dir, err := os.MkdirTemp(h.base, pattern)
	if err != nil {
		h.t.Fatalf("making a folder: %v", err)
	}
	return dir
}
