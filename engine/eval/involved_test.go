package eval

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/containerpub/cpub/sdk/schema"
)

// involvedTexts are the values of each diagnostic, a line for each diagnostic.
func involvedTexts(diags hcl.Diagnostics) string {
	var lines []string
	for _, d := range Sort(diags) {
		var all []string
		for _, v := range InvolvedIn(d) {
			all = append(all, v.String())
		}
		lines = append(lines, strings.Join(all, "; "))
	}
	return strings.Join(lines, "\n")
}

// stepOf reads a module with one pipeline and one step.
func stepOf(t *testing.T, head, body string) (*Module, *Pipeline, *Step) {
	t.Helper()
	m, diags := Parse([]File{{Path: "main.hcl", Content: []byte(head + "\npipeline \"p\" {\n  step \"t\" \"s\" {\n" + body + "\n  }\n}\n")}})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return m, m.Pipelines[0], m.Pipelines[0].Steps[0]
}

// TestInvolvedAtRunTime has what is known when a step has run.
func TestInvolvedAtRunTime(t *testing.T) {
	m, p, s := stepOf(t, `variable "limit" {}`, `
    until { condition = self.ready }
    postcondition {
      condition     = self.count < var.limit && self.token != "x"
      error_message = "Too many."
    }`)
	in := Inputs{
		Variables: cty.ObjectVal(map[string]cty.Value{"limit": cty.NumberIntVal(3)}),
		Self: cty.ObjectVal(map[string]cty.Value{
			"ready": cty.NullVal(cty.Bool), "count": cty.NumberIntVal(5), "token": cty.StringVal("hush").Mark(Sensitive),
		}),
	}
	if got, want := involvedTexts(m.Scope(p, in).Conditions(s.Postconditions, "postcondition")), "self.count is 5; var.limit is 3; self.token is (sensitive)"; got != want {
		t.Errorf("postcondition: %s, want %s", got, want)
	}
	_, diags := m.Scope(p, in).Until(s.Until)
	if got, want := involvedTexts(diags), "self.ready is null"; got != want {
		t.Errorf("until: %s, want %s", got, want)
	}
}

// TestInvolvedInDynamic has the iterators of dynamic blocks, whose for_each may be sensitive.
func TestInvolvedInDynamic(t *testing.T) {
	shape := schema.Object{Blocks: []schema.Block{{Name: "mount", Nesting: schema.NestingList, Object: schema.Object{Attrs: []schema.Attr{
		{Name: "size", Type: cty.Number},
	}}}}}
	m, p, s := stepOf(t, "variable \"open\" {}\nvariable \"shut\" {\n  sensitive = true\n}", `
    dynamic "mount" {
      for_each = var.open
      content { size = mount.value * 2 }
    }
    dynamic "mount" {
      for_each = var.shut
      iterator = at
      content { size = at.value * (at.key + 1) }
    }
    dynamic "mount" {
      for_each = var.shut[0]
      content { size = 1 }
    }`)
	call, diags := m.Scope(p, Inputs{Variables: cty.ObjectVal(map[string]cty.Value{
		"open": cty.TupleVal([]cty.Value{cty.NumberIntVal(1), cty.StringVal("x")}),
		"shut": cty.TupleVal([]cty.Value{cty.StringVal("hush")}).Mark(Sensitive),
	})}).Step(s, shape)
	if got, want := involvedTexts(diags), "mount.value is \"x\"\nat.value is (sensitive)\nvar.shut[0] is (sensitive)"; got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	if !strings.Contains(Show(call.Input, "unknown"), "size") {
		t.Errorf("the input is %s", Show(call.Input, "unknown"))
	}

	m, p, s = stepOf(t, "variable \"shut\" {\n  sensitive = true\n}", `
    dynamic "mount" {
      for_each = var.shut
      content { size = mount.value }
    }`)
	call, diags = m.Scope(p, Inputs{Variables: cty.ObjectVal(map[string]cty.Value{
		"shut": cty.TupleVal([]cty.Value{cty.NumberIntVal(77)}).Mark(Sensitive),
	})}).Step(s, shape)
	if got := Show(call.Input, "unknown"); diags.HasErrors() || got != "{ mount = [{ size = (sensitive) }] }" {
		t.Errorf("the elements of something sensitive are shown: %s, %v", got, diags)
	}
}

// TestInvolvedBounded has mistakes in many elements, with large values around them.
func TestInvolvedBounded(t *testing.T) {
	big := map[string]cty.Value{}
	for i := range 5_000 {
		big[fmt.Sprintf("key-%d", i)] = cty.StringVal("x")
	}
	long := cty.StringVal(strings.Repeat("é", MaxBytes/2-10))
	begin := time.Now()
	for _, expr := range []string{
		`[for k, e in var.v : e * k]`, `[for k in keys(var.v) : [for l in ["a", "b"] : k * l]]`, `[for k in range(50) : var.v * k]`,
	} {
		_, diags := evalText(t, expr, Inputs{Variables: cty.ObjectVal(map[string]cty.Value{"v": cty.ObjectVal(big), "secret": long})})
		shown := 0
		for _, d := range diags {
			if d.Expression != nil || d.EvalContext != nil {
				t.Fatal("a diagnostic gives access to values")
			}
			values := InvolvedIn(d)
			shown += min(1, len(values))
			for _, v := range values {
				if len([]rune(v.Value)) > shownInvolved+20 {
					t.Errorf("%s", v)
				}
			}
		}
		if shown == 0 || shown > maxExplained {
			t.Errorf("%s: %d of %d diagnostics show values", expr, shown, len(diags))
		}
	}
	_, diags := evalText(t, `var.v.x`, Inputs{Variables: cty.ObjectVal(map[string]cty.Value{"v": long, "secret": long})})
	if got, want := involvedTexts(diags), `var.v is "`+strings.Repeat("é", shownInvolved)+`…"`; got != want {
		t.Errorf("got %s", got)
	}
	if took := time.Since(begin); took > 20*time.Second {
		t.Errorf("it took %s", took)
	}
}
