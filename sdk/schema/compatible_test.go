package schema

import (
	"slices"
	"testing"

	"github.com/zclconf/go-cty/cty"
)

func TestCompatible(t *testing.T) {
	text := func(name string) Attr { return Attr{Name: name, Type: cty.String} }
	needed := func(name string) Attr { return Attr{Name: name, Type: cty.String, Required: true} }
	number := func(name string) Attr { return Attr{Name: name, Type: cty.Number} }
	in := func(attrs ...Attr) Step { return Step{Input: Object{Attrs: attrs}} }
	out := func(attrs ...Attr) Step { return Step{Output: Object{Attrs: attrs}} }
	block := func(o Object) Step {
		return Step{Input: Object{Blocks: []Block{{Name: "b", Nesting: NestingList, Object: o}}}}
	}
	tests := []struct {
		name       string
		want, have Step
		problems   []string
	}{
		{"the same", in(text("a")), in(text("a")), nil},
		{"an addition", in(text("a")), in(text("a"), text("b")), nil},
		{"no longer required", in(needed("a")), in(text("a")), nil},
		{"gone", in(text("a")), in(), []string{"a: the provider has it no longer"}},
		{"another type", in(text("a")), in(number("a")), []string{"a: the provider has it with another type"}},
		{"now required", in(text("a")), in(needed("a")), []string{"a: the provider now needs it"}},
		{"a required addition", in(), in(needed("a")), []string{"a: the provider now needs it"}},
		{"an output gone", out(text("a")), out(), []string{"output a: the provider has it no longer"}},
		{"an output more", out(), out(needed("a")), nil},
		{"in a block", block(Object{Attrs: []Attr{text("a")}}), block(Object{}), []string{"b.a: the provider has it no longer"}},
		{"a block gone", block(Object{}), in(), []string{"b: the provider has this block no longer, or nests it otherwise"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var got []string
			for _, p := range tt.have.Compatible(tt.want) {
				got = append(got, p.Error())
			}
			if !slices.Equal(got, tt.problems) {
				t.Errorf("got %q, want %q", got, tt.problems)
			}
		})
	}
}
