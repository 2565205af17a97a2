package eval

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"
)

// Given is a value for a variable, and where it was given.
type Given struct {
	Value cty.Value
	// Range is its place in a file; nil when it was not in one.
	Range *hcl.Range
	// Source says it for people, such as `-var`; may be empty.
	Source string
}

// DecodeVariables reads the variables of a run, a JSON object by name, and resolves them as ResolveVariables does. Empty data
// and null stand for no variables.
func (m *Module) DecodeVariables(data json.RawMessage) (cty.Value, hcl.Diagnostics) {
	given := map[string]Given{}
	if len(data) > 0 {
		v, err := FromJSON(data)
		if err == nil && !v.IsNull() && !v.Type().IsObjectType() {
			err = fmt.Errorf("variables are a JSON object by name, such as {\"name\": \"value\"}, and not %s", article(v.Type().FriendlyName()))
		}
		if err != nil {
			return m.UnknownVariables(), hcl.Diagnostics{{Severity: hcl.DiagError, Summary: "Wrong variables", Detail: err.Error() + "."}}
		}
		if !v.IsNull() {
			for name, e := range v.AsValueMap() {
				given[name] = Given{Value: e}
			}
		}
	}
	return m.ResolveVariables(given)
}

// ResolveVariables gives every variable its value: the given one converted to its type, or the default; checked by its validations,
// marked when it is sensitive. Wrong types, unknown names and missing values are diagnostics, all at once. The object has an attribute
// for each variable, unknown where it is wrong.
func (m *Module) ResolveVariables(given map[string]Given) (cty.Value, hcl.Diagnostics) {
	var diags hcl.Diagnostics
	for _, name := range slices.Sorted(maps.Keys(given)) {
		if m.Variable(name) == nil {
			diags = append(diags, m.unknownVariable(name, given[name]))
		}
	}
	vals := map[string]cty.Value{}
	wrong := map[string]bool{}
	for _, v := range m.Variables {
		if _, again := vals[v.Name]; again {
			continue
		}
		g, ok := given[v.Name]
		value, d := v.resolve(g, ok)
		if d != nil {
			diags = append(diags, d)
			wrong[v.Name], value = true, v.unknown()
		}
		vals[v.Name] = value
	}
	all := cty.ObjectVal(vals)
	for _, v := range m.Variables {
		if !wrong[v.Name] {
			diags = append(diags, m.validate(v, all, given[v.Name])...)
		}
	}
	return all, Sort(diags)
}

// UnknownVariables is the object of all variables when nothing is known of them but their types.
func (m *Module) UnknownVariables() cty.Value {
	vals := map[string]cty.Value{}
	for _, v := range m.Variables {
		vals[v.Name] = v.unknown()
	}
	return cty.ObjectVal(vals)
}

func (v *Variable) unknown() cty.Value {
	u := cty.UnknownVal(v.Type.WithoutOptionalAttributesDeep())
	if !v.Nullable && v.Type != cty.DynamicPseudoType {
		u = u.RefineNotNull()
	}
	if v.Sensitive {
		u = u.Mark(Sensitive)
	}
	return u
}

func (m *Module) unknownVariable(name string, g Given) *hcl.Diagnostic {
	hint := didYouMean(name, m.variableNames())
	switch {
	case hint != "":
	case len(m.Variables) == 0:
		hint = " This module has none."
	default:
		hint = fmt.Sprintf(" There are: %s.", oneOf(m.variableNames()))
	}
	return &hcl.Diagnostic{
		Severity: hcl.DiagError,
		Summary:  "Unknown variable",
		Detail:   fmt.Sprintf("There is no variable %q%s.%s", cut(name, 80), from(g), hint),
		Subject:  g.Range,
	}
}

func from(g Given) string {
	if g.Source == "" {
		return ""
	}
	return " (from " + g.Source + ")"
}

