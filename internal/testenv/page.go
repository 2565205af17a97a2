package testenv

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// Documented lists the names in the first column of the tables under these headings of a page in docs, in the page's order. All headings, where none is
// named.
func Documented(t testing.TB, page string, headings ...string) []string {
	t.Helper()
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(filepath.Join(root, "docs", page))
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	within := len(headings) == 0
	for line := range strings.Lines(string(text)) {
		if heading, ok := strings.CutPrefix(line, "## "); ok && len(headings) > 0 {
			within = false
			for _, h := range headings {
				within = within || strings.TrimSpace(heading) == h
			}
		}
		if rest, ok := strings.CutPrefix(line, "| `"); ok && within {
			name, _, _ := strings.Cut(rest, "`")
			names = append(names, name)
		}
	}
	return names
}
