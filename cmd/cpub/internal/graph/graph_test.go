package graph

import (
	"flag"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/containerpub/cpub/engine/config"
)

var update = flag.Bool("update", false, "write the golden files")

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; it is now:\n%s", path, got)
	}
}

const shortcuts = `
variable "fast" { default = false }
locals { both = [step.b.digest, step.c.digest] }
pipeline "shortcuts" {
  step "image_pull" "last" {
    reference  = "x"
    depends_on = [step.a, step.b, step.c, step.d]
  }
  step "image_pull" "a" { reference = "x" }
  step "image_pull" "b" {
    reference = step.a.digest
    when      = !var.fast
  }
  step "image_pull" "c" { reference = step.a.digest }
  step "image_pull" "d" { reference = "${join("", local.both)}${step.a.digest}" }
  step "image_pull" "alone-1" { reference = "x" }
  output "all" { value = [step.a, step.d, local.both] }
  output "none" { value = 1 }
}
`

const sections = `
pipeline "sections" {
  step "image_pull" "base" { reference = "x" }
  step "image_build" "image" {
    for_each = toset(["api", "web"])
    context  = step.source.directory
    when     = step.base.digest != ""
    compensate "container_run" {
      image   = "tools"
      command = ["rm", self.image.id]
    }
  }
  step "archive_extract" "source" { archive = artifact("main.hcl") }
  step "pipeline" "check" {
    pipeline   = "other"
    depends_on = [step.image]
  }
  step "pipeline" "checks" {
    for_each   = toset(["a"])
    pipeline   = "other"
    depends_on = [step.check]
    when       = each.key == "a"
  }
  on_failure {
    step "container_run" "tell" { image = "tools" }
  }
  finally {
    step "container_run" "sweep" { image = "tools" }
    step "container_run" "report" {
      image      = step.base.digest
      depends_on = [step.sweep]
      when       = step.checks["a"].status != "skipped"
    }
  }
  output "images" { value = step.image }
}
pipeline "other" {
  step "container_run" "look" { image = "tools" }
}
`

func TestGolden(t *testing.T) {
	write := func(source string) string {
		path := filepath.Join(t.TempDir(), "main.hcl")
		if err := os.WriteFile(path, []byte(source), 0o644); err != nil {
			t.Fatal(err)
		}
		return path
	}
	for name, path := range map[string]string{
		"function": "../../../../examples/hcl/function", "fan-out": "../../../../examples/hcl/fan-out", "shortcuts": write(shortcuts), "sections": write(sections),
	} {
		t.Run(name, func(t *testing.T) {
			m, diags := config.Load(t.Context(), path, config.Contracts(), config.Options{})
			if diags.HasErrors() {
				t.Fatal(diags)
			}
			outputs := name == "shortcuts" || name == "sections"
			g := Of(m.Plans[0], m.Module, outputs)
			golden(t, name+".dot", g.DOT())
			golden(t, name+".mmd", g.Mermaid())
			if again := Of(m.Plans[0], m.Module, outputs); again.DOT() != g.DOT() {
				t.Error("it is drawn otherwise the second time")
			}
		})
	}
}

// TestNames draws names that no pipeline can have, for whoever loosens the rules of names.
func TestNames(t *testing.T) {
	g := &Graph{Name: `a"b\`, Nodes: []Node{{Name: `"]--><b>` + "\n", Type: `#1; "x"`}, {Name: `\"`, After: []int{0}}}}
	golden(t, "names.dot", g.DOT())
	golden(t, "names.mmd", g.Mermaid())
}

// TestReduce checks random graphs: what waits for what stays so, and no arrow follows from others.
func TestReduce(t *testing.T) {
	random := rand.New(rand.NewPCG(1, 2))
	for range 200 {
		g := &Graph{}
		n := 1 + random.IntN(25)
		names := random.Perm(n) // arrows go up in here, and anyhow in the declared order
		for i := range n {
			node := Node{Name: strings.Repeat("x", i+1), Type: "t"}
			for j := range n {
				if names[j] < names[i] && random.IntN(3) == 0 {
					node.After = append(node.After, j)
				}
			}
			g.Nodes = append(g.Nodes, node)
		}
		before := reachable(g, -1, -1)
		g.reduce()
		if after := reachable(g, -1, -1); after != before {
			t.Fatalf("it was\n%s\nand is\n%s", before, after)
		}
		for i, node := range g.Nodes {
			for _, d := range node.After {
				if reachable(g, i, d) == before {
					t.Fatalf("the arrow from %d to %d follows from others", d, i)
				}
			}
		}
	}
}

// reachable is a table of what waits for what, without one arrow.
func reachable(g *Graph, withoutFrom, withoutTo int) string {
	var b strings.Builder
	for i := range g.Nodes {
		seen := make([]bool, len(g.Nodes))
		stack := []int{i}
		for len(stack) > 0 {
			at := stack[len(stack)-1]
			stack = stack[:len(stack)-1]
			for _, d := range g.Nodes[at].After {
				if !seen[d] && (at != withoutFrom || d != withoutTo) {
					seen[d] = true
					stack = append(stack, d)
				}
			}
		}
		for _, s := range seen {
			b.WriteByte(map[bool]byte{true: '1', false: '0'}[s])
		}
		b.WriteByte('\n')
	}
	return b.String()
}
