// Package repl is what `cpub console` is made of: evaluating expressions one by one, completing names, and keeping what was typed. It knows
// no terminal.
package repl

import (
	"encoding/json"
	"errors"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/containerpub/cpub/engine/eval"
	"github.com/containerpub/cpub/sdk/schema"
)

// Session evaluates expressions as a pipeline's own would be evaluated before it runs.
type Session struct {
	Module *eval.Module
	// Pipeline is whose steps can be named; nil where there is none, or none was chosen.
	Pipeline *eval.Pipeline
	// Inputs are what expressions see.
	Inputs eval.Inputs
	// Outputs gives a step type's outputs, for completion.
	Outputs func(stepType string) schema.Object
	// Name is what diagnostics call the input.
	Name string
}

// Result is what an expression came to.
type Result struct {
	Value cty.Value
	// Text is the value on one line, in HCL's syntax.
	Text  string
	Diags hcl.Diagnostics
}

// Eval evaluates the expression on a line of the input. Each has a budget of its own.
func (s *Session) Eval(text string, line int) Result {
	expr, diags := eval.ParseExpression(text, s.Name, line)
	if expr == nil {
		return Result{Diags: diags}
	}
	scope := s.Module.Scope(s.Pipeline, s.Inputs)
	v, more := scope.Value(expr, cty.DynamicPseudoType)
	diags = append(diags, more...)
	if diags.HasErrors() {
		return Result{Diags: eval.Sort(diags)}
	}
	return Result{Value: v, Text: eval.ShowAll(v, s.unknown(expr)), Diags: diags}
}

// unknown says why something is not known.
func (s *Session) unknown(expr hcl.Expression) string {
	if steps := s.Module.StepsIn(expr); len(steps) > 0 {
		return "(known after step." + strings.Join(steps, ", step.") + ")"
	}
	return "(not known)"
}

// Line is what --json prints of an expression.
type Line struct {
	Expression string `json:"expression"`
	Type       string `json:"type,omitempty"`
	// Value is left out where it is sensitive, or not wholly known.
	Value json.RawMessage `json:"value,omitempty"`
	// Text is the value for people; unknown and sensitive parts are words.
	Text string `json:"text,omitempty"`
}

// Line is the JSON form of a result without errors.
func (r Result) Line(expression string) (Line, error) {
	out := Line{Expression: expression, Text: r.Text, Type: r.Value.Type().FriendlyName()}
	value, err := eval.JSON(r.Value)
	if err != nil && !errors.Is(err, eval.ErrSensitive) && !errors.Is(err, eval.ErrUnknown) {
		return out, err
	}
	if err == nil {
		out.Value = value
	}
	return out, nil
}
