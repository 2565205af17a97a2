package eval

import (
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// Inputs are what a pipeline's expressions see. What is missing is unknown: the same evaluation then checks what can be checked.
type Inputs struct {
	// Variables is the object that Module.DecodeVariables gives; cty.NilVal makes every variable an unknown of its type.
	Variables cty.Value
	// Steps are the steps' values by name, made by Shape and UnknownStep. A step that is not in it is unknown.
	Steps map[string]cty.Value
	// Each is an object of key and value in an instance of a step with for_each, Self what the step itself gave, RunError why the run failed
	// (null: it did not). cty.NilVal: there is no such thing here.
	Each     cty.Value
	Self     cty.Value
	RunError cty.Value
	// RunID and StartedAt (RFC 3339) are unknown when empty.
	RunID     string
	StartedAt string
	// Files serves file() and its kin; nil has none.
	Files Files
}

// Scope evaluates expressions of one pipeline against one set of inputs. It is cheap to make and has one budget: make one for each
// step that is evaluated. Not for concurrent use.
type Scope struct {
	module       *Module
	pipeline     *Pipeline
	in           Inputs
	meter        *meter
	functions    map[string]function.Function // those that were called
	allFunctions bool
	locals       map[string]*localValue
	constant     bool
	names        map[string]cty.Value // all that can be named, where it is not what a pipeline's expressions see
	iterators    map[string]cty.Value // of the dynamic blocks around what is evaluated
}

type localValue struct {
	value cty.Value
	diags hcl.Diagnostics
	open  bool // being evaluated
}

// Scope gives the scope of a pipeline of the module.
func (m *Module) Scope(p *Pipeline, in Inputs) *Scope {
	return &Scope{module: m, pipeline: p, in: in, meter: &meter{}, locals: map[string]*localValue{}}
}

// Constants gives a scope in which nothing can be referred to: for files that have no variables and steps, such as worker.hcl.
func Constants() *Scope {
	s := (&Module{}).Scope(nil, Inputs{})
	s.constant = true
	return s
}

// Value evaluates an expression and converts it to a type; cty.DynamicPseudoType takes any. The result may be unknown, null or marked
// as Sensitive. With errors the result is an unknown of that type.
func (s *Scope) Value(expr hcl.Expression, want cty.Type) (cty.Value, hcl.Diagnostics) {
	v, diags := s.evaluate(expr)
	if diags.HasErrors() {
		return cty.UnknownVal(want), diags
	}
	if d := misplacedSecret(v, expr.Range()); d != nil {
		return cty.UnknownVal(want), append(diags, d)
	}
	out, err := convertTo(v, want)
	if err == nil && !s.meter.reported {
		err = s.meter.value(out)
	}
	if err != nil {
		s.meter.reported = s.meter.over != nil
		return cty.UnknownVal(want), append(diags, s.wrongType(expr, err))
	}
	return out, diags
}

func (s *Scope) wrongType(expr hcl.Expression, err error) *hcl.Diagnostic {
	return s.Involve(&hcl.Diagnostic{
		Severity: hcl.DiagError,
		Summary:  "Wrong type",
		Detail:   fmt.Sprintf("This value does not fit: %s.", describe(err)),
		Subject:  expr.Range().Ptr(),
	}, expr)
}

// evaluate gives the expression's own value.
func (s *Scope) evaluate(expr hcl.Expression) (v cty.Value, diags hcl.Diagnostics) {
	v = cty.DynamicVal
	if s.meter.reported {
		return v, nil
	}
	defer func() { s.meter.reported = s.meter.over != nil }()
	defer recoverTo(&diags, expr.Range().Ptr())
	ctx, diags := s.contextOf(expr)
	if diags.HasErrors() {
		return v, diags
	}
	v, more := expr.Value(ctx)
	diags = append(diags, plain(more, s.explainer(expr, ctx))...)
	if diags.HasErrors() {
		v = cty.DynamicVal
	}
	if err := s.meter.value(v); err != nil { // also when a try() swallowed it
		return cty.DynamicVal, hcl.Diagnostics{overBudget(s.meter.over, expr.Range().Ptr())}
	}
	return v, diags
}

// contextOf gives what an expression needs.
func (s *Scope) contextOf(expr hcl.Expression) (*hcl.EvalContext, hcl.Diagnostics) {
	if s.names != nil {
		return s.named(expr)
	}
	refs, diags := references(s.unbound(expr))
	if s.constant && len(expr.Variables()) > 0 {
		return nil, hcl.Diagnostics{{
			Severity: hcl.DiagError, Summary: "Not a plain value",
			Detail: "There is nothing to refer to in this file. Write the value itself; a text needs quotes.", Subject: expr.Range().Ptr(),
		}}
	}
	diags = append(diags, checkFunctions(expr)...)
	ctx, more := s.context(refs)
	ctx.Functions = s.functionsFor(expr)
	return ctx, append(diags, more...)
}

// functionsFor gives the functions that an expression calls, at least: making them all takes longer than most expressions.
func (s *Scope) functionsFor(expr hcl.Expression) map[string]function.Function {
	e := native(expr)
	if s.allFunctions || e == nil {
		return s.everyFunction()
	}
	for _, call := range calls(e) {
		if _, made := s.functions[call.Name]; made {
			continue
		}
		f, plain := library()[call.Name]
		if !plain { // those that read files see all others
			return s.everyFunction()
		}
		if s.functions == nil {
			s.functions = map[string]function.Function{}
		}
		s.functions[call.Name] = bounded(s.meter, f.impl, f.guard)
	}
	return s.functions
}

func (s *Scope) everyFunction() map[string]function.Function {
	if !s.allFunctions {
		s.functions, s.allFunctions = functions(s.meter, s.in.Files), true
	}
	return s.functions
}

// context gives what these references need, and nothing else.
func (s *Scope) context(refs []Reference) (*hcl.EvalContext, hcl.Diagnostics) {
	var diags hcl.Diagnostics
	found := map[string]map[string]cty.Value{}
	for _, r := range refs {
		if _, again := found[r.Root][r.Name]; again {
			continue
		}
		v, more := s.lookup(r)
		diags = append(diags, more...)
		if found[r.Root] == nil {
			found[r.Root] = map[string]cty.Value{}
		}
		found[r.Root][r.Name] = v
	}
	ctx := &hcl.EvalContext{
		Variables: map[string]cty.Value{meterName: cty.CapsuleVal(meterType, s.meter)},
	}
	for name, v := range s.iterators {
		ctx.Variables[name] = v
	}
	for root, attrs := range found {
		ctx.Variables[root] = cty.ObjectVal(attrs)
	}
	return ctx, diags
}

func (s *Scope) lookup(r Reference) (cty.Value, hcl.Diagnostics) {
	switch r.Root {
	case "var":
		return s.variable(r)
	case "local":
		return s.local(r)
	case "step":
		return s.step(r)
	case "each":
		return attrOf(s.in.Each, r, []string{"key", "value"})
	case "self":
		return attrOf(s.in.Self, r, nil)
	case "run":
		switch r.Name {
		case "error":
			if s.in.RunError != cty.NilVal {
				return s.in.RunError, nil
			}
		case "id":
			return textOrUnknown(s.in.RunID), nil
		case "started_at":
			return textOrUnknown(s.in.StartedAt), nil
		}
	case "pipeline":
		if r.Name == "name" && s.pipeline != nil {
			return cty.StringVal(s.pipeline.Name), nil
		}
	case "path":
		if r.Name == "module" {
			return cty.StringVal("."), nil
		}
	}
	return cty.DynamicVal, hcl.Diagnostics{noAttr(r, rootAttrs(r.Root))}
}

// unbound is the expression without what the dynamic blocks around it bind.
func (s *Scope) unbound(expr hcl.Expression) hcl.Expression {
	return within(expr, slices.Sorted(maps.Keys(s.iterators)))
}

// attrOf looks into an object that is not there everywhere.
func attrOf(object cty.Value, r Reference, names []string) (cty.Value, hcl.Diagnostics) {
	switch {
	case object == cty.NilVal:
		return cty.DynamicVal, hcl.Diagnostics{{
			Severity: hcl.DiagError, Summary: "Wrong reference", Detail: fmt.Sprintf("There is no %q here.", r.Root), Subject: r.Range.Ptr(),
		}}
	case !object.Type().IsObjectType():
		return cty.DynamicVal, nil
	case object.Type().HasAttribute(r.Name):
		return object.GetAttr(r.Name), nil
	}
	if names == nil {
		names = slices.Sorted(maps.Keys(object.Type().AttributeTypes()))
	}
	return cty.DynamicVal, hcl.Diagnostics{noAttr(r, names)}
}

func textOrUnknown(s string) cty.Value {
	if s == "" {
		return cty.UnknownVal(cty.String).RefineNotNull()
	}
	return cty.StringVal(s)
}

func (s *Scope) variable(r Reference) (cty.Value, hcl.Diagnostics) {
	v := s.module.Variable(r.Name)
	if v == nil {
		return cty.DynamicVal, hcl.Diagnostics{nothing(r, "variable", s.module.variableNames(), "Declare it.")}
	}
	if s.in.Variables != cty.NilVal && s.in.Variables.Type().HasAttribute(r.Name) {
		return s.in.Variables.GetAttr(r.Name), nil
	}
	return v.unknown(), nil
}

func (s *Scope) step(r Reference) (cty.Value, hcl.Diagnostics) {
	if s.pipeline == nil || s.pipeline.Step(r.Name) == nil {
		return cty.DynamicVal, hcl.Diagnostics{nothing(r, "step", slices.Sorted(maps.Keys(s.in.Steps)), "Only steps of this pipeline can be named here.")}
	}
	if v, ok := s.in.Steps[r.Name]; ok {
		return v, nil
	}
	return cty.DynamicVal, nil
}

// local evaluates a local once in a scope, when it is first needed.
func (s *Scope) local(r Reference) (cty.Value, hcl.Diagnostics) {
	l := s.module.Local(r.Name)
	if l == nil {
		return cty.DynamicVal, hcl.Diagnostics{nothing(r, "local", s.module.localNames(), "Declare it.")}
	}
	known, again := s.locals[r.Name]
	if again && known.open {
		return cty.DynamicVal, hcl.Diagnostics{{
			Severity: hcl.DiagError, Summary: "Cycle", Detail: fmt.Sprintf("local.%s needs itself.", r.Name), Subject: r.Range.Ptr(),
		}}
	}
	if !again {
		known = &localValue{open: true}
		s.locals[r.Name] = known
		if len(s.locals) > maxLocals {
			return cty.DynamicVal, hcl.Diagnostics{overBudget(&errBudget{"it needs too many locals"}, r.Range.Ptr())}
		}
		known.value, known.diags = s.evaluate(l.Expr)
		known.open = false
	}
	return known.value, known.diags
}

// maxLocals bounds how many locals one scope may evaluate, and so how deep they may build upon each other.
const maxLocals = 2000

// plain drops from hcl's diagnostics what gives access to values. Before that, explain takes from each what may be shown.
func plain(diags hcl.Diagnostics, explain func(*hcl.Diagnostic)) hcl.Diagnostics {
	out := make(hcl.Diagnostics, 0, len(diags))
	for _, d := range diags {
		c := *d
		c.Extra = nil
		explain(&c)
		c.Expression, c.EvalContext = nil, nil
		out = append(out, &c)
	}
	return out
}

func checkFunctions(expr hcl.Expression) (diags hcl.Diagnostics) {
	e := native(expr)
	if e == nil {
		return nil
	}
	for _, call := range calls(e) {
		if d := unknownFunction(call.Name, call.NameRange); d != nil {
			diags = append(diags, d)
		}
		if d := checkSecretCall(call); d != nil {
			diags = append(diags, d)
		}
	}
	return Sort(diags)
}