func (v *Variable) resolve(g Given, given bool) (cty.Value, *hcl.Diagnostic) {
	if !given || !v.Nullable && g.Value.IsNull() {
		if v.Default == cty.NilVal {
			return cty.NilVal, &hcl.Diagnostic{
				Severity: hcl.DiagError,
				Summary:  "Missing variable",
				Detail:   fmt.Sprintf("Variable %q has no value and no default. Give it with -var %s=…, in a -var-file, or as CPUB_VAR_%s.", v.Name, v.Name, v.Name),
				Subject:  v.DeclRange.Ptr(),
			}
		}
		return v.marked(v.Default), nil
	}
	value, err := v.convert(g.Value)
	if err == nil {
		m := &meter{}
		err = m.value(value)
	}
	if err != nil {
		at := g.Range
		if at == nil {
			at = v.DeclRange.Ptr()
		}
		return cty.NilVal, &hcl.Diagnostic{
			Severity: hcl.DiagError,
			Summary:  "Wrong variable",
			Detail:   fmt.Sprintf("The value of variable %q%s does not fit its type, %s: %s.", v.Name, from(g), typeName(v.Type), describe(err)),
			Subject:  at,
			Extra:    involvedValues{{"var." + v.Name, showInvolved(v.marked(g.Value))}},
		}
	}
	return v.marked(value), nil
}

func (v *Variable) marked(value cty.Value) cty.Value {
	if v.Sensitive {
		return value.Mark(Sensitive)
	}
	return value
}

func (m *Module) validate(v *Variable, all cty.Value, g Given) (diags hcl.Diagnostics) {
	for _, rule := range v.Validations {
		scope := m.Scope(nil, Inputs{Variables: all})
		ok, more := scope.Value(rule.Condition, cty.Bool)
		diags = append(diags, more...)
		ok, _ = ok.Unmark()
		if more.HasErrors() || !ok.IsKnown() {
			continue
		}
		if ok.IsNull() {
			diags = append(diags, scope.badMeta(rule.Condition, "condition", "must be true or false; it is null."))
			continue
		}
		if ok.True() {
			continue
		}
		at := g.Range
		if at == nil {
			at = v.DeclRange.Ptr()
		}
		diags = append(diags, scope.Involve(&hcl.Diagnostic{
			Severity: hcl.DiagError,
			Summary:  "Invalid variable",
			Detail:   fmt.Sprintf("Variable %q%s: %s", v.Name, from(g), scope.message(rule)),
			Subject:  at,
		}, rule.Condition))
	}
	return diags
}

func (s *Scope) message(rule *Validation) string {
	text, diags := s.Value(rule.ErrorMessage, cty.String)
	if diags.HasErrors() || !text.IsWhollyKnown() || text.IsNull() {
		return "the value is not valid."
	}
	if HasSensitive(text) {
		return "the value is not valid (the message holds a sensitive value, and is not shown)."
	}
	return text.AsString()
}

// CheckVariables reports what is wrong with the validations of variables whatever the values are, and locals that mention what does
// not exist although no pipeline uses them.
func (m *Module) CheckVariables() (diags hcl.Diagnostics) {
	for _, v := range m.Variables {
		for _, rule := range v.Validations {
			known := m.onlyVariables(rule.Condition, rule.ErrorMessage)
			diags = append(diags, known...)
			if known.HasErrors() {
				continue
			}
			scope := m.Scope(nil, Inputs{Variables: m.UnknownVariables()})
			_, more := scope.Value(rule.Condition, cty.Bool)
			diags = append(diags, more...)
			_, more = scope.Value(rule.ErrorMessage, cty.String)
			diags = append(diags, more...)
		}
	}
	c := referenceCheck{m: m, p: &Pipeline{}, seen: map[localUse]bool{}, noSteps: true}
	for _, l := range m.Locals {
		diags = append(diags, c.check([]hcl.Expression{l.Expr})...)
	}
	return Sort(diags)
}

// onlyVariables reports references to anything but variables.
func (m *Module) onlyVariables(exprs ...hcl.Expression) hcl.Diagnostics {
	refs, diags := references(exprs...)
	for _, r := range refs {
		switch {
		case r.Root != "var":
			diags = append(diags, &hcl.Diagnostic{
				Severity: hcl.DiagError, Summary: "Wrong reference",
				Detail: "A validation can use variables alone: they are checked before anything else is known.", Subject: r.Range.Ptr(),
			})
		case m.Variable(r.Name) == nil:
			diags = append(diags, nothing(r, "variable", m.variableNames(), fmt.Sprintf("Declare it with `variable %q { … }`.", r.Name)))
		}
	}
	return diags
}
