package eval

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/containerpub/cpub/sdk/schema"
)

// hangs is how long an evaluation may take before it is taken for one without an end: what bounds it is its budget, not the clock.
const hangs = 2 * time.Minute

// TestHostileExpressions runs expressions that would take forever, or all memory, and wants a diagnostic within a second or so; the counters
// themselves know no clock.
func TestHostileExpressions(t *testing.T) {
	digits := strings.Repeat("9", 200_000)
	big := cty.ObjectVal(map[string]cty.Value{"v": cty.StringVal(strings.Repeat("x", 200_000))})
	nested := "[1]"
	tries := "var.v"
	for range 18 {
		nested = "[for x in " + nested + " : x if length([for y in range(1000) : y]) > 0]"
		tries = "try(try(" + tries + " + 1, " + tries[:5] + " + 1))"
	}
	for name, expr := range map[string]string{
		"for":            `[for a in range(1000) : [for b in range(1000) : [for c in range(1000) : a]]]`,
		"for object":     `{ for a in range(1000) : a => { for b in range(1000) : b => { for c in range(1000) : c => 1 } } }`,
		"for condition":  `[for a in range(1000) : a if [for b in range(1000) : [for c in range(1000) : b]] != []]`,
		"splat":          `[for a in range(1000) : [for b in range(1000) : range(1000)[*]]]`,
		"swallowed":      `try([for a in range(1000) : [for b in range(1000) : [for c in range(1000) : a]]], "fine")`,
		"setproduct":     `setproduct(range(1000), range(1000), range(1000))`,
		"format width":   `format("%999999999d", 1)`,
		"format prec":    `format("%.999999999f", 1)`,
		"format number":  `format("%d", "1e99999999")`,
		"format repeat":  `format(join("", [for i in range(1000) : "%[1]s"]), var.v)`,
		"formatlist":     `formatlist("%s", [for i in range(1000) : var.v])`,
		"indent":         `indent(999999999, "a\nb")`,
		"join":           `join(var.v, range(1000))`,
		"replace":        `replace(var.v, "x", var.v)`,
		"replace regex":  `replace(var.v, "/x/", var.v)`,
		"replace groups": `replace(var.v, "/.*/", "$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0$0")`,
		"regex":          `[for i in range(1000) : regexall("(x+x+)+y", var.v)]`,
		"number text":    `"1e999999999" * 1`,
		"power":          `[for i in range(1000) : 2][0] * 1e1200 * 1e1200`,
		"digits":         `"` + digits + `" + 1`,
		"tonumber":       `tonumber("` + digits + `")`,
		"jsondecode":     `jsondecode("` + digits + `")`,
		"index":          `[1][ "` + digits + `" ]`,
		"template":       `"${join("", [for i in range(1000) : var.v])}"`,
		"template parts": `"` + strings.Repeat("${var.v}", 20) + `"`,
		"template for":   `"%{ for a in range(1000) }%{ for b in range(1000) }%{ for c in range(1000) }x%{ endfor }%{ endfor }%{ endfor }"`,
		"distinct":       `distinct([for i in range(1000) : [for j in range(1000) : j]])`,
		"mixed list":     `tolist(flatten([for a in range(20) : [for b in range(500) : [b, "x"]]]))`,
		"branches":       `true ? flatten([for a in range(20) : [for b in range(1000) : b]]) : [1]`,
		"coalesce":       `coalesce(flatten([for a in range(20) : [for b in range(1000) : b]]), [1])`,
		"merge":          `[for i in range(1000) : merge({ for a in range(1000) : a => a }, {})]`,
	} {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			v, diags := evalText(t, expr, Inputs{Variables: big})
			if took := time.Since(began); took > hangs {
				t.Errorf("it took %s", took)
			}
			if !diags.HasErrors() {
				t.Errorf("it gives %s", Show(v, "?"))
			}
			if len(diags) > 5 {
				t.Errorf("it has %d diagnostics", len(diags))
			}
		})
	}
	for _, expr := range []string{tries, nested} {
		began := time.Now()
		_, _ = evalText(t, expr, Inputs{Variables: big})
		if took := time.Since(began); took > hangs {
			t.Errorf("%.40s… took %s", expr, took)
		}
	}
}

