package eval

import (
	"fmt"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
)

// Step is a `step` block.
type Step struct {
	Type string
	Name string
	// Body holds the type's own attributes and blocks, meta-arguments taken out.
	Body *hclsyntax.Body
	// DependsOn are the steps that depends_on names, as written.
	DependsOn []StepName
	// Provider is the instance asked for, such as "podman.builder", or empty.
	Provider      string
	ProviderRange hcl.Range
	// When, Timeout and QueueTimeout are nil when not set. Scope.When and Scope.Step evaluate them.
	When         hcl.Expression
	Timeout      hcl.Expression
	QueueTimeout hcl.Expression
	// Retry is nil when there is no retry block.
	Retry     *Retry
	DeclRange hcl.Range
	TypeRange hcl.Range
}

// StepName is a mention of a step.
type StepName struct {
	Name  string
	Range hcl.Range
}

// Retry is a step's `retry` block; expressions are nil when not set.
type Retry struct {
	MaxAttempts        hcl.Expression
	InitialInterval    hcl.Expression
	BackoffCoefficient hcl.Expression
	MaxInterval        hcl.Expression
	On                 hcl.Expression
	DeclRange          hcl.Range
}

// metaAttrs and metaBlocks are the meta-arguments of this build, metaLater those of the language that it refuses. All are
// reserved: no step type has an attribute of these names.
var (
	metaAttrs  = []string{"depends_on", "when", "provider", "timeout", "queue_timeout"}
	metaBlocks = []string{"retry"}
	metaLater  = []string{
		"for_each", "max_parallel", "continue_on_error", "compensate", "precondition", "postcondition", "until", "dynamic",
	}
)

// MetaNames are the names that step types cannot use for attributes and blocks of their own.
func MetaNames() []string { return slices.Concat(metaAttrs, metaBlocks, metaLater) }

// laterTypes are the step types of the engine itself that this build does not have.
var laterTypes = []string{"approval", "wait", "pipeline", "value"}

// IsLater tells the step types of the language that this build does not have yet; Parse refuses them.
func IsLater(stepType string) bool { return slices.Contains(laterTypes, stepType) }

func readStep(block *hclsyntax.Block) (*Step, hcl.Diagnostics) {
	diags := labels(block, "TYPE", "NAME")
	s := &Step{DeclRange: block.DefRange(), TypeRange: block.DefRange()}
	if len(block.Labels) > 0 {
		s.Type, s.TypeRange = block.Labels[0], block.LabelRanges[0]
	}
	if len(block.Labels) > 1 {
		s.Name = block.Labels[1]
	}
	if slices.Contains(laterTypes, s.Type) {
		diags = append(diags, notYet(s.Type, s.TypeRange))
	}
	b := block.Body
	s.When, s.Timeout, s.QueueTimeout = expression(b, "when"), expression(b, "timeout"), expression(b, "queue_timeout")
	diags = append(diags, s.readDependsOn(b)...)
	diags = append(diags, s.readProvider(b)...)
	diags = append(diags, s.readRetry(b)...)
	s.Body = &hclsyntax.Body{Attributes: hclsyntax.Attributes{}, SrcRange: b.SrcRange, EndRange: b.EndRange}
	for _, a := range ordered(b) {
		switch {
		case slices.Contains(metaLater, a.Name):
			diags = append(diags, notYet(a.Name, a.NameRange))
		case slices.Contains(metaBlocks, a.Name):
			diags = append(diags, grammar{what: "a step", attrs: metaAttrs, blocks: metaBlocks}.unknown("attribute", a.Name, a.NameRange))
		case !slices.Contains(metaAttrs, a.Name):
			s.Body.Attributes[a.Name] = a
		}
	}
	for _, n := range b.Blocks {
		switch {
		case slices.Contains(metaLater, n.Type):
			diags = append(diags, notYet(n.Type, n.TypeRange))
		case slices.Contains(metaAttrs, n.Type):
			diags = append(diags, grammar{what: "a step", attrs: metaAttrs, blocks: metaBlocks}.unknown("block", n.Type, n.TypeRange))
		case !slices.Contains(metaBlocks, n.Type):
			s.Body.Blocks = append(s.Body.Blocks, n)
		}
	}
	return s, diags
}

