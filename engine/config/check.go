package config

import (
	"fmt"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/containerpub/cpub/engine/eval"
	"github.com/containerpub/cpub/sdk/schema"
)

// check looks at everything that needs the step types' schemas. Variables, steps and the run are unknown to it, but have their types.
func (m *Module) check(files eval.Files) (diags hcl.Diagnostics) {
	diags = m.CheckLocals()
	diags = append(diags, m.CheckVariables()...)
	known := slices.Clone(diags)
	for _, p := range m.Pipelines {
		diags = append(diags, m.checkPipeline(p, known, files)...)
	}
	if m.Broken {
		diags = slices.DeleteFunc(diags, mayBeUnread)
	}
	return eval.Sort(diags)
}

// mayBeUnread tells diagnostics about something missing, which after a syntax error may well be there.
func mayBeUnread(d *hcl.Diagnostic) bool {
	return strings.HasPrefix(d.Summary, "Missing") || d.Summary == "Reference to nothing" || d.Summary == "Wrong reference"
}

func (m *Module) checkPipeline(p *eval.Pipeline, known hcl.Diagnostics, files eval.Files) hcl.Diagnostics {
	known = append(slices.Clone(known), m.CheckReferences(p, func(stepType string) (schema.Object, bool) {
		offer, ok := m.schemas[stepType]
		return offer.Step.Output, ok
	})...)
	known = append(known, m.CheckCycles(p)...)
	for _, s := range p.Steps {
		for _, one := range withCompensate(s) {
			known = append(known, m.checkType(one)...)
			known = append(known, m.checkKinds(p, one)...)
		}
		known = append(known, m.checkCallee(p, s)...)
	}
	more := m.evaluateAll(p, m.UnknownSteps(p), eval.Inputs{Files: files})
	more = append(more, m.Scope(p, eval.Inputs{Files: files}).Prefetch()...)
	return append(known, eval.Apart(known, more)...)
}

// evaluateAll evaluates everything in a pipeline and keeps nothing but the diagnostics.
func (m *Module) evaluateAll(p *eval.Pipeline, steps map[string]cty.Value, in eval.Inputs) (diags hcl.Diagnostics) {
	in.Steps = steps
	_, more := m.Scope(p, in).Pipeline()
	diags = append(diags, more...)
	for _, s := range p.Steps {
		diags = append(diags, m.evaluateStep(p, s, in)...)
	}
	for _, o := range p.Outputs {
		_, more := m.Scope(p, in).Output(o)
		diags = append(diags, more...)
	}
	return eval.Sort(diags)
}

// withCompensate gives a step and what undoes it.
func withCompensate(s *eval.Step) []*eval.Step {
	if s.Compensate == nil {
		return []*eval.Step{s}
	}
	return []*eval.Step{s, s.Compensate}
}

// evaluateStep evaluates everything in a step as any instance of it would.
func (m *Module) evaluateStep(p *eval.Pipeline, s *eval.Step, in eval.Inputs) (diags hcl.Diagnostics) {
	if s.Section != eval.Main {
		in.RunError = eval.UnknownError()
	}
	if s.ForEach != nil {
		all, more := m.Scope(p, in).ForEach(s)
		diags = append(diags, more...)
		in.Each = all.AnyEach()
	}
	_, more := m.Scope(p, in).When(s)
	diags = append(diags, more...)
	diags = append(diags, m.conditions(p, s.Preconditions, in)...)
	offer, known := m.schemas[s.Type]
	in.Self = cty.DynamicVal
	if known {
		call, more := m.Scope(p, in).Step(s, offer.Step.Input)
		diags = append(diags, more...)
		if s.Callee != nil && !more.HasErrors() {
			diags = append(diags, m.checkCallVariables(s, call.Input)...)
		}
		in.Self = eval.UnknownStep(offer.Step.Output)
	}
	diags = append(diags, m.conditions(p, s.Postconditions, in)...)
	if s.Until != nil {
		_, more = m.Scope(p, in).Until(s.Until)
		diags = append(diags, more...)
	}
	if c := s.Compensate; c != nil {
		in.RunError = eval.UnknownError()
		if offer, known := m.schemas[c.Type]; known {
			_, more = m.Scope(p, in).Step(c, offer.Step.Input)
			diags = append(diags, more...)
		}
	}
	return diags
}

