package eval

import (
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// Local is one name of a `locals` block.
type Local struct {
	Name      string
	Expr      hcl.Expression
	DeclRange hcl.Range
}

var topLevel = grammar{
	what:   "a module",
	blocks: []string{"cpub", "variable", "locals", "pipeline", "schedule"},
	note:   " A file with values of variables is given with -var-file, and does not lie among the module's *.hcl files.",
}

func (m *Module) readFile(b *hclsyntax.Body) hcl.Diagnostics {
	diags := topLevel.check(b)
	for _, block := range b.Blocks {
		switch block.Type {
		case "cpub":
			diags = append(diags, m.readSettings(block)...)
		case "variable":
			v, more := readVariable(block)
			diags = append(diags, more...)
			m.Variables = append(m.Variables, v)
		case "locals":
			diags = append(diags, m.readLocals(block)...)
		case "pipeline":
			p, more := readPipeline(block)
			diags = append(diags, more...)
			m.Pipelines = append(m.Pipelines, p)
		case "schedule":
			s, more := readSchedule(block)
			diags = append(diags, more...)
			m.Schedules = append(m.Schedules, s)
		}
	}
	return diags
}

func (m *Module) readLocals(block *hclsyntax.Block) hcl.Diagnostics {
	diags := labels(block)
	diags = append(diags, grammar{what: "a locals block", attrs: slices.Collect(maps.Keys(block.Body.Attributes))}.check(block.Body)...)
	for _, a := range ordered(block.Body) {
		m.Locals = append(m.Locals, &Local{Name: a.Name, Expr: a.Expr, DeclRange: a.NameRange})
	}
	return diags
}

// ordered gives a body's attributes in source order.
func ordered(b *hclsyntax.Body) []*hclsyntax.Attribute {
	return slices.SortedFunc(maps.Values(b.Attributes), func(x, y *hclsyntax.Attribute) int {
		return x.NameRange.Start.Byte - y.NameRange.Start.Byte
	})
}

// checkNames reports names that are declared twice.
func (m *Module) checkNames() (diags hcl.Diagnostics) {
	vars, locals, pipelines, schedules := names{}, names{}, names{}, names{}
	for _, s := range m.Schedules {
		diags = append(diags, schedules.add("schedule", s.Name, s.DeclRange)...)
	}
	for _, v := range m.Variables {
		diags = append(diags, vars.add("variable", v.Name, v.DeclRange)...)
	}
	for _, l := range m.Locals {
		diags = append(diags, locals.add("local", l.Name, l.DeclRange)...)
	}
	for _, p := range m.Pipelines {
		diags = append(diags, pipelines.add("pipeline", p.Name, p.DeclRange)...)
		steps, outputs := names{}, names{}
		for _, s := range p.Steps {
			diags = append(diags, steps.add("step", s.Name, s.DeclRange)...)
		}
		for _, o := range p.Outputs {
			diags = append(diags, outputs.add("output", o.Name, o.DeclRange)...)
		}
	}
	return diags
}

// names are where names were declared first.
type names map[string]hcl.Range

func (n names) add(kind, name string, at hcl.Range) hcl.Diagnostics {
	first, again := n[name]
	if !again {
		n[name] = at
		return nil
	}
	return hcl.Diagnostics{{
		Severity: hcl.DiagError,
		Summary:  "Duplicate " + kind,
		Detail:   fmt.Sprintf("%s %q is already declared at %s:%d. Give this one another name.", sentence(article(kind)), name, first.Filename, first.Start.Line),
		Subject:  at.Ptr(),
	}}
}

// Variable returns the variable of that name, or nil.
func (m *Module) Variable(name string) *Variable {
	for _, v := range m.Variables {
		if v.Name == name {
			return v
		}
	}
	return nil
}

// Local returns the local of that name, or nil.
func (m *Module) Local(name string) *Local {
	for _, l := range m.Locals {
		if l.Name == name {
			return l
		}
	}
	return nil
}

// Pipeline returns the pipeline of that name, or nil.
func (m *Module) Pipeline(name string) *Pipeline {
	for _, p := range m.Pipelines {
		if p.Name == name {
			return p
		}
	}
	return nil
}