// readDependsOn takes [step.a, step.b] and [a, b].
func (s *Step) readDependsOn(b *hclsyntax.Body) (diags hcl.Diagnostics) {
	expr := expression(b, "depends_on")
	if expr == nil {
		return nil
	}
	items, more := hcl.ExprList(expr)
	if more.HasErrors() {
		return hcl.Diagnostics{wrongMeta("depends_on takes a list of steps, such as [step.build].", expr.Range())}
	}
	for _, item := range items {
		t, more := hcl.AbsTraversalForExpr(item)
		if more.HasErrors() || len(t) != 2 || t.RootName() != "step" {
			diags = append(diags, wrongMeta("depends_on takes steps by name, such as [step.build], without outputs.", item.Range()))
			continue
		}
		name, ok := t[1].(hcl.TraverseAttr)
		if !ok {
			diags = append(diags, wrongMeta("depends_on takes steps by name, such as [step.build].", item.Range()))
			continue
		}
		s.DependsOn = append(s.DependsOn, StepName{name.Name, item.Range()})
	}
	return diags
}

// readProvider takes podman.builder.
func (s *Step) readProvider(b *hclsyntax.Body) hcl.Diagnostics {
	expr := expression(b, "provider")
	if expr == nil {
		return nil
	}
	name, ok := InstanceName(expr)
	if !ok {
		return hcl.Diagnostics{wrongMeta("provider takes an instance by provider and name, such as podman.builder, without quotes.", expr.Range())}
	}
	s.Provider, s.ProviderRange = name, expr.Range()
	return nil
}

// InstanceName reads the expression PROVIDER.INSTANCE, such as podman.builder.
func InstanceName(expr hcl.Expression) (string, bool) {
	t, diags := hcl.AbsTraversalForExpr(expr)
	if diags.HasErrors() || len(t) != 2 {
		return "", false
	}
	name, ok := t[1].(hcl.TraverseAttr)
	if !ok {
		return "", false
	}
	return t.RootName() + "." + name.Name, true
}

var retryGrammar = grammar{
	what:  "a retry block",
	attrs: []string{"max_attempts", "initial_interval", "backoff_coefficient", "max_interval", "on"},
}

func (s *Step) readRetry(b *hclsyntax.Body) hcl.Diagnostics {
	block, diags := single(b, "retry")
	if block == nil {
		return diags
	}
	diags = append(diags, labels(block)...)
	diags = append(diags, retryGrammar.check(block.Body)...)
	s.Retry = &Retry{
		MaxAttempts:        expression(block.Body, "max_attempts"),
		InitialInterval:    expression(block.Body, "initial_interval"),
		BackoffCoefficient: expression(block.Body, "backoff_coefficient"),
		MaxInterval:        expression(block.Body, "max_interval"),
		On:                 expression(block.Body, "on"),
		DeclRange:          block.DefRange(),
	}
	return diags
}

func wrongMeta(detail string, at hcl.Range) *hcl.Diagnostic {
	return &hcl.Diagnostic{Severity: hcl.DiagError, Summary: "Wrong meta-argument", Detail: fmt.Sprint(detail), Subject: at.Ptr()}
}

// expressions are all of the step's, in no order that matters.
func (s *Step) expressions() []hcl.Expression {
	out := []hcl.Expression{s.When, s.Timeout, s.QueueTimeout}
	if r := s.Retry; r != nil {
		out = append(out, r.MaxAttempts, r.InitialInterval, r.BackoffCoefficient, r.MaxInterval, r.On)
	}
	out = append(out, bodyExpressions(s.Body)...)
	return slices.DeleteFunc(out, func(e hcl.Expression) bool { return e == nil })
}

func bodyExpressions(b *hclsyntax.Body) []hcl.Expression {
	var out []hcl.Expression
	for _, a := range ordered(b) {
		out = append(out, a.Expr)
	}
	for _, block := range b.Blocks {
		out = append(out, bodyExpressions(block.Body)...)
	}
	return out
}
