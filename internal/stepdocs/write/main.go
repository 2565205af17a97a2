// Command write writes the reference of the step types, docs/steps, from their schemas: one page a type, and an index.
//
//	go run ./internal/stepdocs/write FOLDER
package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/containerpub/cpub/engine/eval"
	"github.com/containerpub/cpub/internal/stepdocs"
	"github.com/containerpub/cpub/plugins/podman/steps"
	"github.com/containerpub/cpub/sdk/contract"
)

const notice = "<!-- Made by internal/stepdocs from the types' schemas; `make generate` writes it again. -->\n\n"

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
	index.WriteString(notice + "# Step types\n\n## Standard\n\nA step type is what a pipeline asks for; which provider carries it out, worker.hcl says.\n\n")
	index.WriteString("| type | does |\n|---|---|\n")
	if err := writeTypes(dir, &index, contract.All()); err != nil {
		return err
	}
	index.WriteString("\n## The podman provider's own\n\nThese are no standard types: the policy must name them in `step_types`.\n\n| type | does |\n|---|---|\n")
	if err := writeTypes(dir, &index, steps.All()); err != nil {
		return err
	}
	index.WriteString("\n## The engine's own\n\nThese run without a provider.\n\n| type | does |\n|---|---|\n")
	if err := writeTypes(dir, &index, builtin()); err != nil {
		return err
	}
	return writePage(dir, "README.md", index.String())
}

// builtin are the step types of the engine itself.
func builtin() (types []contract.Type) {
	for _, name := range eval.BuiltinTypes() {
		shape, _ := eval.Builtin(name)
		types = append(types, contract.Type{Name: name, Doc: eval.BuiltinDoc(name), Step: shape})
	}
	return types
}

// writeTypes writes a page for each type, and its line of the index.
func writeTypes(dir string, index *strings.Builder, types []contract.Type) error {
	for _, t := range types {
		first, _, _ := strings.Cut(t.Doc, ". ")
		fmt.Fprintf(index, "| [`%s`](%s.md) | %s. |\n", t.Name, t.Name, strings.TrimSuffix(first, "."))
		if err := writePage(dir, t.Name+".md", notice+stepdocs.Page(t)); err != nil {
			return err
		}
	}
	return nil
}

func writePage(dir, name, text string) error {
	return os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644) //nolint:gosec // documentation is for everybody
}
