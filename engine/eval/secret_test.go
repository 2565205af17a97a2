package eval

import (
	"fmt"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/containerpub/cpub/sdk/schema"
)

var secretShape = schema.Object{Attrs: []schema.Attr{
	{Name: "env", Type: cty.Map(cty.String), Secrets: true},
	{Name: "stdin", Type: cty.String, Secrets: true},
	{Name: "args", Type: cty.List(cty.String), Secrets: true},
	{Name: "image", Type: cty.String},
}}

// decodeStep evaluates a step's body where these locals are.
func decodeStep(t *testing.T, locals, body string) (cty.Value, hcl.Diagnostics) {
	t.Helper()
	src := "variable \"v\" {}\nvariable \"secret\" { sensitive = true }\nlocals {\n" + locals + "\n}\npipeline \"p\" {\n  step \"x\" \"s\" {\n" + body + "\n  }\n}\n"
	m, diags := Parse([]File{{Path: "main.hcl", Content: []byte(src)}})
	if diags.HasErrors() {
		return cty.DynamicVal, diags
	}
	p := m.Pipelines[0]
	scope := m.Scope(p, Inputs{Variables: cty.ObjectVal(map[string]cty.Value{
		"v": cty.StringVal("V" + secretOpen + "B" + secretClose), "secret": cty.StringVal("hush").Mark(Sensitive),
	})})
	call, diags := scope.Step(p.Steps[0], secretShape)
	return call.Input, diags
}

// TestSecrets compares what is handed to a provider: the texts for people, and the secrets by name.
func TestSecrets(t *testing.T) {
	for _, tt := range []struct{ name, locals, body, input, secrets string }{
		{
			"whole", ``, `env = { TOKEN = secret("A"), PLAIN = "p" }`,
			`{"env":{"PLAIN":"p","TOKEN":"${secret(\"A\")}"}}`, `env TOKEN=[{ A}]`,
		},
		{
			"template", ``, `stdin = "Bearer ${secret("A")}, and ${secret("B_2")}!"`,
			`{"stdin":"Bearer ${secret(\"A\")}, and ${secret(\"B_2\")}!"}`, `stdin=[{Bearer  } { A} {, and  } { B_2} {! }]`,
		},
		{
			"local, list and condition on something else", `a = secret("A")`, `args = ["x", true ? local.a : "none", "y${local.a}"]`,
			`{"args":["x","${secret(\"A\")}","y${secret(\"A\")}"]}`, `args 1=[{ A}];args 2=[{y } { A}]`,
		},
		{
			"for", `all = { a = secret("A") }`, `env = { for k, s in local.all : "x_${k}" => "<${s}>" }`,
			`{"env":{"x_a":"<${secret(\"A\")}>"}}`, `env x_a=[{< } { A} {> }]`,
		},
		{
			"a name that a variable forged is only text", ``, `stdin = "${var.v}${secret("A")}"`,
			"{\"stdin\":\"V\ufffdB" + secretClose + `${secret(\"A\")}"}`, "stdin=[{V\ufffdB" + secretClose + ` } { A}]`,
		},
		{
			"a name that was forged of a secret that is there", ``, `stdin = "${secret("B")} ${var.v} ${"${var.v}"}${[var.v][0]}"`,
			"{\"stdin\":\"${secret(\\\"B\\\")} " + strings.Repeat("V\ufffdB"+secretClose+" ", 2)[:2*len("V\ufffdB"+secretClose)+1] + "V\ufffdB" + secretClose + "\"}",
			"stdin=[{ B} { V\ufffdB" + secretClose + " V\ufffdB" + secretClose + "V\ufffdB" + secretClose + " }]",
		},
		{"a forged name alone is only text", ``, `stdin = var.v`, `{"stdin":"V` + secretOpen + "B" + secretClose + `"}`, ``},
	} {
		t.Run(tt.name, func(t *testing.T) {
			v, diags := decodeStep(t, tt.locals, tt.body)
			if diags.HasErrors() {
				t.Fatal(diags)
			}
			plain, texts, err := Secrets(v)
			if err != nil {
				t.Fatal(err)
			}
			data, err := JSON(plain)
			if err != nil || string(data) != tt.input {
				t.Errorf("input %s, %v; want %s", data, err, tt.input)
			}
			var have []string
			for _, text := range texts {
				have = append(have, fmt.Sprintf("%s=%v", strings.Join(text.Path, " "), text.Parts))
			}
			if got := strings.Join(have, ";"); got != tt.secrets {
				t.Errorf("secrets %s, want %s", got, tt.secrets)
			}
		})
	}
}

