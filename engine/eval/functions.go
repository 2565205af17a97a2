package eval

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/customdecode"
	"github.com/zclconf/go-cty/cty"
	"github.com/zclconf/go-cty/cty/function"
)

// guard refuses a call whose result would be too large, before it is made.
type guard func(m *meter, args []cty.Value) error

// functions gives the language's functions, bounded by m. Without files, file() and its kin fail.
func functions(m *meter, files Files) map[string]function.Function {
	all := map[string]function.Function{}
	for name, f := range library() {
		all[name] = bounded(m, f.impl, f.guard)
	}
	for name, f := range fileFunctions(m, files, all) {
		all[name] = bounded(m, f, nil)
	}
	all["try"], all["can"] = tryFunction(), canFunction()
	return all
}

// functionNames never changes; making all functions to have their names takes a while.
var functionNames = sync.OnceValue(func() []string {
	names := append(slices.Collect(maps.Keys(library())), "artifact", "can", "file", "filebase64", "fileset", "templatefile", "try")
	slices.Sort(names)
	return names
})

// FunctionNames lists the language's functions, sorted.
func FunctionNames() []string { return slices.Clone(functionNames()) }

// impureFunctions are Terraform's that give another result each time.
var impureFunctions = []string{"timestamp", "plantimestamp", "uuid", "uuidv5", "bcrypt"}

func unknownFunction(name string, at hcl.Range) *hcl.Diagnostic {
	names := functionNames()
	if slices.Contains(names, name) {
		return nil
	}
	d := &hcl.Diagnostic{Severity: hcl.DiagError, Summary: "Unknown function", Subject: at.Ptr()}
	if slices.Contains(impureFunctions, name) {
		d.Detail = fmt.Sprintf("There is no %s(), since a pipeline evaluates to the same each time. Use run.started_at and run.id.", name)
		return d
	}
	d.Detail = fmt.Sprintf("There is no function %q.%s", name, didYouMean(name, names))
	return d
}

// bounded wraps a function so that its arguments and its result are counted. Conversions of arguments happen in here, where they
// can be guarded.
func bounded(m *meter, f function.Function, g guard) function.Function {
	params, rest := f.Params(), f.VarParam()
	spec := &function.Spec{
		Type: function.StaticReturnType(cty.DynamicPseudoType), // the result has its own; asking f twice would cost twice
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			return callBounded(m, f, g, args)
		},
	}
	for _, p := range params {
		spec.Params = append(spec.Params, open(p))
	}
	if rest != nil {
		p := open(*rest)
		spec.VarParam = &p
	}
	return function.New(spec)
}

func open(p function.Parameter) function.Parameter {
	return function.Parameter{
		Name: p.Name, Type: cty.DynamicPseudoType, AllowNull: true, AllowUnknown: true, AllowDynamicType: true, AllowMarked: true,
	}
}

func callBounded(m *meter, f function.Function, g guard, args []cty.Value) (result cty.Value, err error) {
	defer func() { // cty's own recovery would show a stack
		switch r := recover().(type) {
		case nil:
		case *errBudget:
			result, err = cty.NilVal, r
		default:
			result, err = cty.NilVal, errUnable
		}
	}()
	args = slices.Clone(args)
	sensitive := false
	for i, a := range args {
		if err := m.value(a); err != nil {
			return cty.NilVal, err
		}
		if hasSecret(a) {
			return cty.NilVal, errSecretInFunction
		}
		sensitive = sensitive || a.ContainsMarked()
		p := f.VarParam()
		if i < len(f.Params()) {
			p = &f.Params()[i]
		}
		v, err := convertTo(a, p.Type)
		if err != nil {
			return cty.NilVal, function.NewArgErrorf(i, "%s", describe(err))
		}
		args[i] = v
	}
	if g != nil {
		if err := g(m, bare(args)); err != nil {
			return cty.NilVal, err
		}
	}
	v, err := f.Call(args)
	if err != nil {
		return cty.NilVal, callError(err, sensitive)
	}
	return v, m.value(v)
}

var errUnable = errors.New("the function cannot handle these values")

// bare unmarks arguments for a guard, which only measures.
func bare(args []cty.Value) []cty.Value {
	out := make([]cty.Value, len(args))
	for i, a := range args {
		out[i], _ = a.UnmarkDeep()
	}
	return out
}

func callError(err error, sensitive bool) error {
	var p function.PanicError
	switch {
	case errors.As(err, &p):
		return errUnable
	case sensitive:
		return errors.New("it cannot handle a sensitive value (what is wrong with it is not shown)")
	default:
		return err
	}
}

// tryFunction is Terraform's try, which evaluates its arguments once: hcl's own does it twice, and so 2^n times when nested.
func tryFunction() function.Function {
	return function.New(&function.Spec{
		VarParam: &function.Parameter{Name: "expressions", Type: customdecode.ExpressionClosureType},
		Type:     function.StaticReturnType(cty.DynamicPseudoType),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			last := "give it at least one expression"
			for _, a := range args {
				v, diags := customdecode.ExpressionClosureFromVal(a).Value()
				switch {
				case diags.HasErrors():
					last = diags[0].Detail
				case !v.IsWhollyKnown():
					return cty.DynamicVal.WithSameMarks(v), nil // it may still fail when it is known
				default:
					return v, nil
				}
			}
			return cty.NilVal, fmt.Errorf("none of the expressions succeeded, the last because: %s", last)
		},
	})
}

func canFunction() function.Function {
	return function.New(&function.Spec{
		Params: []function.Parameter{{Name: "expression", Type: customdecode.ExpressionClosureType}},
		Type:   function.StaticReturnType(cty.Bool),
		Impl: func(args []cty.Value, _ cty.Type) (cty.Value, error) {
			v, diags := customdecode.ExpressionClosureFromVal(args[0]).Value()
			switch {
			case diags.HasErrors():
				return cty.False, nil
			case !v.IsWhollyKnown():
				return cty.UnknownVal(cty.Bool), nil
			default:
				return cty.True, nil
			}
		},
	})
}
