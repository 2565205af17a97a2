package eval

import (
	"fmt"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"

	"github.com/containerpub/cpub/sdk/schema"
)

// Reference is a mention of something by an expression: var.NAME, local.NAME, step.NAME.OUTPUT, step.NAME["KEY"].OUTPUT, each.ATTR,
// self.OUTPUT, run.ATTR, pipeline.ATTR, path.ATTR.
type Reference struct {
	Root string
	Name string
	// Attr is the output of a step, or empty when the step is meant as a whole. Indexed tells that an instance of it was named.
	Attr    string
	Indexed bool
	Range   hcl.Range
}

var roots = []string{"var", "local", "step", "each", "self", "run", "pipeline", "path"}

// reservedRoot tells the names that mean something in every expression.
func reservedRoot(name string) bool { return slices.Contains(roots, name) }

// references gives what the expressions mention, in source order. What cannot be a reference at all is reported.
func references(exprs ...hcl.Expression) (refs []Reference, diags hcl.Diagnostics) {
	for _, e := range exprs {
		if e == nil {
			continue
		}
		for _, t := range e.Variables() {
			r, d := reference(t)
			if d != nil {
				diags = append(diags, d)
				continue
			}
			refs = append(refs, r)
		}
	}
	slices.SortFunc(refs, func(a, b Reference) int {
		if a.Range.Filename != b.Range.Filename {
			if a.Range.Filename < b.Range.Filename {
				return -1
			}
			return 1
		}
		return a.Range.Start.Byte - b.Range.Start.Byte
	})
	return refs, Sort(diags)
}

func reference(t hcl.Traversal) (Reference, *hcl.Diagnostic) {
	r := Reference{Root: t.RootName(), Range: t.SourceRange()}
	wrong := func(detail string) (Reference, *hcl.Diagnostic) {
		return r, &hcl.Diagnostic{Severity: hcl.DiagError, Summary: "Wrong reference", Detail: detail, Subject: t.SourceRange().Ptr()}
	}
	if !reservedRoot(r.Root) {
		hint := didYouMean(r.Root, roots)
		if other := foreign(r.Root); other != "" {
			hint = " " + other
		}
		if hint == "" {
			hint = " A text needs quotes; values are named var.NAME, local.NAME and step.NAME.OUTPUT."
		}
		return wrong(fmt.Sprintf("There is nothing named %q.%s", r.Root, hint))
	}
	if len(t) < 2 {
		return wrong(fmt.Sprintf("%q is not a value by itself: write %s.", r.Root, example(r.Root)))
	}
	name, ok := t[1].(hcl.TraverseAttr)
	if !ok {
		return wrong(fmt.Sprintf("A name must follow %q: write %s.", r.Root, example(r.Root)))
	}
	r.Name = name.Name
	if r.Root == "step" {
		rest := t[2:]
		if len(rest) > 0 {
			if _, r.Indexed = rest[0].(hcl.TraverseIndex); r.Indexed {
				rest = rest[1:]
			}
		}
		if len(rest) > 0 {
			if attr, ok := rest[0].(hcl.TraverseAttr); ok {
				r.Attr = attr.Name
			}
		}
	}
	return r, nil
}

func example(root string) string {
	switch root {
	case "step":
		return "step.NAME.OUTPUT"
	case "each":
		return "each.key or each.value"
	case "self":
		return "self.OUTPUT"
	case "run":
		return "run.id or run.started_at"
	case "pipeline":
		return "pipeline.name"
	case "path":
		return "path.module"
	default:
		return root + ".NAME"
	}
}

// CheckReferences reports every mention of something that does not exist, in the pipeline and in the locals that it uses. Outputs are
// looked up with output, which gives a step type's outputs, or false for a type that is not known (and reported elsewhere).
func (m *Module) CheckReferences(p *Pipeline, output func(stepType string) (schema.Object, bool)) (diags hcl.Diagnostics) {
	c := referenceCheck{m: m, p: p, output: output, seen: map[localUse]bool{}}
	for _, s := range p.Steps {
		in := c
		in.section, in.owner = s.Section, s
		for _, group := range append(s.mentions(), s.undoing()) {
			in.may = group
			diags = append(diags, in.check(group.exprs)...)
		}
		for _, d := range s.DependsOn {
			diags = append(diags, in.step(Reference{Root: "step", Name: d.Name, Range: d.Range})...)
		}
	}
	for _, o := range p.Outputs {
		diags = append(diags, c.check([]hcl.Expression{o.Value})...)
	}
	diags = append(diags, c.check(p.settings())...)
	return Sort(diags)
}

// localUse is a local as seen from a section: what it may name differs between them.
type localUse struct {
	section Section
	name    string
}

