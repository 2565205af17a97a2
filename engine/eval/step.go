package eval

import (
	"fmt"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// Section is the part of a pipeline that a step stands in.
type Section string

// The sections. OnFailure's steps run when the run failed, Finally's at the end of every run.
const (
	Main      Section = ""
	OnFailure Section = "on_failure"
	Finally   Section = "finally"
)

// Step is a `step` block, or the `compensate` block of one.
type Step struct {
	Type    string
	Name    string
	Section Section
	// Body holds the type's own attributes and blocks, meta-arguments taken out.
	Body *hclsyntax.Body
	// DependsOn are the steps that depends_on names, as written.
	DependsOn []StepName
	// Provider is the instance asked for, such as "podman.builder", or empty.
	Provider      string
	ProviderRange hcl.Range
	// ContinueOnError lets the run go on when the step fails.
	ContinueOnError bool
	// When, ForEach, MaxParallel, Timeout and QueueTimeout are nil when not set. Scope's methods evaluate them.
	When         hcl.Expression
	ForEach      hcl.Expression
	MaxParallel  hcl.Expression
	Timeout      hcl.Expression
	QueueTimeout hcl.Expression
	// Retry and Until are nil when there is no such block.
	Retry *Retry
	Until *Until
	// Preconditions and Postconditions are in source order.
	Preconditions  []*Condition
	Postconditions []*Condition
	// Callee is what a step of the type `pipeline` runs; nil for all others.
	Callee *Callee
	// Compensate undoes the step, or is nil. It has the step's name.
	Compensate *Step
	DeclRange  hcl.Range
	TypeRange  hcl.Range

	metas []*hclsyntax.Attribute // those that are set, in source order
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

// metaAttrs and metaBlocks are the meta-arguments of steps. All are reserved: no step type has an attribute or a block of these names.
var (
	metaAttrs = []string{
		"depends_on", "when", "for_each", "max_parallel", "provider", "timeout", "queue_timeout", "continue_on_error",
	}
	metaBlocks = []string{"retry", "until", "precondition", "postcondition", "compensate"}
)

// MetaNames are the names that step types cannot use for attributes and blocks of their own.
func MetaNames() []string { return append(slices.Concat(metaAttrs, metaBlocks), dynamicBlock) }

// stepGrammar is what a step may have beside its type's own.
var stepGrammar = grammar{what: "a step", attrs: metaAttrs, blocks: metaBlocks}

// compensateGrammar is what a compensate block may have beside its type's own.
var compensateGrammar = grammar{what: "a compensate block", attrs: []string{"provider", "timeout", "queue_timeout"}, blocks: []string{"retry"}}

func readStep(block *hclsyntax.Block, section Section) (*Step, hcl.Diagnostics) {
	diags := labels(block, "TYPE", "NAME")
	s := &Step{DeclRange: block.DefRange(), TypeRange: block.DefRange(), Section: section}
	if len(block.Labels) > 0 {
		s.Type, s.TypeRange = block.Labels[0], block.LabelRanges[0]
	}
	if len(block.Labels) > 1 {
		s.Name = block.Labels[1]
	}
	b := block.Body
	s.When, s.ForEach, s.MaxParallel = expression(b, "when"), expression(b, "for_each"), expression(b, "max_parallel")
	diags = append(diags, s.readDependsOn(b)...)
	diags = append(diags, s.readCommon(b, stepGrammar)...)
	on, more := literal(b, "continue_on_error", cty.Bool)
	diags = append(diags, more...)
	s.ContinueOnError = !on.IsNull() && on.True()
	diags = append(diags, writtenOut(b, "continue_on_error", more)...)
	diags = append(diags, s.readBuiltin(b)...)
	diags = append(diags, s.readUntil(b)...)
	s.Preconditions, more = readConditions(b, "precondition")
	diags = append(diags, more...)
	s.Postconditions, more = readConditions(b, "postcondition")
	diags = append(diags, more...)
	diags = append(diags, s.readCompensate(b)...)
	if s.MaxParallel != nil && s.ForEach == nil {
		diags = append(diags, wrongMeta("max_parallel of a step bounds its instances: it needs for_each beside it.", s.MaxParallel.Range()))
	}
	return s, diags
}

// readCommon reads what a step and a compensate block have alike, and leaves the rest of the body to the step type.
func (s *Step) readCommon(b *hclsyntax.Body, meta grammar) hcl.Diagnostics {
	s.Timeout, s.QueueTimeout = expression(b, "timeout"), expression(b, "queue_timeout")
	diags := s.readProvider(b)
	diags = append(diags, s.readRetry(b)...)
	s.Body = &hclsyntax.Body{Attributes: hclsyntax.Attributes{}, SrcRange: b.SrcRange, EndRange: b.EndRange}
	for _, a := range ordered(b) {
		switch {
		case slices.Contains(metaBlocks, a.Name):
			diags = append(diags, meta.unknown("attribute", a.Name, a.NameRange))
		case slices.Contains(meta.attrs, a.Name):
			s.metas = append(s.metas, a)
		case slices.Contains(metaAttrs, a.Name):
			diags = append(diags, meta.unknown("attribute", a.Name, a.NameRange))
		default:
			s.Body.Attributes[a.Name] = a
		}
	}
	for _, n := range b.Blocks {
		switch {
		case slices.Contains(metaAttrs, n.Type):
			diags = append(diags, meta.unknown("block", n.Type, n.TypeRange))
		case slices.Contains(meta.blocks, n.Type):
		case slices.Contains(metaBlocks, n.Type):
			diags = append(diags, meta.unknown("block", n.Type, n.TypeRange))
		default:
			s.Body.Blocks = append(s.Body.Blocks, n)
		}
	}
	return diags
}

// readCompensate reads the block that undoes the step.
func (s *Step) readCompensate(b *hclsyntax.Body) hcl.Diagnostics {
	block, diags := single(b, "compensate")
	if block == nil {
		return diags
	}
	diags = append(diags, labels(block, "TYPE")...)
	if s.Section != Main {
		diags = append(diags, &hcl.Diagnostic{
			Severity: hcl.DiagError, Summary: "Wrong block",
			Detail:  fmt.Sprintf("A step of %s is not undone: it runs when the run is over. Take compensate out.", s.Section),
			Subject: block.TypeRange.Ptr(),
		})
	}
	c := &Step{Name: s.Name, Section: s.Section, DeclRange: block.DefRange(), TypeRange: block.DefRange()}
	if len(block.Labels) > 0 {
		c.Type, c.TypeRange = block.Labels[0], block.LabelRanges[0]
	}
	diags = append(diags, c.readCommon(block.Body, compensateGrammar)...)
	if IsBuiltin(c.Type) {
		diags = append(diags, &hcl.Diagnostic{
			Severity: hcl.DiagError, Summary: "Wrong step type",
			Detail: fmt.Sprintf("A step cannot be undone by %q. Name a step type that a provider offers.", c.Type), Subject: c.TypeRange.Ptr(),
		})
	}
	s.Compensate = c
	return diags
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
		if text, ok := writtenText(item); ok && validName(text) {
			diags = append(diags, wrongMeta(fmt.Sprintf("depends_on takes steps, not their names as text. Write step.%s, without quotes.", text), item.Range()))
			continue
		}
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

// writtenText is a text that is written out.
func writtenText(expr hcl.Expression) (string, bool) {
	syntax := native(expr)
	if syntax == nil || len(expr.Variables()) > 0 || len(calls(syntax)) > 0 {
		return "", false
	}
	v, diags := Literal(syntax)
	if diags.HasErrors() || v.Type() != cty.String || !v.IsKnown() || v.IsNull() {
		return "", false
	}
	return v.AsString(), true
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

// mentions are expressions of a step, and what they may name beside variables, locals and steps.
type mentions struct {
	exprs                []hcl.Expression
	each, self, runError bool
}

// mentions are all of the step's. Those of its compensate block are left out.
func (s *Step) mentions() []mentions {
	each := s.ForEach != nil
	late := s.Section != Main
	before := []hcl.Expression{s.When, s.Timeout, s.QueueTimeout}
	if r := s.Retry; r != nil {
		before = append(before, r.MaxAttempts, r.InitialInterval, r.BackoffCoefficient, r.MaxInterval, r.On)
	}
	before = append(before, bodyExpressions(s.Body, nil)...)
	for _, c := range s.Preconditions {
		before = append(before, c.Condition, c.Message)
	}
	var after []hcl.Expression
	for _, c := range s.Postconditions {
		after = append(after, c.Condition, c.Message)
	}
	if u := s.Until; u != nil {
		after = append(after, u.Condition, u.Interval, u.MaxAttempts)
	}
	return []mentions{
		{exprs: []hcl.Expression{s.ForEach, s.MaxParallel}, runError: late},
		{exprs: before, each: each, runError: late},
		{exprs: after, each: each, self: true, runError: late},
	}
}

// undoing are the expressions of the step's compensate block.
func (s *Step) undoing() mentions {
	if s.Compensate == nil {
		return mentions{}
	}
	m := mentions{each: s.ForEach != nil, self: true, runError: true}
	for _, inner := range s.Compensate.mentions() {
		m.exprs = append(m.exprs, inner.exprs...)
	}
	return m
}

// expressions are those that must be known for the step to run, in no order that matters.
func (s *Step) expressions() (out []hcl.Expression) {
	for _, m := range s.mentions() {
		out = append(out, m.exprs...)
	}
	return slices.DeleteFunc(out, func(e hcl.Expression) bool { return e == nil })
}

// bodyExpressions are a body's, those of its blocks too. bound are the iterators of the dynamic blocks around it.
func bodyExpressions(b *hclsyntax.Body, bound []string) []hcl.Expression {
	var out []hcl.Expression
	for _, a := range ordered(b) {
		out = append(out, within(a.Expr, bound))
	}
	for _, block := range b.Blocks {
		if block.Type != dynamicBlock {
			out = append(out, bodyExpressions(block.Body, bound)...)
			continue
		}
		d, _ := readDynamic(block)
		out = append(out, within(d.forEach, bound), within(d.labels, append(slices.Clone(bound), d.iterator)))
		if d.content != nil {
			out = append(out, bodyExpressions(d.content.Body, append(slices.Clone(bound), d.iterator))...)
		}
	}
	return slices.DeleteFunc(out, func(e hcl.Expression) bool { return e == nil })
}
