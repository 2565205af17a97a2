package eval

import (
	"fmt"

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
	// Steps and Outputs are in declared order.
	Steps     []*Step
	Outputs   []*Output
	DeclRange hcl.Range
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
	blocks: []string{"step", "output"},
	later:  []string{"concurrency", "on_failure", "finally"},
}

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
			s, more := readStep(b)
			diags = append(diags, more...)
			p.Steps = append(p.Steps, s)
		case "output":
			o, more := readOutput(b)
			diags = append(diags, more...)
			p.Outputs = append(p.Outputs, o)
		}
	}
	if len(p.Steps) == 0 && !diags.HasErrors() {
		diags = append(diags, &hcl.Diagnostic{
			Severity: hcl.DiagError,
			Summary:  "No steps",
			Detail:   fmt.Sprintf("Pipeline %q has nothing to do. Add a block `step \"TYPE\" \"NAME\" { … }`.", p.Name),
			Subject:  p.DeclRange.Ptr(),
		})
	}
	return p, diags
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
	for _, s := range p.Steps {
		if s.Name == name {
			return s
		}
	}
	return nil
}
