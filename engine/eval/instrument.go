package eval

import (
	"reflect"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// counted is an expression that is counted when it is evaluated. It stands in a ParenthesesExpr's place, so that walks see what is in it.
type counted struct {
	*hclsyntax.ParenthesesExpr
	how howToCount
}

type howToCount int

const (
	theResult howToCount = iota // looks at the whole result
	oneBefore                   // the body of a loop, ahead of its evaluation
	anOperand                   // what arithmetic will take as a number
	aBranch                     // what a condition will make alike with its other branch
	aPart                       // what a template will take as a text
)

// UnwrapExpression gives static analysis (depends_on, type) the expression as it was written.
func (c *counted) UnwrapExpression() hcl.Expression { return c.Expression }

// Value evaluates, or panics with *errBudget.
func (c *counted) Value(ctx *hcl.EvalContext) (cty.Value, hcl.Diagnostics) {
	m := meterOf(ctx)
	if m == nil {
		return c.Expression.Value(ctx)
	}
	cost := 1
	if c.how == oneBefore {
		cost = bodyCost
	}
	if err := m.charge(cost); err != nil {
		panic(err)
	}
	v, diags := c.Expression.Value(ctx)
	if d := computedSecret(v, c.SrcRange); d != nil {
		return cty.DynamicVal, append(diags, d)
	}
	var err error
	switch c.how {
	case theResult:
		err = m.value(v)
	case aBranch:
		err = m.unifying(v)
	case aPart:
		v = disarmed(v)
		err = m.value(v)
		if !v.IsKnown() && hasElements(v.Type()) { // hcl would find this when it runs
			diags = append(diags, &hcl.Diagnostic{
				Severity: hcl.DiagError, Summary: "Invalid template interpolation value",
				Detail:  "Cannot include " + article(v.Type().FriendlyName()) + " in a text. Name one of its attributes, or use jsonencode().",
				Subject: c.SrcRange.Ptr(),
			})
		}
	case anOperand:
		err = m.number(v)
	case oneBefore:
	}
	if err != nil {
		panic(err)
	}
	return v, diags
}

func count(e hclsyntax.Expression, how howToCount) hclsyntax.Expression {
	return &counted{&hclsyntax.ParenthesesExpr{Expression: e, SrcRange: e.Range()}, how}
}

// instrumentBody replaces the expressions of a body by ones that are counted.
func instrumentBody(b *hclsyntax.Body) {
	for _, a := range b.Attributes {
		a.Expr = instrument(a.Expr)
	}
	for _, block := range b.Blocks {
		instrumentBody(block.Body)
	}
}

// instrument counts the bodies of `for` and splat, and whatever makes a value larger without a function: references, template
// parts, arithmetic. Function calls are counted by the functions themselves.
func instrument(e hclsyntax.Expression) hclsyntax.Expression {
	switch e := e.(type) {
	case *hclsyntax.ScopeTraversalExpr:
		return count(e, theResult)
	case *hclsyntax.IndexExpr:
		if _, plain := e.Collection.(*hclsyntax.ScopeTraversalExpr); !plain { // looking one element up costs one element
			e.Collection = instrument(e.Collection)
		}
		e.Key = count(instrument(e.Key), anOperand)
		return count(e, theResult)
	case *hclsyntax.BinaryOpExpr:
		e.LHS, e.RHS = instrument(e.LHS), instrument(e.RHS)
		if takesNumbers(e.Op) {
			e.LHS, e.RHS = count(e.LHS, anOperand), count(e.RHS, anOperand)
		}
		return count(e, theResult)
	case *hclsyntax.UnaryOpExpr:
		e.Val = count(instrument(e.Val), anOperand)
		return count(e, theResult)
	case *hclsyntax.ForExpr:
		instrumentFor(e)
	case *hclsyntax.SplatExpr:
		e.Source, e.Each = instrument(e.Source), count(instrument(e.Each), oneBefore)
	case *hclsyntax.TemplateExpr:
		for i, p := range e.Parts {
			if _, literal := p.(*hclsyntax.LiteralValueExpr); !literal {
				e.Parts[i] = count(instrument(p), aPart)
			}
		}
	case *hclsyntax.ObjectConsExpr:
		for i := range e.Items {
			e.Items[i].KeyExpr, e.Items[i].ValueExpr = instrument(e.Items[i].KeyExpr), instrument(e.Items[i].ValueExpr)
		}
	default:
		instrumentPlain(e)
	}
	return e
}

func takesNumbers(op *hclsyntax.Operation) bool {
	return op != hclsyntax.OpEqual && op != hclsyntax.OpNotEqual && op != hclsyntax.OpLogicalAnd && op != hclsyntax.OpLogicalOr
}

func instrumentFor(e *hclsyntax.ForExpr) {
	e.CollExpr = instrument(e.CollExpr)
	e.ValExpr = count(instrument(e.ValExpr), oneBefore)
	if e.KeyExpr != nil {
		e.KeyExpr = count(instrument(e.KeyExpr), oneBefore)
	}
	if e.CondExpr != nil {
		e.CondExpr = count(instrument(e.CondExpr), oneBefore)
	}
}

// instrumentPlain descends into expressions that need no counting themselves.
func instrumentPlain(e hclsyntax.Expression) {
	switch e := e.(type) {
	case *hclsyntax.ParenthesesExpr:
		e.Expression = instrument(e.Expression)
	case *hclsyntax.RelativeTraversalExpr:
		e.Source = instrument(e.Source)
	case *hclsyntax.FunctionCallExpr:
		for i := range e.Args {
			e.Args[i] = instrument(e.Args[i])
		}
	case *hclsyntax.ConditionalExpr:
		e.Condition = instrument(e.Condition)
		e.TrueResult, e.FalseResult = count(instrument(e.TrueResult), aBranch), count(instrument(e.FalseResult), aBranch)
	case *hclsyntax.TupleConsExpr:
		for i := range e.Exprs {
			e.Exprs[i] = instrument(e.Exprs[i])
		}
	case *hclsyntax.TemplateJoinExpr:
		e.Tuple = instrument(e.Tuple)
	case *hclsyntax.TemplateWrapExpr:
		e.Wrapped = instrument(e.Wrapped)
	case *hclsyntax.ObjectConsKeyExpr:
		if e.ForceNonLiteral || hcl.ExprAsKeyword(e.Wrapped) == "" {
			e.Wrapped = instrument(e.Wrapped)
		}
	}
}

// bodyCost is what the body of a `for` or a splat costs each time beside what is in it: hcl makes a context for it.
const bodyCost = 10

// meterName is the name, impossible in HCL, under which a context carries its meter.
const meterName = "\x00meter"

var meterType = cty.Capsule("meter", reflect.TypeFor[meter]())

func meterOf(ctx *hcl.EvalContext) *meter {
	for ; ctx != nil; ctx = ctx.Parent() {
		if v, ok := ctx.Variables[meterName]; ok {
			m, _ := v.EncapsulatedValue().(*meter)
			return m
		}
	}
	return nil
}
