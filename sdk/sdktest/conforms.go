package sdktest

import (
	"testing"

	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/contract"
	"github.com/containerpub/cpub/sdk/schema"
)

// Conforms checks the provider's description: that it is valid, and always the same; that every attribute has a doc; and that
// every standard step type that it serves has all that the contract has, with the same types and flags: but for abilities, which may
// be left out whole. What a type does is the matter of the suites.
func Conforms(t *testing.T, p sdk.Provider) {
	t.Helper()
	info := p.Info()
	if err := info.Validate(); err != nil {
		t.Fatalf("the description is not valid: %v", err)
	}
	if info.Name == "" || info.Version == "" {
		t.Errorf("the description needs a name and a version: %q %q", info.Name, info.Version)
	}
	again := p.Info()
	for _, s := range info.Steps {
		t.Run(s.Name, func(t *testing.T) {
			same(t, s, again.Step(s.Name))
			documented(t, s.Input)
			documented(t, s.Output)
			if s.Run == nil || s.Doc == "" {
				t.Errorf("step type %s needs a Run and a Doc", s.Name)
			}
			if c, ok := contract.Lookup(s.Name); ok {
				c = offered(t, c, schema.Step{Input: s.Input, Output: s.Output})
				covers(t, "input", c.Input, s.Input)
				covers(t, "output", c.Output, s.Output)
			}
		})
	}
}

// offered is the contract without the abilities that a provider's shape has nothing of.
func offered(t *testing.T, c contract.Type, shape schema.Step) contract.Type {
	t.Helper()
	out := c
	for _, a := range c.Abilities {
		all, some := a.Served(shape)
		if some && !all {
			t.Errorf("the ability %s is there in part: it consists of %q and the outputs %q", a.Name, a.Inputs, a.Outputs)
		}
		if !some {
			out = out.Without(a.Name)
		}
	}
	return out
}

func same(t *testing.T, a sdk.StepType, b *sdk.StepType) {
	t.Helper()
	if b == nil {
		t.Errorf("Info does not always return step type %s", a.Name)
		return
	}
	first, err := schema.Step{Input: a.Input, Output: a.Output}.Digest()
	if err != nil {
		t.Fatal(err)
	}
	second, err := schema.Step{Input: b.Input, Output: b.Output}.Digest()
	if err != nil {
		t.Fatal(err)
	}
	if first != second {
		t.Errorf("Info does not always return the same schema of step type %s", a.Name)
	}
}

func documented(t *testing.T, o schema.Object) {
	t.Helper()
	for _, a := range o.Attrs {
		if a.Doc == "" {
			t.Errorf("attribute %s has no Doc", a.Name)
		}
	}
	for _, b := range o.Blocks {
		documented(t, b.Object)
	}
}

// covers checks that have has everything of want, and asks for nothing more.
func covers(t *testing.T, what string, want, have schema.Object) {
	t.Helper()
	for _, w := range want.Attrs {
		h := have.Attr(w.Name)
		switch {
		case h == nil:
			t.Errorf("%s %s is missing", what, w.Name)
		case !h.Type.Equals(w.Type) || h.Format != w.Format || h.Located != w.Located || h.Required != w.Required:
			t.Errorf("%s %s is not what the contract says: %+v, want %+v", what, w.Name, *h, w)
		}
	}
	for _, h := range have.Attrs {
		if h.Required && want.Attr(h.Name) == nil {
			t.Errorf("%s %s is required, which the contract does not know", what, h.Name)
		}
	}
	for _, w := range want.Blocks {
		if h := have.Block(w.Name); h == nil || h.Nesting != w.Nesting {
			t.Errorf("%s block %s is missing, or nests otherwise", what, w.Name)
		} else {
			covers(t, what+" "+w.Name, w.Object, h.Object)
		}
	}
}
