package eval

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/containerpub/cpub/sdk/schema"
)

// evalText evaluates one expression in a module of its own; in says what it sees.
func evalText(t *testing.T, expr string, in Inputs) (cty.Value, hcl.Diagnostics) {
	t.Helper()
	src := "variable \"v\" {}\nvariable \"secret\" {\n  sensitive = true\n}\nlocals {\n  x = " + expr + "\n}\n"
	m, diags := Parse([]File{{Path: "main.hcl", Content: []byte(src)}})
	if diags.HasErrors() {
		return cty.DynamicVal, diags
	}
	p := &Pipeline{Name: "p", Steps: []*Step{{Name: "s"}}}
	return m.Scope(p, in).Value(m.Local("x").Expr, cty.DynamicPseudoType)
}

func TestFunctionNames(t *testing.T) {
	if got, want := FunctionNames(), slices.Sorted(maps.Keys(functions(&meter{}, nil))); !slices.Equal(got, want) {
		t.Errorf("names are %v, functions %v", got, want)
	}
}

// TestValues compares expressions with their values as JSON.
func TestValues(t *testing.T) {
	files := Recorded([]File{
		{Path: "a.txt", Content: []byte("hello")},
		{Path: "t.tmpl", Content: []byte("%{ for n in names }<${upper(n)}>%{ endfor }")},
		{Path: FileSetPath("d", "*.txt"), Content: []byte(`["b.txt","a.txt"]`)},
	})
	in := Inputs{
		Variables: cty.ObjectVal(map[string]cty.Value{"v": cty.StringVal("V")}), Files: files, RunID: "r1", StartedAt: "2026-01-01T00:00:00Z",
		Steps: map[string]cty.Value{"s": ShapeOf(schema.Object{Attrs: []schema.Attr{{Name: "n", Type: cty.Number}}}).Step(
			cty.ObjectVal(map[string]cty.Value{"n": cty.NumberIntVal(3)}), "succeeded")},
	}
	for _, tt := range []struct{ expr, want string }{
		{`1 + 2 * 3`, `7`},
		{`"a${var.v}b"`, `"aVb"`},
		{`[for x in range(3) : x * 2]`, `[0,2,4]`},
		{`{ for k, v in { a = 1 } : v => k }`, `{"1":"a"}`},
		{`[{ a = 1 }, { a = 2 }][*].a`, `[1,2]`},
		{`step.s.n + 1`, `4`},
		{`step.s.status`, `"succeeded"`},
		{`run.id`, `"r1"`},
		{`formatdate("YYYY", run.started_at)`, `"2026"`},
		{`timeadd(run.started_at, "1h")`, `"2026-01-01T01:00:00Z"`},
		{`pipeline.name`, `"p"`},
		{`path.module`, `"."`},
		{`file("a.txt")`, `"hello"`},
		{`file("./x/../a.txt")`, `"hello"`},
		{`filebase64("a.txt")`, `"aGVsbG8="`},
		{`fileset("d", "*.txt")`, `["a.txt","b.txt"]`},
		{`templatefile("t.tmpl", { names = ["x", "y"] })`, `"<X><Y>"`},
		{`try(tonumber("x"), 5)`, `5`},
		{`can(tonumber("x"))`, `false`},
		{`try(step.s.n, 0)`, `3`},
		{`can(1)`, `true`},
		{`join("-", ["a", "b"])`, `"a-b"`},
		{`split(",", "a,b")`, `["a","b"]`},
		{`replace("aXb", "X", "-")`, `"a-b"`},
		{`replace("a1b22", "/[0-9]+/", "#")`, `"a#b#"`},
		{`format("%s is %03d", "x", 7)`, `"x is 007"`},
		{`formatlist("%s!", ["a", "b"])`, `["a!","b!"]`},
		{`indent(2, "a\nb")`, `"a\n  b"`},
		{`regex("[0-9]+", "ab12")`, `"12"`},
		{`regexall("[a-z]", "a1b")`, `["a","b"]`},
		{`length("äö")`, `2`},
		{`length([1, 2])`, `2`},
		{`length({ a = 1 })`, `1`},
		{`index(["a", "b"], "b")`, `1`},
		{`sum([1, 2.5])`, `3.5`},
		{`one(["x"])`, `"x"`},
		{`one([])`, `null`},
		{`alltrue([true, false])`, `false`},
		{`anytrue([true, false])`, `true`},
		{`startswith("abc", "ab")`, `true`},
		{`endswith("abc", "bc")`, `true`},
		{`strcontains("abc", "d")`, `false`},
		{`urlencode("a b&c")`, `"a+b%26c"`},
		{`base64decode(base64encode("ä"))`, `"ä"`},
		{`sha256("")`, `"e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"`},
		{`basename("a/b.c")`, `"b.c"`},
		{`dirname("a/b.c")`, `"a"`},
		{`jsonencode({ b = 1, a = [true, null] })`, `"{\"a\":[true,null],\"b\":1}"`},
		{`jsondecode("{\"a\":[1,\"x\"]}").a[1]`, `"x"`},
		{`merge({ a = 1 }, { b = 2 })`, `{"a":1,"b":2}`},
		{`lookup({ a = 1 }, "b", 9)`, `9`},
		{`distinct(["a", "a", "b"])`, `["a","b"]`},
		{`flatten([[1], [2, [3]]])`, `[1,2,3]`},
		{`chunklist([1, 2, 3], 2)`, `[[1,2],[3]]`},
		{`setproduct(["a"], ["x", "y"])`, `[["a","x"],["a","y"]]`},
		{`zipmap(["a"], [1])`, `{"a":1}`},
		{`coalesce(null, "x")`, `"x"`},
		{`tolist(toset(["b", "a"]))`, `["a","b"]`},
		{`parseint("ff", 16)`, `255`},
		{`csvdecode("a,b\n1,2")[0].b`, `"2"`},
		{`concat([1], [2])`, `[1,2]`},
		{`max(1, 3, 2)`, `3`},
		{`true ? "yes" : "no"`, `"yes"`},
		{`trim("xax", "x")`, `"a"`},
		{`title("a b")`, `"A B"`},
		{`"<>&"`, `"<>&"`},
		{`-1.50`, `-1.5`},
	} {
		v, diags := evalText(t, tt.expr, in)
		if diags.HasErrors() {
			t.Errorf("%s: %s", tt.expr, diags)
			continue
		}
		if got, err := JSON(v); err != nil || string(got) != tt.want {
			t.Errorf("%s is %s (%v), want %s", tt.expr, got, err, tt.want)
		}
	}
}

