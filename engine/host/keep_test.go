package host

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/containerpub/cpub/engine"
	"github.com/containerpub/cpub/sdk"
)

// failedOutputs runs a step that fails, with text as its log, and gives what is known of it all the same.
func failedOutputs(t *testing.T, h *Host, text string) outputs {
	t.Helper()
	_, err := do(t, h, map[string]any{"do": "fail with a file", "text": text})
	var e *sdk.Error
	if !errors.As(err, &e) || e.Code != "exit" || errors.Is(err, engine.ErrLost) {
		t.Fatalf("error %v, want the step's own failure", err)
	}
	var out outputs
	if err := json.Unmarshal(e.Outputs, &out); err != nil {
		t.Fatalf("outputs %s: %v", e.Outputs, err)
	}
	return out
}

func TestAFailedStepKeepsItsArtifacts(t *testing.T) {
	h := newHost(t, nil)
	out := failedOutputs(t, h, "what it said")
	if out.Text != "partial" || out.File == nil || out.File.Path != "" || out.File.Name != "log" || out.File.MediaType != "text/plain" {
		t.Fatalf("outputs %+v, file %+v", out, out.File)
	}
	r, err := h.opts.Artifacts.Reader(t.Context(), out.File.Digest)
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(r)
	if err := errors.Join(err, r.Close()); err != nil || string(content) != "what it said" {
		t.Errorf("the log in the store is %q, %v", content, err)
	}
}

// While the store does not answer, what a step did is not spent: its next attempt adopts it. A failure is told without its log.
func TestTheStoreGoesAway(t *testing.T) {
	h := newHost(t, func(o *Options) { o.times.store = 50 * time.Millisecond })
	in, err := h.opts.Artifacts.Put(t.Context(), strings.NewReader("x"), "x", "")
	if err != nil {
		t.Fatal(err)
	}
	elsewhere, err := h.opts.Artifacts.Put(t.Context(), strings.NewReader("y"), "y", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := h.cache.Path(t.Context(), in); err != nil {
		t.Fatal(err)
	}
	if err := h.opts.Artifacts.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := do(t, h, map[string]any{"do": "echo", "file": in}); !errors.Is(err, engine.ErrLost) {
		t.Errorf("an output that cannot be kept: %v", err)
	}
	if _, err := do(t, h, map[string]any{"do": "echo", "file": elsewhere}); !errors.Is(err, engine.ErrLost) {
		t.Errorf("an input that cannot be had: %v", err)
	}
	if out := failedOutputs(t, h, "lost"); out.Text != "partial" || out.File != nil {
		t.Errorf("outputs of a failure whose log cannot be kept: %+v", out)
	}
}
