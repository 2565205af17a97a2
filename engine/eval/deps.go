package eval

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
)

// Dep is a step that must be done before another one, and where that is said.
type Dep struct {
	Step  string
	Range hcl.Range
}

// Deps gives the steps that s waits for, in declared order, each once: by reference, through locals too, and by depends_on. Names of
// steps that do not exist are left out.
func (m *Module) Deps(p *Pipeline, s *Step) []Dep {
	return m.depsOf(p, s.DependsOn, s.expressions())
}

// UndoDeps gives the steps that the compensate block of s mentions, in declared order, each once.
func (m *Module) UndoDeps(p *Pipeline, s *Step) []Dep {
	return m.depsOf(p, nil, s.undoing().exprs)
}

func (m *Module) depsOf(p *Pipeline, named []StepName, exprs []hcl.Expression) []Dep {
	found := map[string]hcl.Range{}
	add := func(name string, at hcl.Range) {
		if _, again := found[name]; !again {
			found[name] = at
		}
	}
	for _, d := range named {
		add(d.Name, d.Range)
	}
	m.stepRefs(exprs, map[string]bool{}, func(r Reference) { add(r.Name, r.Range) })
	var deps []Dep
	for name, at := range found {
		if p.place(name) >= 0 {
			deps = append(deps, Dep{name, at})
		}
	}
	slices.SortFunc(deps, func(a, b Dep) int { return p.place(a.Step) - p.place(b.Step) })
	return deps
}

// stepRefs reports the step references of expressions, and of the locals that they use.
func (m *Module) stepRefs(exprs []hcl.Expression, seen map[string]bool, report func(Reference)) {
	refs, _ := references(exprs...)
	for _, r := range refs {
		switch r.Root {
		case "step":
			report(r)
		case "local":
			if l := m.Local(r.Name); l != nil && !seen[r.Name] {
				seen[r.Name] = true
				m.stepRefs([]hcl.Expression{l.Expr}, seen, func(inner Reference) {
					inner.Range = r.Range // the place in the step is what its author looks for
					report(inner)
				})
			}
		}
	}
}

// CheckCycles reports steps that wait for each other, and locals that need each other. Each cycle is reported once, with its chain.
func (m *Module) CheckCycles(p *Pipeline) (diags hcl.Diagnostics) {
	steps := graph{kind: "step", edges: map[string][]Dep{}}
	for _, s := range p.Steps {
		if _, again := steps.edges[s.Name]; !again {
			steps.names = append(steps.names, s.Name)
			steps.edges[s.Name] = m.Deps(p, s)
		}
	}
	return Sort(steps.cycles())
}

// CheckLocals reports locals that need each other.
func (m *Module) CheckLocals() hcl.Diagnostics {
	g := graph{kind: "local", edges: map[string][]Dep{}}
	for _, l := range m.Locals {
		if _, again := g.edges[l.Name]; again {
			continue
		}
		g.names = append(g.names, l.Name)
		g.edges[l.Name] = nil
		refs, _ := references(l.Expr)
		for _, r := range refs {
			if r.Root == "local" && m.Local(r.Name) != nil {
				g.edges[l.Name] = append(g.edges[l.Name], Dep{r.Name, r.Range})
			}
		}
	}
	return Sort(g.cycles())
}

type graph struct {
	kind  string
	names []string
	edges map[string][]Dep
}

// cycles walks depth first with a stack of its own: chains may be as long as a module.
func (g graph) cycles() (diags hcl.Diagnostics) {
	const (
		open = 1
		done = 2
	)
	state := map[string]int{}
	type frame struct {
		name string
		next int
	}
	for _, root := range g.names {
		if state[root] != 0 {
			continue
		}
		stack := []frame{{root, 0}}
		state[root] = open
		for len(stack) > 0 {
			top := &stack[len(stack)-1]
			edges := g.edges[top.name]
			if top.next == len(edges) {
				state[top.name] = done
				stack = stack[:len(stack)-1]
				continue
			}
			e := edges[top.next]
			top.next++
			switch state[e.Step] {
			case open:
				from := slices.IndexFunc(stack, func(f frame) bool { return f.name == e.Step })
				chain := []string{}
				for _, f := range stack[from:] {
					chain = append(chain, g.kind+"."+f.name)
				}
				diags = append(diags, g.cycle(append(chain, g.kind+"."+e.Step), e.Range))
			case done:
			default:
				state[e.Step] = open
				stack = append(stack, frame{e.Step, 0})
			}
		}
	}
	return diags
}

func (g graph) cycle(chain []string, at hcl.Range) *hcl.Diagnostic {
	d := &hcl.Diagnostic{Severity: hcl.DiagError, Summary: "Cycle", Subject: at.Ptr()}
	if len(chain) == 2 {
		d.Detail = fmt.Sprintf("%s needs itself. Take this reference out.", chain[0])
		return d
	}
	const most = 20
	if len(chain) > most {
		chain = append(append(slices.Clone(chain[:most-1]), "…"), chain[len(chain)-1])
	}
	d.Detail = fmt.Sprintf("These need each other: %s. Take one of the references out.", strings.Join(chain, " -> "))
	return d
}