// TestUnknown checks that what is unknown stays so, with its type, and that wrong uses of it are found.
func TestUnknown(t *testing.T) {
	out := schema.Object{Attrs: []schema.Attr{schema.File("file", ""), {Name: "n", Type: cty.Number}, {Name: "names", Type: cty.List(cty.String)}}}
	in := Inputs{Steps: map[string]cty.Value{"s": UnknownStep(out)}}
	for _, tt := range []struct {
		expr string
		want cty.Type
	}{
		{`step.s.n + 1`, cty.Number},
		{`"${step.s.n}m"`, cty.String},
		{`step.s.names`, cty.List(cty.String)},
		{`join(",", step.s.names)`, cty.String},
		{`try(step.s.n, 1)`, cty.DynamicPseudoType},
		{`can(step.s.n)`, cty.Bool},
		{`var.v`, cty.DynamicPseudoType},
		{`jsonencode(var.v)`, cty.String},
		{`run.id`, cty.String},
		{`[for n in step.s.names : n]`, cty.DynamicPseudoType},
		{`length(step.s.names)`, cty.Number},
		{`format("%s", step.s.n)`, cty.String},
		{`indent(var.v, "a")`, cty.String},
		{`setproduct(step.s.names, ["a"])`, cty.List(cty.Tuple([]cty.Type{cty.String, cty.String}))},
		{`replace(var.v, "a", "b")`, cty.String},
		{`sum(var.v)`, cty.Number},
		{`distinct(step.s.names)`, cty.List(cty.String)},
	} {
		v, diags := evalText(t, tt.expr, in)
		if diags.HasErrors() {
			t.Errorf("%s: %s", tt.expr, diags)
			continue
		}
		if v.IsKnown() || tt.want != cty.DynamicPseudoType && !strings.HasPrefix(tt.expr, "setproduct") && !v.Type().Equals(tt.want) {
			t.Errorf("%s is %#v, want an unknown %s", tt.expr, v, tt.want.FriendlyName())
		}
	}
	for _, expr := range []string{`step.s.file + 1`, `"${step.s.file}!"`, `upper(step.s.names)`, `step.s.n.x`, `[for x in step.s.n : x]`, `file(var.v)`, `step.t.n`} {
		if _, diags := evalText(t, expr, in); !diags.HasErrors() {
			t.Errorf("%s has no diagnostics", expr)
		}
	}
}