// TestHonestExpressions is the other side: what real pipelines do fits well.
func TestHonestExpressions(t *testing.T) {
	in := Inputs{Variables: cty.ObjectVal(map[string]cty.Value{"v": cty.StringVal(strings.Repeat("line\n", 20_000))})}
	for _, expr := range []string{
		`[for i in range(1000) : { name = "n-${i}", size = i * 1024, tags = ["a", "b"] }]`,
		`join("\n", [for l in split("\n", var.v) : upper(l)])`,
		`replace(var.v, "line", "longer line")`,
		`jsonencode({ for i in range(1000) : "k${i}" => { v = i } })`,
		`length(regexall("line", var.v))`,
		`[for i, a in range(300) : range(300)[i] + a]`,
	} {
		if _, diags := evalText(t, expr, in); diags.HasErrors() {
			t.Errorf("%s: %s", expr, diags)
		}
	}
}

// TestHostileFiles parses files that would overflow a stack.
func TestHostileFiles(t *testing.T) {
	const n = 100_000
	for name, src := range map[string]string{
		"parentheses": "locals {\n a = " + strings.Repeat("(", n) + "\n}",
		"brackets":    "locals {\n a = " + strings.Repeat("[", n) + "\n}",
		"braces":      strings.Repeat("a {\n", n),
		"objects":     "locals {\n a = " + strings.Repeat("{ a = ", n/2) + "\n}",
		"not":         "locals {\n a = " + strings.Repeat("!", n) + "true\n}",
		"minus":       "locals {\n a = " + strings.Repeat("- ", n) + "1\n}",
		"sum":         "locals {\n a = 1" + strings.Repeat("+1", n) + "\n}",
		"ternary":     "locals {\n a = " + strings.Repeat("true ? 1 : ", n/4) + "1\n}",
		"index":       "locals {\n a = x" + strings.Repeat("[0]", n) + "\n}",
		"splats":      "locals {\n a = x" + strings.Repeat("[*]", n) + "\n}",
		"attr splats": "locals {\n a = x" + strings.Repeat(".*.a", n) + "\n}",
		"templates":   "locals {\n a = " + strings.Repeat(`"${`, n) + "\n}",
		"ifs":         "locals {\n a = \"" + strings.Repeat(`%{ if true }`, n/4) + "\"\n}",
		"calls":       "locals {\n a = " + strings.Repeat("f(", n) + "\n}",
		"fors":        "locals {\n a = " + strings.Repeat("[for x in ", n/4) + "\n}",
		"quotes":      strings.Repeat(`"`, n+1),
		"heredocs":    strings.Repeat("a = <<E\n${<<F\n", n/8),
		"dots":        "locals {\n a = x" + strings.Repeat(".a", n) + "\n}",
		"digits":      "locals {\n a = " + strings.Repeat("9", 4*n) + "\n}",
		"large":       strings.Repeat(" ", MaxFileSize+1),
	} {
		t.Run(name, func(t *testing.T) {
			began := time.Now()
			m, diags := Parse([]File{{Path: "main.hcl", Content: []byte(src)}})
			diags = append(diags, m.CheckVariables()...)
			if !diags.HasErrors() {
				t.Error("it has no diagnostics")
			}
			if took := time.Since(began); took > hangs {
				t.Errorf("it took %s", took)
			}
		})
	}
}

// TestManyLocals builds values upon each other, by sharing rather than copying, and in a long chain.
func TestManyLocals(t *testing.T) {
	var doubling, chain strings.Builder
	doubling.WriteString("locals {\n  l0 = [1]\n")
	for i := range 60 {
		fmt.Fprintf(&doubling, "  l%d = [local.l%d, local.l%d]\n", i+1, i, i)
	}
	chain.WriteString("locals {\n  l0 = 1\n")
	for i := range 5000 {
		fmt.Fprintf(&chain, "  l%d = local.l%d\n", i+1, i)
	}
	for last, src := range map[string]string{"l60": doubling.String(), "l5000": chain.String()} {
		m, diags := Parse([]File{{Path: "main.hcl", Content: []byte(src + "}\n")}})
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		if _, diags := m.Scope(nil, Inputs{}).Value(m.Local(last).Expr, cty.DynamicPseudoType); !diags.HasErrors() {
			t.Errorf("%s was evaluated", last)
		}
		if diags := m.CheckVariables(); diags.HasErrors() {
			t.Error(diags)
		}
	}
}

