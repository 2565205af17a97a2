// Package graph draws what of a pipeline waits for what, in the languages of Graphviz and Mermaid. It is pure.
package graph

import (
	"math/big"

	"github.com/containerpub/cpub/engine"
	"github.com/containerpub/cpub/engine/eval"
)

// Graph is a pipeline as nodes and edges.
type Graph struct {
	// Name is the pipeline's.
	Name  string
	Nodes []Node
}

// Node is a step, or an output.
type Node struct {
	Name string
	// Type is the step's; empty for an output.
	Type string
	// Conditional tells a step that may be skipped.
	Conditional bool
	// After are the nodes, by index, that it waits for directly; those that it waits for through another one are left out.
	After []int
}

// Of makes the graph of a plan, whose pipeline stands in module: the steps in declared order, then the outputs if they are wanted.
func Of(plan *engine.Plan, module *eval.Module, outputs bool) *Graph {
	g := &Graph{Name: plan.Pipeline}
	index := map[string]int{}
	for i, s := range plan.Steps {
		index[s.Name] = i
	}
	pipeline := module.Pipeline(plan.Pipeline)
	for _, s := range plan.Steps {
		n := Node{Name: s.Name, Type: s.Type, After: indices(index, s.Deps)}
		if block := pipeline.Step(s.Name); block != nil {
			n.Conditional = block.When != nil
		}
		g.Nodes = append(g.Nodes, n)
	}
	if outputs {
		for _, o := range pipeline.Outputs {
			g.Nodes = append(g.Nodes, Node{Name: o.Name, After: indices(index, module.StepsIn(o.Value))})
		}
	}
	g.reduce()
	return g
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
