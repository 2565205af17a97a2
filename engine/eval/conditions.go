package eval

import (
	"fmt"
	"slices"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// Condition is a `precondition` or `postcondition` block.
type Condition struct {
	Condition hcl.Expression
	Message   hcl.Expression
	DeclRange hcl.Range
}

// Until is a step's `until` block; Interval and MaxAttempts are nil when not set.
type Until struct {
	Condition   hcl.Expression
	Interval    hcl.Expression
	MaxAttempts hcl.Expression
	DeclRange   hcl.Range
}

// Defaults of `until`.
const (
	DefaultUntilInterval    = 10 * time.Second
	DefaultUntilMaxAttempts = 30
)

var (
	conditionAttrs = []string{"condition", "error_message"}
	untilGrammar   = grammar{what: "an until block", attrs: []string{"condition", "interval", "max_attempts"}}
)

func readConditions(b *hclsyntax.Body, kind string) (out []*Condition, diags hcl.Diagnostics) {
	what := article(kind) + " block"
	for _, block := range b.Blocks {
		if block.Type != kind {
			continue
		}
		diags = append(diags, labels(block)...)
		diags = append(diags, grammar{what: what, attrs: conditionAttrs}.check(block.Body)...)
		diags = append(diags, required(block.Body, block.DefRange(), what, conditionAttrs...)...)
		out = append(out, &Condition{
			Condition: expression(block.Body, "condition"), Message: expression(block.Body, "error_message"), DeclRange: block.DefRange(),
		})
	}
	return out, diags
}

func (s *Step) readUntil(b *hclsyntax.Body) hcl.Diagnostics {
	block, diags := single(b, "until")
	if block == nil {
		return diags
	}
	diags = append(diags, labels(block)...)
	diags = append(diags, untilGrammar.check(block.Body)...)
	diags = append(diags, required(block.Body, block.DefRange(), "an until block", "condition")...)
	s.Until = &Until{
		Condition: expression(block.Body, "condition"), Interval: expression(block.Body, "interval"),
		MaxAttempts: expression(block.Body, "max_attempts"), DeclRange: block.DefRange(),
	}
	return diags
}

// Conditions evaluates conditions in order. The diagnostic of the first that does not hold says what its author wrote; one that is not
// known yet holds.
func (s *Scope) Conditions(conditions []*Condition, kind string) hcl.Diagnostics {
	for _, c := range conditions {
		holds, diags := s.holds(c.Condition)
		if diags.HasErrors() {
			return diags
		}
		message := cty.UnknownVal(cty.String)
		if c.Message != nil {
			var more hcl.Diagnostics
			message, more = s.Value(c.Message, cty.String)
			if more.HasErrors() {
				return more
			}
		}
		if !holds.IsKnown() || holds.True() {
			continue
		}
		detail := fmt.Sprintf("The %s does not hold.", kind)
		if plain, marks := message.Unmark(); len(marks) == 0 && plain.IsKnown() && !plain.IsNull() {
			detail = plain.AsString()
		}
		return hcl.Diagnostics{s.Involve(&hcl.Diagnostic{
			Severity: hcl.DiagError, Summary: ConditionFailed(kind), Detail: detail, Subject: c.Condition.Range().Ptr(), Context: c.DeclRange.Ptr(),
		}, c.Condition)}
	}
	return nil
}

// ConditionFailed is the summary of a condition of that kind that does not hold: "Precondition failed".
func ConditionFailed(kind string) string { return sentence(kind) + " failed" }

// Condition evaluates what must be true or false. A text that is not known yet is refused: it would be taken for one, or fail, only when it
// is known.
func (s *Scope) Condition(expr hcl.Expression) (cty.Value, hcl.Diagnostics) {
	raw, diags := s.evaluate(expr)
	if diags.HasErrors() {
		return cty.UnknownVal(cty.Bool), diags
	}
	if raw.Type() == cty.String && !raw.IsKnown() {
		return cty.UnknownVal(cty.Bool), append(diags, &hcl.Diagnostic{
			Severity: hcl.DiagError, Summary: "Wrong type",
			Detail: `A condition is true or false, and this is a text. Compare it, as in … == "done", or … != "".`, Subject: expr.Range().Ptr(),
		})
	}
	v, err := convertTo(raw, cty.Bool)
	if err != nil {
		return cty.UnknownVal(cty.Bool), append(diags, s.wrongType(expr, err))
	}
	return v, diags
}

// holds evaluates a condition: true, false, or unknown.
func (s *Scope) holds(expr hcl.Expression) (cty.Value, hcl.Diagnostics) {
	if expr == nil {
		return cty.UnknownVal(cty.Bool), nil
	}
	v, diags := s.Condition(expr)
	if diags.HasErrors() {
		return cty.UnknownVal(cty.Bool), diags
	}
	v, _ = v.Unmark()
	if v.IsKnown() && v.IsNull() {
		return cty.UnknownVal(cty.Bool), hcl.Diagnostics{s.Involve(&hcl.Diagnostic{
			Severity: hcl.DiagError, Summary: "Wrong value", Detail: "A condition must be true or false; it is null.", Subject: expr.Range().Ptr(),
		}, expr)}
	}
	return v, nil
}

// UntilCall is an `until` block as evaluated.
type UntilCall struct {
	// Done is true, false, or unknown while checking.
	Done        cty.Value
	Interval    time.Duration
	MaxAttempts int
}

// Until evaluates a step's `until` against self. It must have one.
func (s *Scope) Until(u *Until) (UntilCall, hcl.Diagnostics) {
	c := UntilCall{Interval: DefaultUntilInterval, MaxAttempts: DefaultUntilMaxAttempts}
	var diags, more hcl.Diagnostics
	c.Done, diags = s.holds(u.Condition)
	interval, more := s.duration("interval", u.Interval)
	diags = append(diags, more...)
	if interval > 0 {
		c.Interval = interval
	}
	n, more := s.whole("max_attempts", u.MaxAttempts, MaxInstances)
	if n > 0 {
		c.MaxAttempts = n
	}
	return c, Sort(append(diags, more...))
}

// boundExpr is an expression in which some names belong to the blocks around it.
type boundExpr struct {
	hcl.Expression
	bound []string
}

// within hides the names that are bound around an expression from those who look at what it mentions.
func within(e hcl.Expression, bound []string) hcl.Expression {
	if e == nil || len(bound) == 0 {
		return e
	}
	return boundExpr{e, bound}
}

// Variables are the mentions of what is not bound.
func (b boundExpr) Variables() []hcl.Traversal {
	return slices.DeleteFunc(b.Expression.Variables(), func(t hcl.Traversal) bool { return slices.Contains(b.bound, t.RootName()) })
}

// UnwrapExpression gives the expression as it was written.
func (b boundExpr) UnwrapExpression() hcl.Expression { return b.Expression }

// native gives the syntax of an expression, or nil.
func native(e hcl.Expression) hclsyntax.Expression {
	if b, ok := e.(boundExpr); ok {
		e = b.Expression
	}
	n, _ := e.(hclsyntax.Expression)
	return n
}
