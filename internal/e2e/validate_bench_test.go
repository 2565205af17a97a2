//go:build integration

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/containerpub/cpub/internal/testenv"
)

// BenchmarkValidate is `cpub validate` against `tofu validate`, each on one file with as many steps or resources, of which each second one
// names the one before it. Neither needs a provider: these are types of the programs themselves.
func BenchmarkValidate(b *testing.B) {
	cpub, tofu := testenv.Build(b, "./cmd/cpub"), testenv.Tool(b, "tofu")
	b.Setenv("CPUB_PROVIDERS", b.TempDir()) // asking those beside the binary is no part of the comparison
	for _, n := range []int{10, 100, 1000, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			ours := written(b, "main.hcl", "pipeline \"p\" {\n", "step \"value\" \"s%d\" { value = %s }\n", "step.s%d.value", "}\n", n)
			theirs := written(b, "main.tf", "", "resource \"terraform_data\" \"s%d\" { input = %s }\n", "terraform_data.s%d.output", "", n)
			validate(b, theirs, tofu, "init", "-backend=false")
			compare(b, func(int) { validate(b, ours, cpub, "validate") }, func(int) { validate(b, theirs, tofu, "validate") })
		})
	}
}

// written writes a file of so many blocks into a folder of its own.
func written(b *testing.B, name, head, block, reference, foot string, n int) (dir string) {
	b.Helper()
	var text strings.Builder
	text.WriteString("variable \"x\" { default = \"x\" }\n" + head)
	for i := range n {
		value := "var.x"
		if i%2 == 1 {
			value = fmt.Sprintf(reference, i-1)
		}
		fmt.Fprintf(&text, block, i, value)
	}
	text.WriteString(foot)
	dir = b.TempDir()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text.String()), 0o600); err != nil {
		b.Fatal(err)
	}
	return dir
}

func validate(b *testing.B, dir, program string, args ...string) {
	b.Helper()
	cmd := exec.CommandContext(b.Context(), program, args...)
	cmd.Dir = dir
	if out, err := cmd.CombinedOutput(); err != nil {
		b.Fatalf("%s %v: %v\n%.2000s", program, args, err, out)
	}
}