// TestSensitive checks that the mark spreads, that JSON refuses it and that no message shows the value.
func TestSensitive(t *testing.T) {
	in := Inputs{Variables: cty.ObjectVal(map[string]cty.Value{"v": cty.StringVal("x"), "secret": cty.StringVal("hunter2").Mark(Sensitive)})}
	for _, expr := range []string{`var.secret`, `"a${var.secret}"`, `upper(var.secret)`, `[var.secret]`, `{ a = { b = var.secret } }`, `jsonencode([var.secret])`, `try(var.secret)`} {
		v, diags := evalText(t, expr, in)
		if diags.HasErrors() || !HasSensitive(v) {
			t.Errorf("%s is not sensitive: %#v %s", expr, v, diags)
		}
		if _, err := JSON(v); err == nil {
			t.Errorf("%s has a JSON form", expr)
		}
		if strings.Contains(Show(v, "?"), "hunter2") {
			t.Errorf("%s is shown", expr)
		}
	}
	for _, expr := range []string{`tonumber(var.secret)`, `parseint(var.secret, 10)`, `jsondecode(var.secret)`, `regex("^[0-9]+$", var.secret)`} {
		_, diags := evalText(t, expr, in)
		if !diags.HasErrors() || strings.Contains(diags.Error(), "hunter2") {
			t.Errorf("%s: %v", expr, diags)
		}
	}
}

func TestParseOutputs(t *testing.T) {
	shape := schema.Object{Attrs: []schema.Attr{
		{Name: "n", Type: cty.Number},
		schema.File("file", ""),
		{Name: "any", Type: cty.DynamicPseudoType},
		{Name: "token", Type: cty.String, Sensitive: true},
		{Name: "r", Type: cty.Object(map[string]cty.Type{"a": cty.Object(map[string]cty.Type{"b": cty.Number, "c": cty.String})})},
	}}
	v, err := ParseOutputs(shape, []byte(`{"n":1,"file":{"digest":"sha256:x","size":3},"any":{"x":[1]},"token":"t","extra":true,"r":{"a":{"b":2}}}`))
	if err != nil {
		t.Fatal(err)
	}
	if !v.GetAttr("token").HasMark(Sensitive) || v.Type().HasAttribute("extra") {
		t.Errorf("outputs are %#v", v)
	}
	got, err := JSON(Plain(v))
	if want := `{"any":{"x":[1]},"file":{"digest":"sha256:x","size":3},"n":1,"r":{"a":{"b":2}},"token":"t"}`; err != nil || string(got) != want {
		t.Errorf("outputs are %s (%v), want %s", got, err, want)
	}
	if skipped := ShapeOf(shape).Skipped("skipped"); !skipped.GetAttr("n").IsNull() || skipped.GetAttr("status").AsString() != "skipped" {
		t.Errorf("a skipped step is %#v", skipped)
	}
	for _, bad := range []string{``, `[]`, `{"n":"x"}`, `{"n":1}{}`, `{"n":` + strings.Repeat("9", 5000) + `}`, `{"n":1e999999999}`, strings.Repeat(`{"any":`, 200) + `1` + strings.Repeat(`}`, 200)} {
		if _, err := ParseOutputs(shape, []byte(bad)); err == nil {
			t.Errorf("%.40s was read", bad)
		}
	}
}

func TestLocations(t *testing.T) {
	shape := schema.Object{Attrs: []schema.Attr{
		{Name: "image", Type: cty.DynamicPseudoType, Located: true}, {Name: "more", Type: cty.List(schema.LocatedType), Located: true},
	}}
	at := func(loc string) cty.Value {
		return cty.ObjectVal(map[string]cty.Value{"id": cty.StringVal("i"), "location": cty.StringVal(loc)})
	}
	for _, tt := range []struct {
		image, more cty.Value
		want        string
	}{
		{cty.StringVal("ref"), cty.NullVal(cty.List(schema.LocatedType)), ""},
		{at("b"), cty.ListVal([]cty.Value{at("a"), at("b")}), "a b"},
		{cty.UnknownVal(cty.DynamicPseudoType), cty.UnknownVal(cty.List(schema.LocatedType)), ""},
	} {
		got := strings.Join(Locations(shape, cty.ObjectVal(map[string]cty.Value{"image": tt.image, "more": tt.more})), " ")
		if got != tt.want {
			t.Errorf("locations are %q, want %q", got, tt.want)
		}
	}
}

func TestConstraint(t *testing.T) {
	for _, tt := range []struct {
		constraint, version string
		want                bool
	}{
		{">= 0.1", "0.1.0", true},
		{">= 0.1, < 0.2", "0.2.0", false},
		{"~> 1.2", "1.9.0", true},
		{"~> 1.2", "2.0.0", false},
		{"~> 1.2.3", "1.3.0", false},
		{"1.0.0", "1.0.0", true},
		{"!= 1.0.0", "1.0.0", false},
		{"> 1", "(devel)", true},
		{"<= 1.0", "1.0.1-rc1", false},
	} {
		c, err := parseConstraint(tt.constraint)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.Allows(tt.version); got != tt.want {
			t.Errorf("%s allows %s: %v", tt.constraint, tt.version, got)
		}
	}
}
