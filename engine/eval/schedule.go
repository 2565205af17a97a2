package eval

import (
	"fmt"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"
)

// Schedule is a `schedule` block: when a pipeline is to be run, and with which variables.
type Schedule struct {
	Name        string
	Description string
	// Pipeline is the pipeline's name, and PipelineRange the name's place.
	Pipeline      string
	PipelineRange hcl.Range
	DeclRange     hcl.Range

	exprs map[string]hcl.Expression // those that are evaluated, by name, where set
}

var scheduleGrammar = grammar{
	what: "a schedule",
	attrs: []string{
		"pipeline", "cron", "interval", "offset", "timezone", "variables", "overlap", "jitter", "catchup_window", "pause_on_failure", "paused", "description",
	},
}

// scheduleExprs are the attributes that Scope.Schedule evaluates.
var scheduleExprs = []string{
	"cron", "interval", "offset", "timezone", "variables", "overlap", "jitter", "catchup_window", "pause_on_failure", "paused",
}

func readSchedule(block *hclsyntax.Block) (*Schedule, hcl.Diagnostics) {
	diags := labels(block, "NAME")
	diags = append(diags, scheduleGrammar.check(block.Body)...)
	diags = append(diags, required(block.Body, block.DefRange(), "a schedule", "pipeline")...)
	s := &Schedule{DeclRange: block.DefRange(), PipelineRange: block.DefRange(), exprs: map[string]hcl.Expression{}}
	if len(block.Labels) > 0 {
		s.Name = block.Labels[0]
	}
	if a, ok := block.Body.Attributes["pipeline"]; ok {
		s.PipelineRange = a.Expr.Range()
	}
	var more hcl.Diagnostics
	s.Description, more = literalString(block.Body, "description")
	diags = append(diags, more...)
	s.Pipeline, more = literalString(block.Body, "pipeline")
	diags = append(diags, more...)
	for _, name := range scheduleExprs {
		if e := expression(block.Body, name); e != nil {
			s.exprs[name] = e
		}
	}
	return s, diags
}

// expressions are those that are evaluated, in the order of scheduleExprs.
func (s *Schedule) expressions() (out []hcl.Expression) {
	for _, name := range scheduleExprs {
		if e := s.exprs[name]; e != nil {
			out = append(out, e)
		}
	}
	return out
}

// Range is the place of an attribute's value, or that of the block where it is not set.
func (s *Schedule) Range(name string) hcl.Range {
	if e := s.exprs[name]; e != nil {
		return e.Range()
	}
	return s.DeclRange
}

// CheckSchedule reports every mention of what a schedule cannot know, and of what does not exist: it is applied before any run begins, so it
// has no variables and no steps.
func (m *Module) CheckSchedule(s *Schedule) (diags hcl.Diagnostics) {
	refs, _ := references(s.expressions()...)
	for _, r := range refs {
		what := r.Root + "." + r.Name
		switch r.Root {
		case "path":
			continue
		case "local":
			root, found := m.beyondLocals(r, map[string]bool{})
			if !found {
				continue
			}
			what = fmt.Sprintf("%s, which %s refers to,", root.Root+"."+root.Name, what)
		}
		diags = append(diags, &hcl.Diagnostic{
			Severity: hcl.DiagError, Summary: "Wrong reference",
			Detail:  fmt.Sprintf("A schedule is applied before any run of it begins: %s is not known to it. Write the value itself, or a local made of such values.", what),
			Subject: r.Range.Ptr(),
		})
	}
	c := referenceCheck{m: m, p: &Pipeline{}, seen: map[localUse]bool{}, noSteps: true}
	return Sort(append(diags, Apart(diags, c.check(s.expressions()))...))
}

// beyondLocals finds what a local needs that is neither a local nor known to everyone.
func (m *Module) beyondLocals(r Reference, seen map[string]bool) (Reference, bool) {
	l := m.Local(r.Name)
	if l == nil || seen[r.Name] {
		return Reference{}, false
	}
	seen[r.Name] = true
	refs, _ := references(l.Expr)
	for _, inner := range refs {
		if inner.Root == "local" {
			if beyond, found := m.beyondLocals(inner, seen); found {
				return beyond, true
			}
			continue
		}
		if inner.Root != "path" {
			return inner, true
		}
	}
	return Reference{}, false
}

// ScheduleCall is a schedule as evaluated. What is not set is zero.
type ScheduleCall struct {
	Cron     []CronText
	Interval time.Duration
	Offset   time.Duration
	Timezone string
	Overlap  string
	Jitter   time.Duration
	// CatchupWindow is how late a run may be that could not be started in time.
	CatchupWindow  time.Duration
	PauseOnFailure bool
	// Paused is nil where the file does not say.
	Paused *bool
	// Variables are those that the runs are given, by name.
	Variables map[string]Given
}

