package graph

import (
	"fmt"
	"strings"
)

// DOT draws for Graphviz: `dot -Tsvg`.
func (g *Graph) DOT() string {
	var b strings.Builder
	fmt.Fprintf(&b, "digraph %s {\n  rankdir = LR\n  node [shape = box]\n", dotText(g.Name))
	for _, n := range g.Nodes {
		switch {
		case n.Type == "":
			fmt.Fprintf(&b, "  %s [label = %s, shape = ellipse]\n", n.dotID(), dotText(n.Name))
		case n.Conditional:
			fmt.Fprintf(&b, "  %s [label = %s, style = dashed]\n", n.dotID(), dotText(n.Name+"\n"+n.Type))
		default:
			fmt.Fprintf(&b, "  %s [label = %s]\n", n.dotID(), dotText(n.Name+"\n"+n.Type))
		}
	}
	for _, n := range g.Nodes {
		for _, d := range n.After {
			fmt.Fprintf(&b, "  %s -> %s\n", g.Nodes[d].dotID(), n.dotID())
		}
	}
	b.WriteString("}\n")
	return b.String()
}

func (n Node) dotID() string {
	if n.Type == "" {
		return dotText("output." + n.Name)
	}
	return dotText("step." + n.Name)
}

// dotText is a quoted text, in which DOT knows two escapes.
func dotText(s string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`).Replace(s) + `"`
}
