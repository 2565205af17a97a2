package graph

import (
	"fmt"
	"strings"

	"github.com/containerpub/cpub/engine/eval"
)

// Mermaid draws for Mermaid, which GitHub and GitLab show in Markdown.
func (g *Graph) Mermaid() string {
	var b strings.Builder
	b.WriteString("flowchart LR\n")
	g.sections(func(s eval.Section) {
		indent := "  "
		if s != eval.Main {
			indent = "    "
			fmt.Fprintf(&b, "  subgraph %s [\"%s\"]\n", s, mermaidText(title(s)))
		}
		for i, n := range g.Nodes {
			if n.Section == s {
				fmt.Fprintf(&b, "%sn%d%s\n", indent, i, n.mermaid())
			}
		}
		if s != eval.Main {
			b.WriteString("  end\n")
		}
	})
	dashed := false
	var each []string
	for i, n := range g.Nodes {
		arrow := "-->"
		if n.Undo {
			arrow = "-. undone by .->"
		}
		for _, d := range n.After {
			fmt.Fprintf(&b, "  n%d %s n%d\n", d, arrow, i)
		}
		dashed = dashed || n.dashed()
		if n.ForEach {
			each = append(each, fmt.Sprintf("n%d", i))
		}
	}
	if dashed {
		b.WriteString("  classDef when stroke-dasharray: 4\n")
	}
	if len(each) > 0 {
		fmt.Fprintf(&b, "  classDef each stroke-width: 4px\n  class %s each\n", strings.Join(each, ","))
	}
	return b.String()
}

func (n Node) dashed() bool { return n.Conditional && n.Type != "" && !n.Undo }

// mermaid is the node's shape with its text.
func (n Node) mermaid() string {
	if n.Type == "" {
		return `(["` + mermaidText(n.Name) + `"])`
	}
	var lines []string
	for _, l := range n.lines() {
		lines = append(lines, mermaidText(l))
	}
	text := `"` + strings.Join(lines, "<br/>") + `"`
	switch {
	case n.Undo:
		text = "(" + text + ")"
	case n.Calls != "":
		text = "[[" + text + "]]"
	default:
		text = "[" + text + "]"
	}
	if n.dashed() {
		text += ":::when"
	}
	return text
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