// CronText is one text of `cron`.
type CronText struct {
	Text  string
	Range hcl.Range
}

// Schedule evaluates a schedule. All of it is known, or an error.
func (s *Scope) Schedule(b *Schedule) (c ScheduleCall, diags hcl.Diagnostics) {
	duration := func(name string, into *time.Duration) {
		if v := s.scheduled(b, name, cty.String, &diags); !v.IsNull() {
			var more hcl.Diagnostics
			*into, more = s.duration(name, b.exprs[name])
			diags = append(diags, more...)
		}
	}
	text := func(name string, into *string) {
		if v := s.scheduled(b, name, cty.String, &diags); !v.IsNull() {
			if *into = v.AsString(); *into == "" {
				diags = append(diags, s.badMeta(b.exprs[name], name, "must have a text; it is empty."))
			}
		}
	}
	var more hcl.Diagnostics
	c.Cron, more = s.cron(b)
	diags = append(diags, more...)
	duration("interval", &c.Interval)
	duration("offset", &c.Offset)
	duration("jitter", &c.Jitter)
	duration("catchup_window", &c.CatchupWindow)
	text("timezone", &c.Timezone)
	text("overlap", &c.Overlap)
	if v := s.scheduled(b, "pause_on_failure", cty.Bool, &diags); !v.IsNull() {
		c.PauseOnFailure = v.True()
	}
	if v := s.scheduled(b, "paused", cty.Bool, &diags); !v.IsNull() {
		paused := v.True()
		c.Paused = &paused
	}
	c.Variables, more = s.scheduledVariables(b)
	return c, Sort(append(diags, more...))
}

// scheduled evaluates an attribute of a schedule. It gives null where that is not set, wrong, or not known.
func (s *Scope) scheduled(b *Schedule, name string, want cty.Type, diags *hcl.Diagnostics) cty.Value {
	expr := b.exprs[name]
	v, known, more := s.meta(name, expr, want)
	if !known && expr != nil && !more.HasErrors() && (!v.IsKnown() || !v.IsNull()) {
		more = append(more, s.badMeta(expr, name, "must be known before any run begins."))
	}
	*diags = append(*diags, more...)
	if !known || more.HasErrors() {
		return cty.NullVal(want)
	}
	return v
}

// cron reads `cron`, a text or a list of them.
func (s *Scope) cron(b *Schedule) (out []CronText, diags hcl.Diagnostics) {
	expr := b.exprs["cron"]
	v := s.scheduled(b, "cron", cty.DynamicPseudoType, &diags)
	if v.IsNull() {
		return nil, diags
	}
	if v.Type() == cty.String {
		return []CronText{{v.AsString(), expr.Range()}}, diags
	}
	places, static := hcl.ExprList(expr)
	list, err := convertTo(v, cty.List(cty.String))
	if err != nil || !list.IsWhollyKnown() || list.LengthInt() == 0 {
		return nil, hcl.Diagnostics{s.badMeta(expr, "cron", "takes a text, such as \"0 2 * * *\", or a list of them.")}
	}
	for i, e := range list.AsValueSlice() {
		at := expr.Range()
		if !static.HasErrors() && i < len(places) {
			at = places[i].Range()
		}
		if e.IsNull() {
			diags = append(diags, s.badMeta(expr, "cron", "takes texts, and one of these is null."))
			continue
		}
		out = append(out, CronText{e.AsString(), at})
	}
	return out, diags
}

// scheduledVariables reads `variables`, an object by name.
func (s *Scope) scheduledVariables(b *Schedule) (map[string]Given, hcl.Diagnostics) {
	var diags hcl.Diagnostics
	expr := b.exprs["variables"]
	v := s.scheduled(b, "variables", cty.DynamicPseudoType, &diags)
	if v.IsNull() {
		return nil, diags
	}
	if t := v.Type(); !t.IsObjectType() && !t.IsMapType() {
		return nil, append(diags, s.badMeta(expr, "variables", "takes an object, such as { name = \"x\" }."))
	}
	places := map[string]hcl.Range{}
	if pairs, more := hcl.ExprMap(expr); !more.HasErrors() {
		for _, pair := range pairs {
			if name := hcl.ExprAsKeyword(pair.Key); name != "" {
				places[name] = pair.Value.Range()
			}
		}
	}
	out := map[string]Given{}
	for it := v.ElementIterator(); it.Next(); {
		key, value := it.Element()
		name := key.AsString()
		at, ok := places[name]
		if !ok {
			at = expr.Range()
		}
		if !value.IsWhollyKnown() {
			diags = append(diags, &hcl.Diagnostic{
				Severity: hcl.DiagError, Summary: "Wrong value", Detail: fmt.Sprintf("The value of %q must be known before any run begins.", name), Subject: at.Ptr(),
			})
			continue
		}
		out[name] = Given{Value: value, Range: &at}
	}
	return out, diags
}
