// Command write writes the reference of the standard step types, docs/steps, from their schemas: one page a type, and an index.
//
//	go run ./internal/stepdocs/write FOLDER
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/containerpub/cpub/internal/stepdocs"
	"github.com/containerpub/cpub/sdk/contract"
)

const notice = "<!-- Made by internal/stepdocs from sdk/contract; `make generate` writes it again. -->\n\n"

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: write FOLDER")
		os.Exit(2)
	}
	if err := write(os.Args[1]); err != nil {
		fmt.Fprintln(os.Stderr, "write:", err)
		os.Exit(1)
	}
}

func write(dir string) error {
	if err := os.MkdirAll(dir, 0o755); err != nil { //nolint:gosec // documentation is for everybody
		return err
	}
	var index strings.Builder
	index.WriteString(notice + "# Standard step types\n\nA step type is what a pipeline asks for; which provider carries it out, worker.hcl says.\n\n")
	index.WriteString("| type | does |\n|---|---|\n")
	for _, t := range contract.All() {
		first, _, _ := strings.Cut(t.Doc, ". ")
		fmt.Fprintf(&index, "| [`%s`](%s.md) | %s. |\n", t.Name, t.Name, strings.TrimSuffix(first, "."))
		if err := writePage(dir, t.Name+".md", notice+stepdocs.Page(t)); err != nil {
			return err
		}
	}
	return writePage(dir, "README.md", index.String())
}

func writePage(dir, name, text string) error {
	return os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644) //nolint:gosec // documentation is for everybody
}
