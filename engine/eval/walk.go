package eval

import (
	"fmt"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// calls gives the function calls in a node, in the order of the tree.
func calls(n hclsyntax.Node) (out []*hclsyntax.FunctionCallExpr) {
	_ = hclsyntax.VisitAll(n, func(n hclsyntax.Node) hcl.Diagnostics {
		if call, ok := n.(*hclsyntax.FunctionCallExpr); ok {
			out = append(out, call)
		}
		return nil
	})
	return out
}

// checkNumbers reports numbers in the source that are beyond maxExponent.
func checkNumbers(n hclsyntax.Node) (diags hcl.Diagnostics) {
	_ = hclsyntax.VisitAll(n, func(n hclsyntax.Node) hcl.Diagnostics {
		lit, ok := n.(*hclsyntax.LiteralValueExpr)
		if ok && lit.Val.Type() == cty.Number && lit.Val.IsKnown() && !lit.Val.IsNull() && isLong(lit.Val.AsBigFloat()) {
			diags = append(diags, &hcl.Diagnostic{
				Severity: hcl.DiagError,
				Summary:  "Number too large",
				Detail:   fmt.Sprintf("Numbers have %d binary digits at most, before and after the point.", maxExponent),
				Subject:  lit.SrcRange.Ptr(),
			})
		}
		return nil
	})
	return diags
}
