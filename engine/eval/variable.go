package eval

import (
	"fmt"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// Variable is a `variable` block.
type Variable struct {
	Name        string
	Description string
	// Type is what values are converted to; cty.DynamicPseudoType when any is taken. Attributes of objects may be optional.
	Type cty.Type
	// Default is the value when none is given, of Type, or cty.NilVal when there must be one.
	Default   cty.Value
	Sensitive bool
	// Nullable tells that null is a value; otherwise null stands for the default.
	Nullable    bool
	Validations []*Validation
	DeclRange   hcl.Range

	defaults *typeexpr.Defaults
}

// Validation is a `validation` block of a variable.
type Validation struct {
	Condition    hcl.Expression
	ErrorMessage hcl.Expression
	DeclRange    hcl.Range
}

var variableGrammar = grammar{
	what:   "a variable",
	attrs:  []string{"type", "default", "description", "sensitive", "nullable"},
	blocks: []string{"validation"},
}

var validationGrammar = grammar{what: "a validation block", attrs: []string{"condition", "error_message"}}

func readVariable(block *hclsyntax.Block) (*Variable, hcl.Diagnostics) {
	diags := labels(block, "NAME")
	diags = append(diags, variableGrammar.check(block.Body)...)
	v := &Variable{Type: cty.DynamicPseudoType, Default: cty.NilVal, DeclRange: block.DefRange()}
	if len(block.Labels) > 0 {
		v.Name = block.Labels[0]
	}
	var more hcl.Diagnostics
	v.Description, more = literalString(block.Body, "description")
	diags = append(diags, more...)
	sensitive, more := literal(block.Body, "sensitive", cty.Bool)
	diags = append(diags, more...)
	v.Sensitive = !sensitive.IsNull() && sensitive.True()
	nullable, more := literal(block.Body, "nullable", cty.Bool)
	diags = append(diags, more...)
	v.Nullable = nullable.IsNull() || nullable.True()
	diags = append(diags, v.readType(block.Body)...)
	for _, b := range block.Body.Blocks {
		if b.Type == "validation" {
			diags = append(diags, v.readValidation(b)...)
		}
	}
	return v, diags
}

func (v *Variable) readType(b *hclsyntax.Body) (diags hcl.Diagnostics) {
	if a, ok := b.Attributes["type"]; ok {
		ty, defaults, more := typeexpr.TypeConstraintWithDefaults(a.Expr)
		if more.HasErrors() {
			for _, d := range more {
				d.Summary = "Wrong type"
				switch text, quoted := writtenText(a.Expr); {
				case quoted && slices.Contains([]string{"string", "number", "bool", "any"}, text):
					d.Detail = fmt.Sprintf("A type is written without quotes: type = %s.", text)
				case quoted:
					d.Detail = "A type is written without quotes: string, number, bool, any, list(…), set(…), map(…), object({ … }) or tuple([…])."
				case slices.Contains([]string{"list", "set", "map"}, hcl.ExprAsKeyword(a.Expr)):
					d.Detail = fmt.Sprintf("Say of which elements: %s(string), %[1]s(any).", hcl.ExprAsKeyword(a.Expr))
				}
			}
			return more
		}
		v.Type, v.defaults = ty, defaults
	}
	a, ok := b.Attributes["default"]
	if !ok {
		return nil
	}
	value, diags := literal(b, "default", cty.DynamicPseudoType)
	if diags.HasErrors() {
		return diags
	}
	def, err := v.convert(value)
	if err != nil {
		return append(diags, &hcl.Diagnostic{
			Severity: hcl.DiagError,
			Summary:  "Wrong default",
			Detail:   fmt.Sprintf("The default of variable %q does not fit its type: %s.", v.Name, describe(err)),
			Subject:  a.Expr.Range().Ptr(),
			Context:  a.SrcRange.Ptr(),
		})
	}
	if def.IsNull() && !v.Nullable {
		return append(diags, &hcl.Diagnostic{
			Severity: hcl.DiagError,
			Summary:  "Wrong default",
			Detail:   fmt.Sprintf("Variable %q is not nullable, so its default cannot be null.", v.Name),
			Subject:  a.Expr.Range().Ptr(),
			Context:  a.SrcRange.Ptr(),
		})
	}
	v.Default = def
	return diags
}

func (v *Variable) readValidation(b *hclsyntax.Block) hcl.Diagnostics {
	diags := labels(b)
	diags = append(diags, validationGrammar.check(b.Body)...)
	diags = append(diags, required(b.Body, b.DefRange(), "a validation block", "condition", "error_message")...)
	if diags.HasErrors() {
		return diags
	}
	v.Validations = append(v.Validations, &Validation{
		Condition:    expression(b.Body, "condition"),
		ErrorMessage: expression(b.Body, "error_message"),
		DeclRange:    b.DefRange(),
	})
	return diags
}

// convert gives a value the variable's type, its optional attributes filled in.
func (v *Variable) convert(value cty.Value) (cty.Value, error) {
	if v.defaults != nil && !value.IsNull() {
		value = v.defaults.Apply(value)
	}
	return convertTo(value, v.Type)
}
