package config_test

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"github.com/containerpub/cpub/engine/config"
	"github.com/containerpub/cpub/engine/eval"
)

const variables = `variable "a" { default = "default" }
variable "text" {
  type    = string
  default = "default"
}
variable "n" {
  type    = number
  default = 1
}
variable "list" {
  type    = list(string)
  default = []
}
variable "opts" {
  type    = object({ level = optional(number, 3), tag = optional(string) })
  default = {}
}
variable "strict" {
  type     = string
  default  = "kept"
  nullable = false
}
`

func module(t testing.TB) *eval.Module {
	t.Helper()
	m, diags := eval.Parse([]eval.File{{Path: "main.hcl", Content: []byte(variables)}})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return m
}

// TestVariables checks the order of the sources and how each form is read.
func TestVariables(t *testing.T) {
	for name, tt := range map[string]struct {
		env, flags []string
		files      map[string]string
		want       string
	}{
		"nothing": {want: `{}`},
		"order": {
			env: []string{"CPUB_VAR_text=env", "CPUB_VAR_n=2", "text=no"}, files: map[string]string{"1.hcl": `text = "file"`, "2.json": `{"n":3}`},
			flags: []string{"n=4", "n=5"}, want: `{"n":5,"text":"file"}`,
		},
		"files in order": {files: map[string]string{"1.json": `{"text":"one","n":1}`, "2.env": "TEXT=two\n"}, want: `{"n":1,"text":"two"}`},
		"text as it is":  {flags: []string{`text=["a"]`, "text=x=y"}, want: `{"text":"x=y"}`},
		"any":            {flags: []string{`a={ b = [1, true] }`}, want: `{"a":{"b":[1,true]}}`},
		"any as text":    {flags: []string{"a=some words"}, want: `{"a":"some words"}`},
		"list":           {flags: []string{`list=["a", "b"]`}, want: `{"list":["a","b"]}`},
		"optional":       {flags: []string{`opts={ tag = "x" }`}, want: `{"opts":{"level":3,"tag":"x"}}`},
		"null":           {files: map[string]string{"1.json": `{"text":null,"strict":null}`}, want: `{"strict":"kept","text":null}`},
		"dotenv": {
			files: map[string]string{".env": "\ufeff# c\n\nexport TEXT='a b' # c\r\nN = 7\nLIST=[\"x\"]\nOTHER=1\nA=\"q\\\"\\n\"\n"},
			want:  `{"a":"q\"\n","list":["x"],"n":7,"text":"a b"}`,
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			src := config.Sources{Env: tt.env, Flags: tt.flags}
			for _, base := range []string{"1.hcl", "1.json", "2.json", "2.env", ".env"} {
				if content, ok := tt.files[base]; ok {
					path := filepath.Join(dir, base)
					if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
						t.Fatal(err)
					}
					src.Files = append(src.Files, path)
				}
			}
			vars, diags := config.Variables(module(t), src)
			noErrors(t, diags, vars.Files)
			if string(vars.JSON) != tt.want {
				t.Errorf("got %s, want %s", vars.JSON, tt.want)
			}
			again, diags := module(t).DecodeVariables(vars.JSON)
			if diags.HasErrors() || !again.RawEquals(vars.All) {
				t.Errorf("the JSON resolves to %#v, not to %#v: %s", again, vars.All, diags)
			}
		})
	}
}

// TestFilesStayInside checks that file() and fileset() cannot leave the module's folder, by links either, and that what they read replays.
func TestFilesStayInside(t *testing.T) {
	dir := t.TempDir()
	secret := filepath.Join(t.TempDir(), "secret.txt")
	write := func(name, text string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(secret, "hunter2")
	for link, target := range map[string]string{"out.txt": secret, "outdir": filepath.Dir(secret), "in.txt": "real.txt"} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Fatal(err)
		}
	}
	write(filepath.Join(dir, "real.txt"), "fine")
	for expr, ok := range map[string]bool{
		`file("in.txt")`: true, `file("out.txt")`: false, `file("outdir/secret.txt")`: false, `file("../x")`: false,
		`join(",", fileset(".", "**/*.txt"))`: true, `join(",", fileset("outdir", "*"))`: false,
	} {
		write(filepath.Join(dir, "main.hcl"), "pipeline \"p\" {\n  step \"object_put\" \"s\" {\n    bucket = \"b\"\n    key = "+expr+"\n  }\n}\n")
		m, diags := config.Load(t.Context(), dir, config.Contracts(), config.Options{})
		if diags.HasErrors() == ok {
			t.Errorf("%s: %s", expr, diags)
		}
		if strings.Contains(diags.Error(), "hunter2") {
			t.Errorf("%s shows what it must not read", expr)
		}
		for _, p := range m.Plans {
			data, _, err := p.Encode()
			if err != nil || bytes.Contains(data, []byte(secret)) || len(p.Reads) != 1 {
				t.Errorf("%s: the plan reads %v (%v)", expr, p.Reads, err)
			}
		}
	}
}

func TestFormat(t *testing.T) {
	got, diags := config.Format("a.hcl", []byte("locals{\na=1\n  bbb   = 2\n}\n"))
	if diags.HasErrors() || string(got) != "locals {\n  a   = 1\n  bbb = 2\n}\n" {
		t.Errorf("got %q %s", got, diags)
	}
	if again, _ := config.Format("a.hcl", got); !bytes.Equal(got, again) {
		t.Errorf("formatting again gives %q", again)
	}
	if got, diags := config.Format("a.hcl", []byte("locals {")); got != nil || !diags.HasErrors() {
		t.Errorf("a wrong file was formatted: %q", got)
	}
}

