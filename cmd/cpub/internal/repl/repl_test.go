package repl

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"github.com/containerpub/cpub/engine/eval"
	"github.com/containerpub/cpub/sdk/schema"
)

func session(t *testing.T) *Session {
	t.Helper()
	m, diags := eval.Parse([]eval.File{{Path: "main.hcl", Content: []byte(`
variable "name" {}
variable "number" {}
variable "other" {}
locals { one = 1 }
pipeline "p" {
  step "demo" "first" {}
  step "demo" "fi-fth" {}
}
`)}})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	out := schema.Object{Attrs: []schema.Attr{{Name: "file", Type: cty.String}, {Name: "size", Type: cty.Number}}}
	return &Session{Module: m, Pipeline: m.Pipelines[0], Outputs: func(string) schema.Object { return out }, Name: "<test>"}
}

func TestComplete(t *testing.T) {
	s := session(t)
	for _, test := range []struct{ line, want, names string }{
		{"uppe|", "upper(|", "upper("},
		{"lower(var|)", "lower(var.|)", "var."},
		{"var.n|", "var.n|", "var.name var.number"},
		{"var.na|me", "var.name|me", "var.name"},
		{"1+var.o|", "1+var.other|", "var.other"},
		{"local.|", "local.one|", "local.one"},
		{"step.|", "step.fi|", "step.fi-fth. step.first."},
		{"step.fir|", "step.first.|", "step.first."},
		{"step.first.|", "step.first.|", "step.first.file step.first.size step.first.status"},
		{"step.fi-fth.f|", "step.fi-fth.file|", "step.fi-fth.file"},
		{"step.nothing.|", "step.nothing.|", ""},
		{"run.|", "run.|", "run.id run.started_at"},
		{"pi|", "pipeline.name|", "pipeline.name"},
		{"path.m|", "path.module|", "path.module"},
		{"nothing|", "nothing|", ""},
		{"é var|", "é var.|", "var."},
	} {
		at := strings.Index(test.line, "|")
		got, to, names := s.Complete(strings.Replace(test.line, "|", "", 1), at)
		if shown := got[:to] + "|" + got[to:]; shown != test.want || strings.Join(names, " ") != test.names {
			t.Errorf("%s: it is %s with %v, want %s with %s", test.line, shown, names, test.want, test.names)
		}
	}
	s.Pipeline = nil
	if _, _, names := s.Complete("step.", 5); names != nil {
		t.Errorf("there are steps without a pipeline: %v", names)
	}
}

// TestBudgets gives each expression a budget of its own.
func TestBudgets(t *testing.T) {
	s := session(t)
	heavy := "length([for a in range(1000) : [for b in range(50) : b]])"
	for range 3 {
		if r := s.Eval(heavy, 1); r.Text != "1000" {
			t.Fatal(r.Text, r.Diags)
		}
	}
	for _, text := range []string{"[for a in range(1000) : [for b in range(1000) : range(1000)]]", strings.Repeat("(", 100), "a\x00b", "\xff", ""} {
		if r := s.Eval(text, 1); !r.Diags.HasErrors() {
			t.Errorf("%.40q gives %s", text, r.Text)
		}
	}
}

func TestHistory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "deep", "history")
	h, err := OpenHistory(path)
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"a", "a", "", " hidden", "b", "a"} {
		h.Add(line)
	}
	if h.Err() != nil || h.Len() != 3 || h.At(0) != "a" || h.At(2) != "a" || h.At(1) != "b" {
		t.Fatal(h.lines, h.Err())
	}
	for i := range maxHistory + 5 {
		h.Add(fmt.Sprint(i))
	}
	if h, err = OpenHistory(path); err != nil || h.Len() != maxHistory || h.At(0) != fmt.Sprint(maxHistory+4) {
		t.Fatal(h.Len(), err)
	}
	text, err := os.ReadFile(path)
	if err != nil || strings.Count(string(text), "\n") != maxHistory {
		t.Error("the file was not cut", err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o600 {
		t.Error(info.Mode(), err)
	}
	if none, err := OpenHistory(""); err != nil || none.Len() != 0 {
		t.Error(err)
	}
	h.path = t.TempDir() // a folder
	h.Add("x")
	if h.Err() == nil || h.At(0) != "x" {
		t.Error("a line that cannot be kept is no error at the end")
	}
}
