package scaffold

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestIdentifier(t *testing.T) {
	for name, want := range map[string]string{
		"first": "first", "My Pipeline": "my_pipeline", "a--b__c.d": "a_b_c_d", "42": "pipeline_42", "": "pipeline", "日本": "pipeline",
		"-x-": "x", strings.Repeat("a", 80): strings.Repeat("a", 40), "é1": "pipeline_1",
	} {
		if got := identifier(name); got != want {
			t.Errorf("identifier(%q) = %q, want %q", name, got, want)
		}
	}
}

func TestWriteOverwritesNothing(t *testing.T) {
	files, err := Files("x")
	if err != nil || len(files) != 7 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	dir := t.TempDir()
	kept := filepath.Join(dir, "variables.hcl")
	if err := os.WriteFile(kept, []byte("mine"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := Write(dir, files); !errors.Is(err, ErrExists) {
		t.Errorf("got %v", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("%v, %v: something was written", entries, err)
	}
	if text, err := os.ReadFile(kept); err != nil || string(text) != "mine" {
		t.Errorf("it holds %q, %v", text, err)
	}
}
