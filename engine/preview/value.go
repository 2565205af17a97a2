package preview

import (
	"slices"
	"strconv"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/containerpub/cpub/engine/eval"
)

// Value is something with a name.
type Value struct {
	Name  string
	Value cty.Value
	// After is what it waits for where it is not wholly known: steps by their names, and "run.started_at", "run.error", "self" and their kin.
	After []string
	// Default tells that nothing is set and that this counts, as HCL.
	Default string
	// Unset tells of a variable that nothing was given for, so that Value is its default.
	Unset bool
	// Each has the value for each instance by its key, where they differ. Value is then unknown.
	Each []Value

	expr   hcl.Expression // that gave it
	origin origin
}

// Condition is the text of a condition, and whether it holds: true, false, or not known yet.
type Condition struct {
	Text    string
	Holds   cty.Value
	After   []string
	Message Value // what its author says when it does not hold, if anything
	// Each has what it is for each instance by its key, where they differ.
	Each []Value
}

// Fails tells that the condition is known not to hold, for some instance at least.
func (c *Condition) Fails() bool {
	return isFalse(c.Holds) || slices.ContainsFunc(c.Each, func(v Value) bool { return isFalse(v.Value) })
}

func isFalse(v cty.Value) bool { return v.IsKnown() && !v.IsNull() && v.False() }

// origin tells what expressions wait for, as those of one step.
type origin struct {
	m    *maker
	step *eval.Step // nil: the pipeline's own
}

func (m *maker) origin(step *eval.Step) origin { return origin{m, step} }

// of names a value that an expression gave.
func (o origin) of(name string, v cty.Value, expr hcl.Expression) Value {
	out := Value{Name: name, Value: v, expr: expr, origin: o}
	if !eval.Plain(v).IsWhollyKnown() {
		out.After = o.waits(expr)
	}
	return out
}

// waits names what expressions need that is not known before a run: steps in declared order, then the rest by name.
func (o origin) waits(exprs ...hcl.Expression) (after []string) {
	found, seen := map[string]bool{}, map[string]bool{}
	var others []string
	var collect func(hcl.Expression)
	collect = func(expr hcl.Expression) {
		for _, t := range expr.Variables() {
			name := ""
			if len(t) > 1 {
				if attr, ok := t[1].(hcl.TraverseAttr); ok {
					name = attr.Name
				}
			}
			switch root := t.RootName(); {
			case root == "step":
				found[name] = true
			case root == "run" || root == "self":
				if root == "run" {
					root = "run." + name
				}
				if !slices.Contains(others, root) {
					others = append(others, root)
				}
			case root == "each" && o.step != nil && o.step.ForEach != nil && !seen["each"]:
				seen["each"] = true
				collect(o.step.ForEach)
			case root == "local" && !seen["local."+name]:
				seen["local."+name] = true
				if l := o.m.module.Local(name); l != nil {
					collect(l.Expr)
				}
			}
		}
	}
	for _, e := range exprs {
		if e != nil {
			collect(e)
		}
	}
	for _, s := range o.m.plan.Steps {
		if found[s.Name] {
			after = append(after, s.Name)
		}
	}
	slices.Sort(others)
	return append(after, others...)
}

// part is the value's element under that key, as what gave it where that can be told.
func (v Value) part(key, element cty.Value) Value {
	expr := v.expr
	if expr != nil {
		expr = v.origin.within(expr, key)
	}
	out := Value{Value: element, expr: expr, After: v.After, origin: v.origin}
	if expr != nil && expr != v.expr && !eval.Plain(element).IsWhollyKnown() {
		out.After = v.origin.waits(expr)
	}
	return out
}

// within is the part of an expression that gives the element under a key: of { … }, [ … ] and locals that are such; else the whole.
func (o origin) within(expr hcl.Expression, key cty.Value) hcl.Expression {
	for range 20 { // locals of locals
		t, diags := hcl.AbsTraversalForExpr(expr)
		if diags.HasErrors() || len(t) != 2 || t.RootName() != "local" {
			break
		}
		attr, _ := t[1].(hcl.TraverseAttr)
		l := o.m.module.Local(attr.Name)
		if l == nil {
			break
		}
		expr = l.Expr
	}
	if list, diags := hcl.ExprList(expr); !diags.HasErrors() && key.Type() == cty.Number {
		if i, _ := key.AsBigFloat().Int64(); i >= 0 && int(i) < len(list) {
			return list[i]
		}
	}
	if pairs, diags := hcl.ExprMap(expr); !diags.HasErrors() && key.Type() == cty.String {
		for _, p := range pairs {
			if name, ok := literalKey(p.Key); ok && name == key.AsString() {
				return p.Value
			}
		}
	}
	return expr
}

// literalKey is the key of { key = … } where it is written out.
func literalKey(expr hcl.Expression) (string, bool) {
	if name := hcl.ExprAsKeyword(expr); name != "" {
		return name, true
	}
	if e, ok := expr.(*hclsyntax.ObjectConsKeyExpr); ok {
		expr = e.Wrapped
	}
	if len(expr.Variables()) > 0 {
		return "", false
	}
	v, diags := expr.Value(nil)
	if diags.HasErrors() || v.IsMarked() || !v.IsKnown() || v.IsNull() || v.Type() != cty.String {
		return "", false
	}
	return v.AsString(), true
}

func number(n int) string { return strconv.Itoa(n) }
