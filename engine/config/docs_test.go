package config_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestLanguagePage loads every example of docs/language.md that is a file of its own.
func TestLanguagePage(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "docs", "language.md"))
	if err != nil {
		t.Fatal(err)
	}
	loaded := 0
	for _, block := range strings.Split(string(page), "```hcl\n# file: ")[1:] {
		name, rest, _ := strings.Cut(block, "\n")
		src, _, closed := strings.Cut(rest, "```\n")
		if !closed {
			t.Fatalf("the example %s has no end", name)
		}
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), name)
			write(t, path, []byte(src))
			mustLoad(t, path)
		})
		loaded++
	}
	if loaded < 4 {
		t.Errorf("%d examples, want at least 4", loaded)
	}
}
