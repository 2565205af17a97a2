// Package graph draws what of a pipeline waits for what, in the languages of Graphviz and Mermaid. It is pure.
package graph

import (
	"math/big"
	"slices"

	"github.com/containerpub/cpub/engine"
	"github.com/containerpub/cpub/engine/eval"
)

// Graph is a pipeline as nodes and edges.
type Graph struct {
	// Name is the pipeline's.
	Name  string
	Nodes []Node
}

// Node is a step, what undoes one, or an output.
type Node struct {
	Name string
	// Type is the step's; empty for an output.
	Type string
	// Section is where the step stands.
	Section eval.Section
	// Conditional tells a step that may be skipped, ForEach one that has instances.
	Conditional, ForEach bool
	// Calls is the pipeline that the step runs: NAME, or NAME of ./FOLDER.
	Calls string
	// Undo tells that it is what undoes a step, the one that it waits for.
	Undo bool
	// After are the nodes, by index, that it waits for directly; those that it waits for through another one are left out.
	After []int
}

// Of makes the graph of a plan, whose pipeline stands in module: the steps in declared order, what undoes them, then the outputs if they
// are wanted.
func Of(plan *engine.Plan, module *eval.Module, outputs bool) *Graph {
	g := &Graph{Name: plan.Pipeline}
	index := map[string]int{}
	for i, s := range plan.Steps {
		index[s.Name] = i
	}
	pipeline := module.Pipeline(plan.Pipeline)
	for _, s := range plan.Steps {
		n := Node{Name: s.Name, Type: s.Type, Section: s.Section, ForEach: s.ForEach, After: indices(index, s.Deps)}
		if block := pipeline.Step(s.Name); block != nil {
			n.Conditional, n.Calls = block.When != nil, calls(block.Callee)
		}
		g.Nodes = append(g.Nodes, n)
	}
	for i, s := range plan.Steps {
		if s.Compensate != nil {
			g.Nodes = append(g.Nodes, Node{Name: s.Name, Type: s.Compensate.Type, Undo: true, ForEach: s.ForEach, After: []int{i}})
		}
	}
	if outputs {
		for _, o := range pipeline.Outputs {
			g.Nodes = append(g.Nodes, Node{Name: o.Name, After: indices(index, module.StepsIn(o.Value))})
		}
	}
	g.reduce()
	return g
}

func calls(c *eval.Callee) string {
	switch {
	case c == nil:
		return ""
	case c.Source == "":
		return c.Pipeline
	}
	return c.Pipeline + " of " + c.Source
}

// lines are what stands in a step's node.
func (n Node) lines() []string {
	out := []string{n.Name, n.Type}
	if n.Undo {
		out[0] = "undo " + n.Name
	}
	if n.Calls != "" {
		out = append(out, n.Calls)
	}
	if n.ForEach {
		out = append(out, "for each")
	}
	return out
}

// sections calls f for each section that has nodes.
func (g *Graph) sections(f func(eval.Section)) {
	for _, s := range []eval.Section{eval.Main, eval.OnFailure, eval.Finally} {
		if slices.ContainsFunc(g.Nodes, func(n Node) bool { return n.Section == s }) {
			f(s)
		}
	}
}

// title says when a section's steps run.
func title(s eval.Section) string {
	if s == eval.OnFailure {
		return "on_failure: when the run failed"
	}
	return "finally: at the end of every run"
}

func indices(index map[string]int, names []string) (out []int) {
	for _, name := range names {
		if i, ok := index[name]; ok {
			out = append(out, i)
		}
	}
	return out
}

// reduce leaves out the edges that others imply. A plan has no cycles.
func (g *Graph) reduce() {
	reach := make([]*big.Int, len(g.Nodes)) // what a node waits for, also through others
	for _, i := range g.order() {
		all, implied := new(big.Int), new(big.Int)
		for _, d := range g.Nodes[i].After {
			implied.Or(implied, reach[d])
			all.SetBit(all, d, 1)
		}
		var kept []int
		for _, d := range g.Nodes[i].After {
			if implied.Bit(d) == 0 {
				kept = append(kept, d)
			}
		}
		g.Nodes[i].After = kept
		reach[i] = all.Or(all, implied)
	}
}

// order gives every node after those that it waits for.
func (g *Graph) order() []int {
	waits := make([]int, len(g.Nodes))
	next := make([][]int, len(g.Nodes))
	var ready []int
	for i, n := range g.Nodes {
		waits[i] = len(n.After)
		if len(n.After) == 0 {
			ready = append(ready, i)
		}
		for _, d := range n.After {
			next[d] = append(next[d], i)
		}
	}
	for k := 0; k < len(ready); k++ {
		for _, i := range next[ready[k]] {
			if waits[i]--; waits[i] == 0 {
				ready = append(ready, i)
			}
		}
	}
	return ready
}