func FuzzParse(f *testing.F) {
	f.Add("pipeline \"p\" {\n  step \"object_put\" \"s\" {\n    content = jsonencode([for x in var.v : x.y])\n  }\n  output \"o\" { value = step.s.url }\n}\nvariable \"v\" { type = list(object({ y = optional(string, \"z\") })) }\n")
	f.Add("locals {\n  a = try(local.b, \"${file(\"x\")}\")\n  b = { for k, v in {} : k => v... }\n}\n")
	f.Add("variable \"x\" {\n  default = <<-EOT\n  a ${1}\n  EOT\n  validation {\n    condition = var.x != null\n    error_message = \"no\"\n  }\n}\n")
	f.Add("locals {\n  c = local.d\n  d = var.e\n}\nschedule \"s\" {\n  pipeline = \"p\"\n  cron = [\"0 2 * * *\", local.c]\n  variables = { n = upper(\"x\"), (\"a\") = null }\n  offset = \"1m\"\n}\n")
	f.Fuzz(readWhole)
}

// TestUnfinished reads files as they are while someone writes them: ended after each of their bytes.
func TestUnfinished(t *testing.T) {
	const whole = "variable \"v\" {\n  type = string\n  sensitive = true\n  default = \"x\"\n  description = \"a\"\n}\n" +
		"schedule \"s\" {\n  pipeline = \"p\"\n  cron = [\"0 2 * * *\"]\n  variables = { v = upper(\"y\") }\n  paused = true\n}\n" +
		"pipeline \"p\" {\n  description = \"d\"\n  timeout = \"1m\"\n  step \"object_put\" \"s\" {\n    for_each = toset([\"a\"])\n" +
		"    content = <<-EOT\n    ${each.key} %{ if true }x%{ endif }\n    EOT\n    continue_on_error = true\n    when = var.v != null\n" +
		"    retry {\n      max_attempts = 2\n      on = [\"exit\"]\n    }\n    depends_on = [step.t]\n  }\n" +
		"  step \"pipeline\" \"t\" {\n    source = \"./x\"\n    pipeline = \"q\"\n  }\n  output \"o\" {\n    value = step.s\n    sensitive = true\n  }\n}\n"
	for n := range len(whole) {
		readWhole(t, whole[:n])
	}
}

// readWhole does with a module what is done before a run, and fails where that is a fault of ours.
func readWhole(t *testing.T, src string) {
	shape := schema.Object{Attrs: []schema.Attr{{Name: "content", Type: cty.String}, {Name: "url", Type: cty.DynamicPseudoType, Located: true}}}
	m, diags := Parse([]File{{Path: "main.hcl", Content: []byte(src)}})
	_, more := m.ResolveVariables(nil)
	diags = append(diags, more...)
	for _, p := range m.Pipelines {
		diags = append(diags, m.CheckReferences(p, func(string) (schema.Object, bool) { return shape, true })...)
		diags = append(diags, m.CheckCycles(p)...)
		for _, s := range p.Steps {
			scope := m.Scope(p, Inputs{Steps: map[string]cty.Value{s.Name: UnknownStep(shape)}})
			call, more := scope.Step(s, shape)
			diags = append(diags, more...)
			_ = Locations(shape, call.Input)
			_ = Show(call.Input, "?")
		}
		for _, o := range p.Outputs {
			_, more := m.Scope(p, Inputs{}).Output(o)
			diags = append(diags, more...)
		}
	}
	for _, l := range m.Locals {
		_, more := m.Scope(nil, Inputs{}).Value(l.Expr, cty.DynamicPseudoType)
		diags = append(diags, more...)
	}
	diags = append(diags, schedules(m)...)
	for _, d := range diags {
		if d.Summary == "Internal error" {
			t.Errorf("%s", d.Detail)
		}
	}
}

func FuzzVariables(f *testing.F) {
	m, diags := Parse([]File{{Path: "main.hcl", Content: []byte(`variable "a" { type = map(object({ n = number, l = optional(list(string), ["x"]) })) }
variable "b" {
  type    = set(bool)
  default = []
}
variable "c" { default = null }
`)}})
	if diags.HasErrors() {
		f.Fatal(diags)
	}
	f.Add([]byte(`{"a":{"x":{"n":1}},"b":[true],"c":{"d":[1,null,"x"]}}`))
	f.Add([]byte(`{"a":{"x":{"n":"1e400","l":null}},"d":1}`))
	f.Add([]byte(`null`))
	f.Fuzz(func(t *testing.T, data []byte) {
		v, diags := m.DecodeVariables(data)
		if diags.HasErrors() {
			return
		}
		if _, err := JSON(Plain(v)); err != nil {
			t.Errorf("resolved variables have no JSON form: %v", err)
		}
	})
}
