package cases

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/containerpub/cpub/engine"
	"github.com/containerpub/cpub/engine/eval"
	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/schema"
)

// choose gives the mock that answers for a task: the run's own come before the file's, those that name the step before those that do
// not, and otherwise the first whose `when` holds. It is nil where there is none.
func (r *run) choose(address, stepType string, names map[string]cty.Value) (*mock, hcl.Diagnostics) {
	for _, group := range [][]*mock{r.c.mocks, r.c.File.mocks} {
		for _, named := range []bool{true, false} {
			for _, m := range group {
				if m.stepType != stepType || (m.step != "") != named || !matches(m.step, address) {
					continue
				}
				holds, diags := m.holds(names)
				if diags.HasErrors() || holds {
					return m, diags
				}
			}
		}
	}
	return nil, nil
}

func (m *mock) holds(names map[string]cty.Value) (bool, hcl.Diagnostics) {
	if m.when == nil {
		return true, nil
	}
	v, diags := eval.Named(names).Value(m.when, cty.Bool)
	if diags.HasErrors() {
		return false, diags
	}
	v = eval.Plain(v)
	if !v.IsKnown() || v.IsNull() {
		return false, hcl.Diagnostics{problem(m.when.Range(), "Wrong value", "\"when\" must be true or false; it is %s.", eval.Show(v, "not known"))}
	}
	return v.True(), nil
}

// outcome is what a mock says of a task of a type with these outputs.
func (m *mock) outcome(address string, output schema.Object, names map[string]cty.Value) (engine.Outcome, hcl.Diagnostics) {
	switch {
	case m.cancel:
		return engine.Outcome{Cancelled: true}, nil
	case m.failure != nil:
		err, diags := m.failed(names)
		return engine.Outcome{Err: err}, diags
	}
	given, at := cty.EmptyObjectVal, m.declRange
	if m.outputs != nil {
		at = m.outputs.Range()
		v, diags := eval.Named(names).Value(m.outputs, cty.DynamicPseudoType)
		if diags.HasErrors() {
			return engine.Outcome{}, diags
		}
		if given = eval.Plain(v); given.IsNull() || !given.IsWhollyKnown() || !given.Type().IsObjectType() && !given.Type().IsMapType() {
			return engine.Outcome{}, hcl.Diagnostics{problem(at, "Wrong mock", "\"outputs\" takes an object with the outputs of %s.", m.stepType)}
		}
	}
	outputs, problems := fill(m.stepType, address, output, given)
	if len(problems) > 0 {
		return engine.Outcome{}, hcl.Diagnostics{problem(at, "Wrong mock", "A step of the type %q does not give this:\n%s", m.stepType, strings.Join(problems, "\n"))}
	}
	return engine.Outcome{Outputs: outputs}, nil
}

// failed reads error = { code, message }.
func (m *mock) failed(names map[string]cty.Value) (*engine.StepError, hcl.Diagnostics) {
	v, diags := eval.Named(names).Value(m.failure, cty.DynamicPseudoType)
	if diags.HasErrors() {
		return nil, diags
	}
	v = eval.Plain(v)
	fields := map[string]string{"code": "", "message": "the mock says so"}
	wrong := hcl.Diagnostics{problem(m.failure.Range(), "Wrong mock", "\"error\" takes { code = \"…\" } with the failure's code, and a message if it matters.")}
	if v.IsNull() || !v.Type().IsObjectType() {
		return nil, wrong
	}
	for name, f := range v.AsValueMap() {
		if _, ok := fields[name]; !ok || f.IsNull() || f.Type() != cty.String {
			return nil, wrong
		}
		fields[name] = f.AsString()
	}
	if fields["code"] == "" {
		return nil, wrong
	}
	return &engine.StepError{Code: fields["code"], Kind: sdk.KindPermanent, Message: fields["message"]}, nil
}

// fill gives outputs as a provider would: files, folders and what exists in one place may be given as a short text, or left out, and are
// made up. Anything else that is left out is null. The problems are why the type does not give these outputs.
func fill(stepType, address string, output schema.Object, given cty.Value) (json.RawMessage, []string) {
	attrs := given.AsValueMap()
	if attrs == nil {
		attrs = map[string]cty.Value{}
	}
	var problems []string
	for _, name := range slices.Sorted(maps.Keys(attrs)) {
		if output.Attr(name) == nil && output.Block(name) == nil {
			problems = append(problems, fmt.Sprintf("%s: there is no such output.%s", name, outputsHint(output, name)))
		}
	}
	for _, a := range output.Attrs {
		v, ok := attrs[a.Name]
		if !ok {
			v = cty.StringVal(address + "." + a.Name)
		}
		if v.IsNull() || v.Type() != cty.String {
			continue
		}
		switch {
		case a.Type.Equals(schema.ArtifactType):
			attrs[a.Name] = artifact(v.AsString())
		case a.Located && a.Type.Equals(schema.LocatedType):
			attrs[a.Name] = cty.ObjectVal(map[string]cty.Value{"id": v, "location": cty.StringVal("test")})
		}
	}
	if len(problems) > 0 {
		return nil, problems
	}
	data, err := eval.JSON(cty.ObjectVal(attrs))
	if err != nil {
		return nil, []string{err.Error()}
	}
	if stepType == eval.TypePipeline { // its outputs are any
		return data, nil
	}
	for _, p := range output.CheckOutput(data) {
		problems = append(problems, p.Error())
	}
	return data, problems
}

// artifact is a file or folder that a text stands for.
func artifact(text string) cty.Value {
	sum := sha256.Sum256([]byte(text))
	return cty.ObjectVal(map[string]cty.Value{
		"digest": cty.StringVal("sha256:" + hex.EncodeToString(sum[:])), "size": cty.NumberIntVal(int64(len(text))), "name": cty.StringVal(text),
	})
}

func outputsHint(o schema.Object, name string) string {
	all := outputNames(o)
	if near := eval.Suggest(name, all); near != "" {
		return fmt.Sprintf(" Did you mean %q?", near)
	}
	return " There is: " + strings.Join(all, ", ") + "."
}

func outputNames(o schema.Object) (all []string) {
	for _, a := range o.Attrs {
		all = append(all, a.Name)
	}
	for _, b := range o.Blocks {
		all = append(all, b.Name)
	}
	return all
}

// unmocked is a step that nothing answers for.
func (r *run) unmocked(address string, task engine.Task, output schema.Object) *hcl.Diagnostic {
	var outputs []string
	for _, name := range outputNames(output) {
		outputs = append(outputs, name+" = …")
	}
	return problem(r.c.DeclRange, "Nothing answers for a step",
		"Step %q has the type %q, and no mock stands in for it. Add to the run, or to the file for all runs:\nmock %q { outputs = { %s } }\nOutputs that do not matter can be left out. With everything mocked a test needs no service.",
		address, task.Type, task.Type, strings.Join(outputs, ", "))
}
