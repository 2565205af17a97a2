package graph

import (
	"fmt"
	"strings"
)

// Mermaid draws for Mermaid, which GitHub and GitLab show in Markdown.
func (g *Graph) Mermaid() string {
	var b strings.Builder
	b.WriteString("flowchart LR\n")
	dashed := false
	for i, n := range g.Nodes {
		switch {
		case n.Type == "":
			fmt.Fprintf(&b, "  n%d([\"%s\"])\n", i, mermaidText(n.Name))
		case n.Conditional:
			dashed = true
			fmt.Fprintf(&b, "  n%d[\"%s<br/>%s\"]:::when\n", i, mermaidText(n.Name), mermaidText(n.Type))
		default:
			fmt.Fprintf(&b, "  n%d[\"%s<br/>%s\"]\n", i, mermaidText(n.Name), mermaidText(n.Type))
		}
	}
	for i, n := range g.Nodes {
		for _, d := range n.After {
			fmt.Fprintf(&b, "  n%d --> n%d\n", d, i)
		}
	}
	if dashed {
		b.WriteString("  classDef when stroke-dasharray: 4\n")
	}
	return b.String()
}

// mermaidText writes what would be Mermaid's, Markdown's or HTML's as a character's number.
func mermaidText(s string) string {
	var b strings.Builder
	for _, r := range s {
		if strings.ContainsRune("\"#<>&;`*\\\n[]{}()|", r) {
			fmt.Fprintf(&b, "#%d;", r)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}