type referenceCheck struct {
	m      *Module
	p      *Pipeline
	output func(string) (schema.Object, bool)
	seen   map[localUse]bool
	// section is where the expressions stand, may what they may name there.
	section Section
	may     mentions
	owner   *Step // whose expressions they are; nil: the pipeline's own
	// noSteps leaves references to steps alone: there is no pipeline to look them up in.
	noSteps bool
}

func (c referenceCheck) check(exprs []hcl.Expression) hcl.Diagnostics {
	refs, diags := references(exprs...)
	diags = c.bare(exprs, diags)
	for _, e := range exprs {
		diags = append(diags, checkFunctions(e)...)
		diags = append(diags, c.splats(e)...)
	}
	for _, r := range refs {
		switch r.Root {
		case "var":
			if c.m.Variable(r.Name) == nil {
				diags = append(diags, nothing(r, "variable", c.m.variableNames(), fmt.Sprintf("Declare it with `variable %q { … }`.", r.Name)))
			}
		case "local":
			diags = append(diags, c.local(r)...)
		case "step":
			diags = append(diags, c.step(r)...)
		case "each", "self":
			diags = append(diags, c.own(r)...)
		default:
			if r.Root == "run" && r.Name == "error" {
				diags = append(diags, c.runError(r)...)
				continue
			}
			if attrs := rootAttrs(r.Root); !slices.Contains(attrs, r.Name) {
				diags = append(diags, noAttr(r, attrs))
			}
		}
	}
	return diags
}

// bare tells of names without a root before them, that are steps or their types, how they are written.
func (c referenceCheck) bare(exprs []hcl.Expression, diags hcl.Diagnostics) hcl.Diagnostics {
	written := map[string]string{}
	for _, e := range exprs {
		if e == nil {
			continue
		}
		for _, t := range e.Variables() {
			rest := t[1:]
			name, isStep := t.RootName(), c.p.Step(t.RootName()) != nil
			if !isStep && len(rest) > 0 { // TYPE.NAME
				attr, _ := rest[0].(hcl.TraverseAttr)
				s := c.p.Step(attr.Name)
				if isStep = s != nil && s.Type == name; isStep {
					name, rest = attr.Name, rest[1:]
				}
			}
			if reservedRoot(t.RootName()) || !isStep {
				continue
			}
			form := "step." + name
			if len(rest) > 0 {
				if attr, ok := rest[0].(hcl.TraverseAttr); ok {
					form += "." + attr.Name
				}
			}
			written[t.SourceRange().String()] = form
		}
	}
	for _, d := range diags {
		if form := written[d.Subject.String()]; form != "" {
			d.Detail = fmt.Sprintf("What a step gives is named with step before it: write %s.", form)
		}
	}
	return diags
}

// splats reports step.NAME[*] of a step with for_each: its instances are the values of an object, which a splat takes for one thing.
func (c referenceCheck) splats(e hcl.Expression) (diags hcl.Diagnostics) {
	syntax := native(e)
	if syntax == nil || c.noSteps {
		return nil
	}
	_ = hclsyntax.VisitAll(syntax, func(n hclsyntax.Node) hcl.Diagnostics {
		splat, ok := n.(*hclsyntax.SplatExpr)
		if !ok {
			return nil
		}
		source, ok := hcl.UnwrapExpression(splat.Source).(*hclsyntax.ScopeTraversalExpr)
		if !ok || source.Traversal.RootName() != "step" || len(source.Traversal) != 2 {
			return nil
		}
		r, wrong := reference(source.Traversal)
		if s := c.p.Step(r.Name); wrong == nil && s != nil && s.ForEach != nil {
			diags = append(diags, &hcl.Diagnostic{
				Severity: hcl.DiagError, Summary: "Wrong reference",
				Detail:  fmt.Sprintf("The instances of step.%s are an object by key, no list. Write values(step.%s)[*].OUTPUT.", r.Name, r.Name),
				Subject: splat.Range().Ptr(),
			})
		}
		return nil
	})
	return diags
}

func rootAttrs(root string) []string {
	switch root {
	case "run":
		return []string{"id", "started_at"}
	case "pipeline":
		return []string{"name"}
	default:
		return []string{"module"}
	}
}

// own checks each.* and self.*.
func (c referenceCheck) own(r Reference) hcl.Diagnostics {
	wrong := func(detail string) hcl.Diagnostics {
		return hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "Wrong reference", Detail: detail, Subject: r.Range.Ptr()}}
	}
	switch {
	case r.Root == "each" && !c.may.each:
		return wrong("each.key and each.value are those of a step's instances: they need for_each in the step around them, and do not stand in for_each itself.")
	case r.Root == "each":
		if attrs := []string{"key", "value"}; !slices.Contains(attrs, r.Name) {
			return hcl.Diagnostics{noAttr(r, attrs)}
		}
		return nil
	case !c.may.self:
		return wrong("self means the step's own outputs: it stands in postcondition, until and compensate.")
	}
	return c.outputOf(c.owner, r, r.Name)
}

