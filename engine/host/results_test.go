package host

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// pureRun carries out the pure step, and gives its outputs, whether they were kept ones, and its log.
func pureRun(t *testing.T, h *Host, in map[string]any) (out outputs, cached bool, log string) {
	t.Helper()
	call, obs := callOf(t, in), newObserver()
	call.StepType = "pure"
	raw, err := h.Run(t.Context(), call, obs)
	if err != nil {
		t.Fatal(err)
	}
	var flag struct{ Cached bool }
	if err := errors.Join(json.Unmarshal(raw, &out), json.Unmarshal(raw, &flag)); err != nil {
		t.Fatal(err)
	}
	return out, flag.Cached, obs.log.String()
}

func TestAPureStepIsDoneOnce(t *testing.T) {
	h := newHost(t, nil)
	src := t.TempDir()
	if err := os.WriteFile(filepath.Join(src, "a"), []byte("content"), 0o600); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(src)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = root.Close() }()
	dir, err := h.opts.Artifacts.PutDir(t.Context(), root, "src")
	if err != nil {
		t.Fatal(err)
	}
	in := map[string]any{"do": "echo", "text": "x", "dir": dir}

	first, cached, _ := pureRun(t, h, in)
	if cached || first.Dir == nil {
		t.Fatalf("the first time: cached %v, %+v", cached, first)
	}
	second, cached, log := pureRun(t, h, in)
	if !cached || *second.Dir != *first.Dir || second.Text != "x" || !strings.Contains(log, "carried out before") || strings.Contains(log, "echo") {
		t.Errorf("the second time: cached %v, %+v, log %q", cached, second, log)
	}
	if _, cached, _ := pureRun(t, h, map[string]any{"do": "echo", "text": "y", "dir": dir}); cached {
		t.Error("another input got the outputs of this one")
	}
	if out, err := do(t, h, in); err != nil || out.Dir == nil {
		t.Errorf("a type that is not pure: %+v, %v", out, err)
	}

	kept, err := h.cache.Path(t.Context(), *first.Dir)
	if err != nil {
		t.Fatal(err)
	}
	tampered := filepath.Join(kept, "a")
	if err := errors.Join(os.Chmod(tampered, 0o600), os.WriteFile(tampered, []byte("CONTENT"), 0o600)); err != nil {
		t.Fatal(err)
	}
	// The input is the same tree, so it has to be had again too.
	third, cached, log := pureRun(t, h, in)
	if cached || *third.Dir != *first.Dir || !strings.Contains(log, "echo") {
		t.Errorf("after the folder was changed: cached %v, %+v, log %q", cached, third, log)
	}
	if content, err := os.ReadFile(tampered); err != nil || string(content) != "content" {
		t.Errorf("the folder holds %q, %v", content, err)
	}

	if err := os.WriteFile(h.results.path(strings.Repeat("0", 64)), []byte("no JSON"), 0o600); err != nil {
		t.Fatal(err)
	}
	entries, err := os.ReadDir(h.results.dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if err := os.WriteFile(filepath.Join(h.results.dir, e.Name()), []byte("no JSON"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, cached, _ := pureRun(t, h, in); cached {
		t.Error("a broken result was used")
	}
}