// conditions evaluates conditions; one that is known not to hold is no mistake, but a run that will fail.
func (m *Module) conditions(p *eval.Pipeline, all []*eval.Condition, in eval.Inputs) (diags hcl.Diagnostics) {
	for _, c := range all {
		scope := m.Scope(p, in)
		if c.Condition != nil {
			_, more := scope.Condition(c.Condition)
			diags = append(diags, more...)
		}
		if c.Message != nil {
			_, more := scope.Value(c.Message, cty.String)
			diags = append(diags, more...)
		}
	}
	return eval.Sort(diags)
}

// UnknownSteps gives the steps of a pipeline before any of them ran. Those of unknown types are left out.
func (m *Module) UnknownSteps(p *eval.Pipeline) map[string]cty.Value {
	steps := map[string]cty.Value{}
	for _, s := range p.Steps {
		if offer, ok := m.schemas[s.Type]; ok {
			steps[s.Name] = eval.UnknownStep(offer.Step.Output)
			if s.ForEach != nil {
				steps[s.Name] = eval.UnknownInstances(steps[s.Name])
			}
		}
	}
	return steps
}

func (m *Module) checkType(s *eval.Step) hcl.Diagnostics {
	if s.Type == "" {
		return nil // told with its labels
	}
	offer, ok := m.schemas[s.Type]
	if !ok {
		hint := eval.Suggest(s.Type, m.schemas.names())
		if hint != "" {
			hint = fmt.Sprintf("Did you mean %q?", hint)
		} else {
			hint = fmt.Sprintf("There are: %s.", strings.Join(m.schemas.names(), ", "))
		}
		return hcl.Diagnostics{{
			Severity: hcl.DiagError, Summary: "Unknown step type", Detail: fmt.Sprintf("No provider offers the step type %q. %s", s.Type, hint), Subject: s.TypeRange.Ptr(),
		}}
	}
	provider, _, _ := strings.Cut(s.Provider, ".")
	if provider == "" || len(offer.Providers) == 0 || slices.Contains(offer.Providers, provider) {
		return m.checkServed(s, provider, offer)
	}
	return hcl.Diagnostics{{
		Severity: hcl.DiagError, Summary: "Wrong provider",
		Detail:  fmt.Sprintf("The provider %q does not offer %s. Offered by: %s.", provider, s.Type, strings.Join(offer.Providers, ", ")),
		Subject: s.ProviderRange.Ptr(),
	}}
}

// checkServed reports what the step uses of its type that the provider which it names does not serve: abilities that a provider may leave out.
func (m *Module) checkServed(s *eval.Step, provider string, offer Offer) (diags hcl.Diagnostics) {
	shape, known := offer.Shapes[provider]
	if !known {
		return nil
	}
	for _, used := range s.Uses() {
		has := func(o schema.Object) bool { return o.Attr(used.Name) != nil || o.Block(used.Name) != nil }
		if has(shape.Input) || !has(offer.Step.Input) {
			continue // what nobody has is told where the body is decoded
		}
		diags = append(diags, &hcl.Diagnostic{
			Severity: hcl.DiagError, Summary: "Not served by this provider",
			Detail:  fmt.Sprintf("The provider %q serves %s without %q. Leave it out, or name another provider.", provider, s.Type, used.Name),
			Subject: used.Range.Ptr(),
		})
	}
	return diags
}

// checkKinds tells files from directories, which have one type: where an attribute is directly another step's output, both sides
// say which they are.
func (m *Module) checkKinds(p *eval.Pipeline, s *eval.Step) (diags hcl.Diagnostics) {
	for _, a := range m.schemas[s.Type].Step.Input.Attrs {
		set, ok := s.Body.Attributes[a.Name]
		if !ok || a.Format != schema.FormatFile && a.Format != schema.FormatDirectory {
			continue
		}
		t, notPlain := hcl.AbsTraversalForExpr(set.Expr)
		if notPlain.HasErrors() || len(t) != 3 || t.RootName() != "step" {
			continue
		}
		name, _ := t[1].(hcl.TraverseAttr)
		output, _ := t[2].(hcl.TraverseAttr)
		source := p.Step(name.Name)
		if source == nil {
			continue
		}
		made := m.schemas[source.Type].Step.Output.Attr(output.Name)
		if made == nil || made.Format == a.Format || made.Format == schema.FormatNone || made.Format == schema.FormatArtifact {
			continue
		}
		diags = append(diags, &hcl.Diagnostic{
			Severity: hcl.DiagError, Summary: "Wrong value",
			Detail:  fmt.Sprintf("%q takes a %s; step.%s.%s is a %s.", a.Name, a.Format, source.Name, output.Name, made.Format),
			Subject: set.Expr.Range().Ptr(), Context: set.SrcRange.Ptr(),
		})
	}
	return diags
}
