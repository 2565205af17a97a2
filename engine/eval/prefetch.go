package eval

import (
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// Prefetch reads every file that the pipeline names with constant paths, also where the expression around it is not evaluated while
// checking (in a `for` over a variable, say), so that the plan has it. It reports files that cannot be read.
func (s *Scope) Prefetch() (diags hcl.Diagnostics) {
	var exprs []hcl.Expression
	for _, st := range s.pipeline.Steps {
		exprs = append(exprs, st.expressions()...)
		exprs = append(exprs, st.undoing().exprs...)
	}
	for _, o := range s.pipeline.Outputs {
		exprs = append(exprs, o.Value)
	}
	for _, l := range s.module.Locals {
		exprs = append(exprs, l.Expr)
	}
	exprs = append(exprs, s.pipeline.settings()...)
	for _, e := range exprs {
		syntax := native(e)
		if syntax == nil {
			continue
		}
		for _, call := range calls(syntax) {
			diags = append(diags, s.prefetch(call)...)
		}
	}
	return Sort(diags)
}

func (s *Scope) prefetch(call *hclsyntax.FunctionCallExpr) hcl.Diagnostics {
	paths := map[string]int{"artifact": 1, "file": 1, "filebase64": 1, "templatefile": 1, "fileset": 2}[call.Name]
	if paths == 0 || len(call.Args) < paths || call.ExpandFinal {
		return nil
	}
	constant := !slices.ContainsFunc(call.Args[:paths], func(a hclsyntax.Expression) bool {
		return slices.ContainsFunc(a.Variables(), func(t hcl.Traversal) bool { return t.RootName() != "path" })
	})
	if !constant {
		return nil
	}
	probe := *call
	if call.Name == "templatefile" {
		probe.Name, probe.Args = "filebase64", call.Args[:1] // its variables are another matter
	}
	_, diags := s.Value(&probe, cty.DynamicPseudoType)
	return diags
}
