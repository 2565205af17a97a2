package eval

import (
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// ParseExpression reads one expression within the budgets, and prepares it for a Scope. name and line are where diagnostics say that it
// stands. The expression is nil when there are errors.
func ParseExpression(text, name string, line int) (expr hclsyntax.Expression, diags hcl.Diagnostics) {
	start := hcl.Pos{Line: line, Column: 1}
	place := hcl.Range{Filename: name, Start: start, End: start}
	if d := readableText(File{Path: name, Content: []byte(text)}, place); d != nil {
		return nil, hcl.Diagnostics{d}
	}
	defer recoverTo(&diags, place.Ptr())
	tokens, _ := hclsyntax.LexExpression([]byte(text), name, start)
	if d := checkNesting(tokens); d != nil {
		return nil, hcl.Diagnostics{d}
	}
	parsed, diags := hclsyntax.ParseExpression([]byte(text), name, start)
	for _, d := range diags {
		d.Detail = strings.ReplaceAll(d.Detail, "the end of the file", "the end of the line")
	}
	if diags = limit(diags); diags.HasErrors() {
		return nil, diags
	}
	if diags = append(diags, checkNumbers(parsed)...); diags.HasErrors() {
		return nil, diags
	}
	return instrument(parsed), diags
}
