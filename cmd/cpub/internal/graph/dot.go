package graph

import (
	"fmt"
	"strings"

	"github.com/containerpub/cpub/engine/eval"
)

// DOT draws for Graphviz: `dot -Tsvg`.
func (g *Graph) DOT() string {
	var b strings.Builder
	fmt.Fprintf(&b, "digraph %s {\n  rankdir = LR\n  node [shape = box]\n", dotText(g.Name))
	g.sections(func(s eval.Section) {
		indent := "  "
		if s != eval.Main {
			indent = "    "
			fmt.Fprintf(&b, "  subgraph %s {\n    label = %s\n    style = rounded\n", dotText("cluster_"+string(s)), dotText(title(s)))
		}
		for _, n := range g.Nodes {
			if n.Section == s {
				fmt.Fprintf(&b, "%s%s [%s]\n", indent, n.dotID(), strings.Join(n.dotAttrs(), ", "))
			}
		}
		if s != eval.Main {
			b.WriteString("  }\n")
		}
	})
	for _, n := range g.Nodes {
		how := ""
		if n.Undo {
			how = ` [style = dashed, label = "undone by"]`
		}
		for _, d := range n.After {
			fmt.Fprintf(&b, "  %s -> %s%s\n", g.Nodes[d].dotID(), n.dotID(), how)
		}
	}
	b.WriteString("}\n")
	return b.String()
}

func (n Node) dotAttrs() []string {
	if n.Type == "" {
		return []string{"label = " + dotText(n.Name), "shape = ellipse"}
	}
	out := []string{"label = " + dotText(strings.Join(n.lines(), "\n"))}
	switch {
	case n.ForEach:
		out = append(out, "shape = box3d")
	case n.Calls != "":
		out = append(out, "shape = component")
	}
	switch {
	case n.Undo:
		out = append(out, "style = rounded")
	case n.Conditional:
		out = append(out, "style = dashed")
	}
	return out
}

func (n Node) dotID() string {
	switch {
	case n.Type == "":
		return dotText("output." + n.Name)
	case n.Undo:
		return dotText("undo." + n.Name)
	}
	return dotText("step." + n.Name)
}

// dotText is a quoted text, in which DOT knows two escapes.
func dotText(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(s) + `"`
}
