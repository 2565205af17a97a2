package eval_test

import (
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"github.com/containerpub/cpub/engine/eval"
)

func TestNamed(t *testing.T) {
	names := map[string]cty.Value{"output": cty.ObjectVal(map[string]cty.Value{
		"text": cty.StringVal("a"), "nothing": cty.NullVal(cty.DynamicPseudoType),
	})}
	for _, tt := range []struct{ text, want, wrong string }{
		{`upper(output.text)`, "A", ""},
		{`join("", [for o in [1, 2] : "${o}${output.text}"])`, "1a2a", ""},
		{`output.texts`, "", `There is no "texts" in it. Did you mean "text"?`},
		{`try(output.zzzzzzzz, "b")`, "", `There is no "zzzzzzzz" in it. There is: nothing and text.`},
		{`outputs.text`, "", `There is nothing named "outputs" here. Did you mean "output"?`},
		{`var.name`, "", `There is nothing named "var" here. There is: output. A text needs quotes.`},
		{`output.nothing.deep`, "", "null"},
		{`join("", [for a in range(1000) : join("", [for b in range(1000) : join("", [for c in range(1000) : "x"])])])`, "", "This was stopped"},
	} {
		t.Run(tt.text, func(t *testing.T) {
			expr, diags := eval.ParseExpression(tt.text, "test", 1)
			if diags.HasErrors() {
				t.Fatal(diags)
			}
			v, diags := eval.Named(names).Value(expr, cty.String)
			switch {
			case tt.wrong == "" && (diags.HasErrors() || v.AsString() != tt.want):
				t.Errorf("got %#v, %v", v, diags)
			case tt.wrong != "" && (!diags.HasErrors() || !strings.Contains(diags[0].Detail, tt.wrong)):
				t.Errorf("got %#v, %v; want %s", v, diags, tt.wrong)
			}
		})
	}
}