// runError checks run.error, which only what runs after a failure sees.
func (c referenceCheck) runError(r Reference) hcl.Diagnostics {
	if c.may.runError {
		return nil
	}
	return hcl.Diagnostics{{
		Severity: hcl.DiagError, Summary: "Wrong reference",
		Detail: "run.error is what the run failed with: it stands in the steps of on_failure and finally, and in compensate.", Subject: r.Range.Ptr(),
	}}
}

func noAttr(r Reference, attrs []string) *hcl.Diagnostic {
	return &hcl.Diagnostic{
		Severity: hcl.DiagError,
		Summary:  "Reference to nothing",
		Detail:   fmt.Sprintf("%q has no %q. There is: %s.", r.Root, r.Name, oneOf(attrs)),
		Subject:  r.Range.Ptr(),
	}
}

func (c referenceCheck) local(r Reference) hcl.Diagnostics {
	l := c.m.Local(r.Name)
	if l == nil {
		return hcl.Diagnostics{nothing(r, "local", c.m.localNames(), fmt.Sprintf("Declare it with `locals { %s = … }`.", r.Name))}
	}
	use := localUse{c.section, r.Name}
	if c.seen[use] {
		return nil
	}
	c.seen[use] = true
	c.may = mentions{} // a local is the same for all
	return c.check([]hcl.Expression{l.Expr})
}

func (c referenceCheck) step(r Reference) hcl.Diagnostics {
	if c.noSteps {
		return nil
	}
	s := c.p.Step(r.Name)
	if s == nil {
		var all []string
		for _, s := range c.p.Steps {
			all = append(all, s.Name)
		}
		return hcl.Diagnostics{nothing(r, "step", all, fmt.Sprintf("Pipeline %q has no step of that name.", c.p.Name))}
	}
	wrong := func(detail string) hcl.Diagnostics {
		return hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "Wrong reference", Detail: detail, Subject: r.Range.Ptr()}}
	}
	switch {
	case s.Section != Main && s.Section != c.section:
		return wrong(fmt.Sprintf("Step %q runs in %s, after this: it cannot be named here.", s.Name, s.Section))
	case r.Indexed && s.ForEach == nil:
		return wrong(fmt.Sprintf("step.%s has no instances, since it has no for_each. Write step.%s.OUTPUT.", r.Name, r.Name))
	case r.Attr != "" && !r.Indexed && s.ForEach != nil:
		return wrong(fmt.Sprintf("step.%s has an instance for each element of its for_each. Name one, as in step.%s[\"KEY\"].%s, or all: [for key, one in step.%s : one.%s].",
			r.Name, r.Name, r.Attr, r.Name, r.Attr))
	}
	return c.outputOf(s, r, r.Attr)
}

// outputOf checks the name of an output.
func (c referenceCheck) outputOf(s *Step, r Reference, attr string) hcl.Diagnostics {
	if attr == "" || attr == "status" {
		return nil
	}
	out, ok := c.output(s.Type)
	if !ok {
		return nil
	}
	var all []string
	for _, a := range out.Attrs {
		all = append(all, a.Name)
	}
	for _, b := range out.Blocks {
		all = append(all, b.Name)
	}
	if slices.Contains(all, attr) {
		return nil
	}
	hint := didYouMean(attr, all)
	if hint == "" {
		hint = fmt.Sprintf(" It has: %s, and status.", oneOf(all))
	}
	return hcl.Diagnostics{{
		Severity: hcl.DiagError,
		Summary:  "Reference to nothing",
		Detail:   fmt.Sprintf("Step %q (%s) has no output %q.%s", s.Name, s.Type, attr, hint),
		Subject:  r.Range.Ptr(),
	}}
}

func nothing(r Reference, kind string, candidates []string, remedy string) *hcl.Diagnostic {
	if hint := didYouMean(r.Name, candidates); hint != "" {
		remedy = hint[1:]
	}
	return &hcl.Diagnostic{
		Severity: hcl.DiagError,
		Summary:  "Reference to nothing",
		Detail:   fmt.Sprintf("There is no %s %q. %s", kind, r.Name, remedy),
		Subject:  r.Range.Ptr(),
	}
}

func (m *Module) variableNames() (out []string) {
	for _, v := range m.Variables {
		out = append(out, v.Name)
	}
	return out
}

func (m *Module) localNames() (out []string) {
	for _, l := range m.Locals {
		out = append(out, l.Name)
	}
	return out
}