// TestSecretsStaySensitive: a text of both is refused where sensitive ones are.
func TestSecretsStaySensitive(t *testing.T) {
	v, diags := decodeStep(t, ``, `stdin = "${secret("A")}${var.secret}"`)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	plain, _, err := Secrets(v)
	if err != nil || !HasSensitive(plain) {
		t.Errorf("%#v, %v", plain, err)
	}
}

func TestWrongSecrets(t *testing.T) {
	const inFunction, computed, place, misused = "a secret cannot be given to a function", "nothing can be computed from it", "A secret cannot stand here", "it depends on a secret without holding it"
	for _, tt := range []struct{ locals, body, want string }{
		{``, `image = secret("A")`, place},
		{`a = secret("A")`, `image = "x-${local.a}"`, place},
		{``, `when = secret("A") == "x"`, computed},
		{`a = secret("A")`, `stdin = local.a == "x" ? "yes" : "no"`, computed},
		{``, `stdin = secret("A") ? "yes" : "no"`, "bool"},
		{``, `stdin = upper(secret("A"))`, inFunction},
		{`a = { t = secret("A") }`, `stdin = jsonencode(local.a)`, inFunction},
		{`a = secret("A")`, `stdin = "n${length(local.a)}"`, inFunction},
		{``, `stdin = base64encode("x${secret("A")}")`, inFunction},
		{``, `args = toset([secret("A")])`, inFunction},
		{``, `env = { (secret("A")) = "x" }`, misused},
		{`a = secret("A")`, `env = { for k in ["x"] : local.a => k }`, misused},
		{``, `for_each = { a = secret("A") }`, place},
		{``, `timeout = secret("A")`, place},
		{``, `stdin = secret(var.v)`, "is written out"},
		{``, `stdin = secret("a b")`, "the name of a secret has"},
		{``, `stdin = secret("")`, "the name of a secret has"},
		{``, `stdin = secret(["A"]...)`, "is written out"},
		{``, `stdin = "%{ for a in range(600) }${secret("A")},%{ endfor }"`, "are possible"},
		{``, `stdin = secret()`, `"name"`},
		{`m = { x = 1 }`, `stdin = "${local.m[secret("A")]}"`, ""},
	} {
		_, diags := decodeStep(t, tt.locals, tt.body)
		if strings.Contains(tt.body, "for_each") {
			m, _ := Parse([]File{{Path: "main.hcl", Content: []byte("pipeline \"p\" {\n step \"x\" \"s\" {\n" + tt.body + "\n}\n}\n")}})
			_, diags = m.Scope(m.Pipelines[0], Inputs{}).ForEach(m.Pipelines[0].Steps[0])
		}
		if strings.Contains(tt.body, "when") {
			m, _ := Parse([]File{{Path: "main.hcl", Content: []byte("pipeline \"p\" {\n step \"x\" \"s\" {\n" + tt.body + "\n}\n}\n")}})
			_, diags = m.Scope(m.Pipelines[0], Inputs{}).When(m.Pipelines[0].Steps[0])
		}
		if !diags.HasErrors() || !strings.Contains(diags.Error(), tt.want) {
			t.Errorf("%s %s: %v; want %q", tt.locals, tt.body, diags, tt.want)
		}
	}
}

func TestShowSecrets(t *testing.T) {
	for _, tt := range []struct{ expr, want string }{
		{`{ a = secret("A"), b = "x" }`, `{ a = secret("A"), b = "x" }`},
		{`"say \"${secret("A")}\""`, `"say \"${secret("A")}\""`},
	} {
		m, diags := Parse([]File{{Path: "main.hcl", Content: []byte("locals {\n  x = " + tt.expr + "\n}\n")}})
		if diags.HasErrors() {
			t.Fatal(diags)
		}
		v, diags := m.Scope(nil, Inputs{}).evaluate(m.Local("x").Expr)
		if got := Show(v, "?"); diags.HasErrors() || got != tt.want {
			t.Errorf("%s: %s, %v", tt.expr, got, diags)
		}
	}
}
