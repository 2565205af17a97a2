package config

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/containerpub/cpub/engine"
	"github.com/containerpub/cpub/engine/eval"
)

// maxSources is how deep modules may name each other.
const maxSources = 8

// Callees gives the plans that a plan's steps of the type `pipeline` run, those that these run too, each once.
func (m *Module) Callees(plan *engine.Plan) (out []*engine.Plan) {
	seen := map[string]bool{}
	var walk func(*engine.Plan)
	walk = func(p *engine.Plan) {
		for _, s := range p.Steps {
			if callee := m.callees[s.Callee]; callee != nil && !seen[s.Callee] {
				seen[s.Callee] = true
				walk(callee)
				out = append(out, callee)
			}
		}
	}
	walk(plan)
	return out
}

// loadSources reads the modules that steps name with `source`.
func (m *Module) loadSources(ctx context.Context, opts Options, from []string) (diags hcl.Diagnostics) {
	self, err := filepath.Abs(m.Dir)
	if err != nil {
		return failed(err)
	}
	for _, p := range m.Pipelines {
		for _, s := range p.Steps {
			if s.Callee != nil && s.Callee.Source != "" {
				diags = append(diags, m.loadSource(ctx, s.Callee, opts, append(slices.Clone(from), self))...)
			}
		}
	}
	return diags
}

// loadSource reads one of them.
func (m *Module) loadSource(ctx context.Context, c *eval.Callee, opts Options, from []string) hcl.Diagnostics {
	if m.sources[c.Source] != nil {
		return nil
	}
	wrong := func(format string, args ...any) hcl.Diagnostics {
		return hcl.Diagnostics{{
			Severity: hcl.DiagError, Summary: "Wrong source", Detail: fmt.Sprintf(format, args...), Subject: c.SourceRange.Ptr(),
		}}
	}
	if path.IsAbs(c.Source) || !strings.HasPrefix(c.Source, "./") && !strings.HasPrefix(c.Source, "../") {
		return wrong("source takes a folder relative to this module, such as \"./lib\"; this is %q.", c.Source)
	}
	dir := filepath.Join(from[len(from)-1], filepath.FromSlash(c.Source))
	switch {
	case dir == from[len(from)-1]:
		return wrong("This is the folder of this module itself. Leave source out.")
	case slices.Contains(from, dir):
		return wrong("The modules name each other: %s is on the way here.", c.Source)
	case len(from) >= maxSources:
		return wrong("Modules may name each other %d deep.", maxSources)
	}
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		return wrong("There is no folder %q beside this module's files.", c.Source)
	}
	module, diags := load(ctx, dir, m.schemas, opts, from)
	if !diags.HasErrors() {
		m.sources[c.Source] = module
		maps.Copy(m.callees, module.callees)
		return nil
	}
	first := diags[0]
	where := c.Source
	if first.Subject != nil {
		where = fmt.Sprintf("%s:%d", path.Join(c.Source, first.Subject.Filename), first.Subject.Start.Line)
	}
	return wrong("The module in %q has mistakes; `cpub validate %s` shows them all. The first: %s: %s: %s", c.Source, c.Source, where, first.Summary, first.Detail)
}

// called finds the pipeline that a step runs, and its module. It is nil where there is none; that is told by checkCallee.
func (m *Module) called(c *eval.Callee) (*Module, *eval.Pipeline) {
	module := m
	if c.Source != "" {
		if module = m.sources[c.Source]; module == nil {
			return nil, nil
		}
	}
	return module, module.Pipeline(c.Pipeline)
}

// callee gives the digest of the plan that a step runs.
func (m *Module) callee(s *eval.Step, files []eval.File, made map[string]*engine.Plan) (digest string, diags hcl.Diagnostics) {
	module, p := m.called(s.Callee)
	if p == nil {
		return "", nil // told by checkCallee
	}
	var plan *engine.Plan
	if module == m {
		if diags := m.makePlan(p, files, made); diags.HasErrors() {
			return "", diags
		}
		plan = made[p.Name]
	} else {
		plan = module.Plan(p.Name)
	}
	_, digest, err := plan.Encode()
	if err != nil {
		return "", failed(err)
	}
	m.callees[digest] = plan
	return digest, nil
}