func TestJSONDiagnostics(t *testing.T) {
	_, f, diags := eval.ParseFile(eval.File{Path: "a.hcl", Content: []byte("a = \n")})
	m, _ := eval.Parse(nil)
	m.Files["a.hcl"] = f
	got, err := config.MarshalDiagnostics(diags, m.Files, "dir")
	want := `[{"severity":"error","summary":"Invalid expression","detail":"Expected the start of an expression, but found an invalid expression token.",` +
		`"range":{"filename":"dir/a.hcl","start":{"line":1,"column":5,"byte":4},"end":{"line":2,"column":1,"byte":5}},"snippet":"a ="}]`
	if err != nil || string(got) != want {
		t.Errorf("got  %s (%v)\nwant %s", got, err, want)
	}
	if got, _ := config.MarshalDiagnostics(nil, nil, ""); string(got) != "[]" {
		t.Errorf("no diagnostics are %s", got)
	}
}

// TestJSONDiagnosticsValues checks that programs get the values that were involved, and nothing of what is sensitive.
func TestJSONDiagnosticsValues(t *testing.T) {
	m, diags := eval.Parse([]eval.File{{Path: "a.hcl", Content: []byte("variable \"t\" {\n  sensitive = true\n}\nlocals {\n  n = \"a\\tb\"\n  x = [local.n + 1, var.t + 1]\n}\n")}})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	in := eval.Inputs{Variables: cty.ObjectVal(map[string]cty.Value{"t": cty.StringVal("hush").Mark(eval.Sensitive)})}
	_, diags = m.Scope(nil, in).Value(m.Local("x").Expr, cty.DynamicPseudoType)
	got := config.JSONDiagnostics(diags, m.Files, "")
	want := []config.Value{{Name: "local.n", Value: `"a\tb"`}, {Name: "var.t", Value: "(sensitive)"}}
	if len(got) != 2 || !slices.Equal(slices.Concat(got[0].Values, got[1].Values), want) {
		t.Errorf("got %+v, want the values %v", got, want)
	}
}

// TestEscapes checks that a file's content cannot drive the terminal that shows its mistakes.
func TestEscapes(t *testing.T) {
	src := []byte("a\t= \x1b[31m\"x\u202e\"\n")
	_, f, diags := eval.ParseFile(eval.File{Path: "a.hcl", Content: src})
	m, _ := eval.Parse(nil)
	m.Files["a.hcl"] = f
	if out := render(t, diags, m.Files); out == "" || strings.ContainsAny(out, "\x1b\u202e\t") {
		t.Errorf("got %q", out)
	}
}

func FuzzDotEnv(f *testing.F) {
	m := module(f)
	f.Add("TEXT=a\nN='1' # x\nexport LIST=[\"a\"]\nA=\"\\n\"\n")
	f.Add("=\n\"\nN=1e999999999\n")
	f.Fuzz(func(t *testing.T, text string) {
		path := filepath.Join(t.TempDir(), ".env")
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		vars, diags := config.Variables(m, config.Sources{Files: []string{path}})
		if err := config.WriteDiagnostics(&bytes.Buffer{}, diags, vars.Files, config.Style{Width: 60}); err != nil {
			t.Fatal(err)
		}
		if !diags.HasErrors() && len(vars.JSON) == 0 {
			t.Error("no diagnostics and no variables")
		}
	})
}

// FuzzVarFile reads anything as a -var-file, in HCL or in JSON.
func FuzzVarFile(f *testing.F) {
	m := module(f)
	f.Add("text = \"a\"\nn = 1\nlist = [\"a\"]\n", false)
	f.Add("n = 1e999999999\nlist = [for i in range(9) : i]\nblock {}\n", false)
	f.Add(`{"text":"a","n":1,"list":["a"]}`, true)
	f.Add(`{"n":1e999999999,"text":{"a":[null]},"text":1}`, true)
	f.Fuzz(func(t *testing.T, text string, asJSON bool) {
		name := "a.hcl"
		if asJSON {
			name = "a.json"
		}
		path := filepath.Join(t.TempDir(), name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		vars, diags := config.Variables(m, config.Sources{Files: []string{path}})
		if err := config.WriteDiagnostics(&bytes.Buffer{}, diags, vars.Files, config.Style{Width: 60}); err != nil {
			t.Fatal(err)
		}
		if !diags.HasErrors() && len(vars.JSON) == 0 {
			t.Error("no diagnostics and no variables")
		}
	})
}

func TestEarlierVariables(t *testing.T) {
	m, diags := eval.Parse([]eval.File{{Path: "main.hcl", Content: []byte(`
variable "a" { type = string }
variable "n" { type = number }
pipeline "p" {
  step "value" "v" { value = var.a }
}`)}})
	if m.Variable("n") == nil {
		t.Fatal(diags)
	}
	values, diags := config.Variables(m, config.Sources{Earlier: []byte(`{"a":"old","n":3,"gone":true}`), Flags: []string{"a=new"}})
	if diags.HasErrors() || string(values.JSON) != `{"a":"new","n":3}` || values.From["n"] != "the earlier run" {
		t.Errorf("got %s from %v, %v", values.JSON, values.From, diags)
	}
	if _, diags = config.Variables(m, config.Sources{Earlier: []byte(`{"a":"old","n":"x"}`)}); !diags.HasErrors() {
		t.Error("a value of another type was taken")
	}
	if _, diags = config.Variables(m, config.Sources{Earlier: []byte(`[]`)}); len(diags) != 1 || diags[0].Summary != "Wrong variables" {
		t.Errorf("no object: got %v", diags)
	}
}
