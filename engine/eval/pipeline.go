package eval

import (
	"fmt"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// Pipeline is a `pipeline` block.
type Pipeline struct {
	Name        string
	Description string
	// Timeout, Labels and MaxParallel are nil when not set. Scope.Pipeline evaluates them.
	Timeout     hcl.Expression
	Labels      hcl.Expression
	MaxParallel hcl.Expression
	// Concurrency is nil when there is no such block.
	Concurrency *Concurrency
	// Steps and Outputs are in declared order: the steps of on_failure and finally come after the others.
	Steps     []*Step
	Outputs   []*Output
	DeclRange hcl.Range

	places map[string]int // where the steps are, by name
}

// Output is an `output` block of a pipeline.
type Output struct {
	Name        string
	Description string
	Sensitive   bool
	Value       hcl.Expression
	DeclRange   hcl.Range
}

var pipelineGrammar = grammar{
	what:   "a pipeline",
	attrs:  []string{"description", "timeout", "labels", "max_parallel"},
	blocks: []string{"step", "output", "concurrency", "on_failure", "finally"},
}

// Concurrency is a pipeline's `concurrency` block: so many runs with one key at once.
type Concurrency struct {
	// Key, Limit and OnLimit are nil when not set.
	Key       hcl.Expression
	Limit     hcl.Expression
	OnLimit   hcl.Expression
	DeclRange hcl.Range
}

var concurrencyGrammar = grammar{what: "a concurrency block", attrs: []string{"key", "limit", "on_limit"}}

var outputGrammar = grammar{what: "an output", attrs: []string{"value", "description", "sensitive"}}

func readPipeline(block *hclsyntax.Block) (*Pipeline, hcl.Diagnostics) {
	diags := labels(block, "NAME")
	diags = append(diags, pipelineGrammar.check(block.Body)...)
	p := &Pipeline{
		Timeout:     expression(block.Body, "timeout"),
		Labels:      expression(block.Body, "labels"),
		MaxParallel: expression(block.Body, "max_parallel"),
		DeclRange:   block.DefRange(),
	}
	if len(block.Labels) > 0 {
		p.Name = block.Labels[0]
	}
	var more hcl.Diagnostics
	p.Description, more = literalString(block.Body, "description")
	diags = append(diags, more...)
	for _, b := range block.Body.Blocks {
		switch b.Type {
		case "step":
			s, more := readStep(b, Main)
			diags = append(diags, more...)
			p.Steps = append(p.Steps, s)
		case "output":
			o, more := readOutput(b)
			diags = append(diags, more...)
			p.Outputs = append(p.Outputs, o)
		}
	}
	p.Concurrency, more = readConcurrency(block.Body)
	diags = append(diags, more...)
	empty := len(p.Steps) == 0
	for _, section := range []Section{OnFailure, Finally} {
		diags = append(diags, p.readSection(block.Body, section)...)
	}
	if empty && !diags.HasErrors() {
		diags = append(diags, &hcl.Diagnostic{
			Severity: hcl.DiagError,
			Summary:  "No steps",
			Detail:   fmt.Sprintf("Pipeline %q has nothing to do. Add a block `step \"TYPE\" \"NAME\" { … }`.", p.Name),
			Subject:  p.DeclRange.Ptr(),
		})
	}
	p.index()
	return p, diags
}

// readSection reads the steps of on_failure or finally.
func (p *Pipeline) readSection(b *hclsyntax.Body, section Section) hcl.Diagnostics {
	block, diags := single(b, string(section))
	if block == nil {
		return diags
	}
	diags = append(diags, labels(block)...)
	diags = append(diags, grammar{what: fmt.Sprintf("the block %q", section), blocks: []string{"step"}}.check(block.Body)...)
	for _, inner := range block.Body.Blocks {
		if inner.Type != "step" {
			continue
		}
		s, more := readStep(inner, section)
		diags = append(diags, more...)
		p.Steps = append(p.Steps, s)
	}
	return diags
}

func readConcurrency(b *hclsyntax.Body) (*Concurrency, hcl.Diagnostics) {
	block, diags := single(b, "concurrency")
	if block == nil {
		return nil, diags
	}
	diags = append(diags, labels(block)...)
	diags = append(diags, concurrencyGrammar.check(block.Body)...)
	diags = append(diags, required(block.Body, block.DefRange(), "a concurrency block", "key")...)
	return &Concurrency{
		Key: expression(block.Body, "key"), Limit: expression(block.Body, "limit"), OnLimit: expression(block.Body, "on_limit"), DeclRange: block.DefRange(),
	}, diags
}

// settings are the pipeline's own expressions; some may be nil.
func (p *Pipeline) settings() []hcl.Expression {
	out := []hcl.Expression{p.Timeout, p.MaxParallel, p.Labels}
	if c := p.Concurrency; c != nil {
		out = append(out, c.Key, c.Limit, c.OnLimit)
	}
	return out
}

func readOutput(b *hclsyntax.Block) (*Output, hcl.Diagnostics) {
	diags := labels(b, "NAME")
	diags = append(diags, outputGrammar.check(b.Body)...)
	diags = append(diags, required(b.Body, b.DefRange(), "an output", "value")...)
	o := &Output{Value: expression(b.Body, "value"), DeclRange: b.DefRange()}
	if len(b.Labels) > 0 {
		o.Name = b.Labels[0]
	}
	var more hcl.Diagnostics
	o.Description, more = literalString(b.Body, "description")
	diags = append(diags, more...)
	sensitive, more := literal(b.Body, "sensitive", cty.Bool)
	diags = append(diags, more...)
	o.Sensitive = !sensitive.IsNull() && sensitive.True()
	return o, diags
}

// Step returns the step of that name, or nil.
func (p *Pipeline) Step(name string) *Step {
	if i := p.place(name); i >= 0 {
		return p.Steps[i]
	}
	return nil
}

// place is a step's index, that of the first of its name; -1: there is none.
func (p *Pipeline) place(name string) int {
	if i, ok := p.places[name]; ok && i < len(p.Steps) && p.Steps[i].Name == name {
		return i
	}
	return slices.IndexFunc(p.Steps, func(s *Step) bool { return s.Name == name })
}

// index notes where the steps are, for modules of thousands of them.
func (p *Pipeline) index() {
	p.places = make(map[string]int, len(p.Steps))
	for i, s := range slices.Backward(p.Steps) {
		p.places[s.Name] = i
	}
}