// checkCallee checks that the pipeline exists that a step runs, and that it does not lead back here.
func (m *Module) checkCallee(p *eval.Pipeline, s *eval.Step) hcl.Diagnostics {
	if s.Callee == nil || s.Callee.Pipeline == "" {
		return nil
	}
	wrong := func(format string, args ...any) hcl.Diagnostics {
		return hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "Wrong pipeline", Detail: fmt.Sprintf(format, args...), Subject: s.Callee.Range.Ptr()}}
	}
	module, called := m.called(s.Callee)
	switch {
	case module == nil:
		return nil
	case called == nil:
		var names []string
		for _, other := range module.Pipelines {
			names = append(names, other.Name)
		}
		hint := fmt.Sprintf("There are: %s.", strings.Join(names, ", "))
		if near := eval.Suggest(s.Callee.Pipeline, names); near != "" {
			hint = fmt.Sprintf("Did you mean %q?", near)
		}
		return wrong("The module has no pipeline %q. %s", s.Callee.Pipeline, hint)
	case module == m:
		if chain := m.leadsTo(called, p, map[*eval.Pipeline]bool{}); chain != nil {
			return wrong("A pipeline cannot run itself: %s -> %s. Use for_each or until.", p.Name, strings.Join(chain, " -> "))
		}
	}
	return nil
}

// leadsTo gives the way by which one pipeline of the module calls another, or nil.
func (m *Module) leadsTo(from, to *eval.Pipeline, seen map[*eval.Pipeline]bool) []string {
	if from == to {
		return []string{to.Name}
	}
	if seen[from] {
		return nil
	}
	seen[from] = true
	for _, s := range from.Steps {
		if s.Callee == nil || s.Callee.Source != "" {
			continue
		}
		if next := m.Pipeline(s.Callee.Pipeline); next != nil {
			if way := m.leadsTo(next, to, seen); way != nil {
				return append([]string{from.Name}, way...)
			}
		}
	}
	return nil
}

// checkCallVariables holds the variables that a step gives a pipeline against those that it has.
func (m *Module) checkCallVariables(s *eval.Step, input cty.Value) (diags hcl.Diagnostics) {
	module, called := m.called(s.Callee)
	if called == nil {
		return nil
	}
	given := eval.Plain(input.GetAttr("variables"))
	at := s.DeclRange
	if a := s.Body.Attributes["variables"]; a != nil {
		at = a.Expr.Range()
	}
	wrong := func(format string, args ...any) {
		diags = append(diags, &hcl.Diagnostic{Severity: hcl.DiagError, Summary: "Wrong variables", Detail: fmt.Sprintf(format, args...), Subject: at.Ptr()})
	}
	if given.IsNull() {
		given = cty.EmptyObjectVal
	}
	t := given.Type()
	switch {
	case t == cty.DynamicPseudoType || t.IsMapType():
		return nil // known when it runs
	case !t.IsObjectType():
		wrong("variables takes an object, such as { name = \"x\" }.")
		return diags
	}
	var names []string
	for _, v := range module.Variables {
		names = append(names, v.Name)
		if !t.HasAttribute(v.Name) && v.Default == cty.NilVal {
			wrong("Pipeline %q needs the variable %q.", called.Name, v.Name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(t.AttributeTypes())) {
		if slices.Contains(names, name) {
			continue
		}
		hint := ""
		if near := eval.Suggest(name, names); near != "" {
			hint = fmt.Sprintf(" Did you mean %q?", near)
		}
		wrong("Pipeline %q has no variable %q.%s", called.Name, name, hint)
	}
	if diags.HasErrors() || !given.IsWhollyKnown() {
		return diags
	}
	if data, err := eval.JSON(given); err == nil { // what cannot be handed over is told when it is
		if _, more := module.DecodeVariables(data); more.HasErrors() {
			wrong("Pipeline %q does not take these variables: %s: %s", called.Name, more[0].Summary, more[0].Detail)
		}
	}
	return diags
}
