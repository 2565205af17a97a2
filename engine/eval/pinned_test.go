package eval

import (
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/ext/typeexpr"
	"github.com/zclconf/go-cty/cty"

	"github.com/containerpub/cpub/sdk/schema"
)

var update = flag.Bool("update", false, "add the results of lines that have none; those that are there stay")

// arrow stands between an expression and its result.
const arrow = "  =>  "

// failure begins the result of what is wrong; the summaries of the diagnostics follow, coarse enough to outlive another wording of the details.
const failure = "error: "

// elsewhere are the functions that are about runs, and have tests of their own.
var elsewhere = []string{"artifact", "secret"}

// TestPinned holds the results of `language = 1`: a plan of today must evaluate alike with every later build, and with every later version of
// what evaluates it. A line that is there never changes; a result that did is another language. Of an error, that it is one never changes; where
// we name its kind otherwise, its lines are changed by hand.
func TestPinned(t *testing.T) {
	paths, err := filepath.Glob("testdata/golden/*.txt")
	if err != nil {
		t.Fatal(err)
	}
	good, bad, lines := map[string]int{}, map[string]int{}, 0
	for _, path := range paths {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			for line := range pinnedLines(t, path) {
				lines++
				expr, result, _ := strings.Cut(line, arrow)
				seen := good
				if strings.HasPrefix(result, failure) {
					seen = bad
				}
				for _, name := range FunctionNames() {
					if strings.HasPrefix(expr, name+"(") {
						seen[name]++
					}
				}
			}
		})
	}
	for _, name := range FunctionNames() {
		if !slices.Contains(elsewhere, name) && (good[name] == 0 || bad[name] == 0) {
			t.Errorf("%s() has %d results and %d errors in the corpus", name, good[name], bad[name])
		}
	}
	if lines < 600 {
		t.Errorf("the corpus has %d lines", lines)
	}
}

// pinnedLines compares a file's lines with what they evaluate to, and gives them.
func pinnedLines(t *testing.T, path string) func(func(string) bool) {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(data), "\n"), "\n")
	changed := false
	for i, line := range lines {
		expr, want, is := strings.Cut(line, arrow)
		got := resultOf(t, path, expr)
		switch {
		case !is && *update:
			lines[i], changed = expr+arrow+got, true
		case !is:
			t.Errorf("%s:%d: %s has no result; -update adds it", path, i+1, expr)
		case got != want:
			t.Errorf("%s:%d: %s\ngives %s\nwant  %s", path, i+1, expr, got, want)
		}
	}
	if changed {
		if err := os.WriteFile(path, []byte(strings.Join(lines, "\n")+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return slices.Values(lines)
}

// resultOf evaluates a line: as an expression, or as what the name of the file says.
func resultOf(t *testing.T, path, text string) string {
	t.Helper()
	switch filepath.Base(path) {
	case "durations.txt":
		d, err := schema.ParseDuration(text)
		return orFailure(d.Std().String(), err)
	case "sizes.txt":
		s, err := schema.ParseSize(text)
		return orFailure(fmt.Sprint(int64(s)), err)
	case "json.txt":
		m, diags := Parse([]File{{Path: "main.hcl.json", Content: []byte(`{"locals":{"x":` + text + `},"variable":{"v":{},"secret":{"sensitive":true},"unknown":{}}}`)}})
		if diags.HasErrors() {
			return failed(diags)
		}
		return pinnedValue(m)
	}
	src := "variable \"v\" {}\nvariable \"secret\" {\n  sensitive = true\n}\nvariable \"unknown\" {}\nvariable \"null\" {}\nvariable \"list\" {}\nvariable \"objs\" {}\n" +
		"locals {\n  x = " + text + "\n}\n"
	m, diags := Parse([]File{{Path: "main.hcl", Content: []byte(src)}})
	if diags.HasErrors() {
		return failed(diags)
	}
	return pinnedValue(m)
}

// failed gives the kinds of what is wrong, each once, whatever the order of the diagnostics.
func failed(diags hcl.Diagnostics) string {
	var kinds []string
	for _, d := range diags {
		if d.Severity == hcl.DiagError {
			kinds = append(kinds, d.Summary)
		}
	}
	slices.Sort(kinds)
	return failure + strings.Join(slices.Compact(kinds), ", ")
}

// orFailure gives a text, or what kind of error there is: what follows the text that is wrong, up to the remedy.
func orFailure(text string, err error) string {
	if err == nil {
		return text
	}
	_, message, _ := strings.Cut(err.Error(), `" `)
	kind, _, _ := strings.Cut(message, ":")
	return failure + kind
}

// pinnedValue evaluates local.x.
func pinnedValue(m *Module) string {
	in := Inputs{
		Variables: cty.ObjectVal(map[string]cty.Value{
			"v": cty.StringVal("V"), "secret": cty.StringVal("s").Mark(Sensitive), "unknown": cty.DynamicVal, "null": cty.NullVal(cty.String),
			"list": cty.ListVal([]cty.Value{cty.StringVal("a"), cty.StringVal("b")}),
			"objs": cty.TupleVal([]cty.Value{cty.ObjectVal(map[string]cty.Value{"name": cty.StringVal("n"), "on": cty.True})}),
		}),
		Files: Recorded([]File{
			{Path: "a.txt", Content: []byte("hello")},
			{Path: "t.tmpl", Content: []byte("%{ for n in names }<${upper(n)}>%{ endfor }")},
			{Path: FileSetPath("d", "*.txt"), Content: []byte(`["b.txt","a.txt"]`)},
		}),
		RunID: "r1", StartedAt: "2026-01-01T00:00:00Z",
	}
	var v cty.Value
	var diags hcl.Diagnostics
	if v, diags = m.Scope(&Pipeline{Name: "p"}, in).Value(m.Local("x").Expr, cty.DynamicPseudoType); diags.HasErrors() {
		return failed(diags)
	}
	plain, _ := v.UnmarkDeep()
	return typeexpr.TypeString(plain.Type()) + " " + pinned(v)
}

// pinned writes all of a value: not as cty does, which may come to do it otherwise.
func pinned(v cty.Value) string {
	v, marks := v.Unmark()
	if len(marks) > 0 {
		return "sensitive(" + pinned(v) + ")"
	}
	switch {
	case !v.IsKnown():
		return "unknown"
	case v.IsNull():
		return "null"
	case v.Type() == cty.String:
		return strconv.QuoteToASCII(v.AsString())
	case v.Type() == cty.Number:
		return v.AsBigFloat().Text('g', -1)
	case v.Type() == cty.Bool:
		return strconv.FormatBool(v.True())
	}
	named := v.Type().IsObjectType() || v.Type().IsMapType()
	var all []string
	for it := v.ElementIterator(); it.Next(); {
		k, e := it.Element()
		text := pinned(e)
		if named {
			text = strconv.QuoteToASCII(k.AsString()) + ": " + text
		}
		all = append(all, text)
	}
	if named {
		return "{" + strings.Join(all, ", ") + "}"
	}
	return "[" + strings.Join(all, ", ") + "]"
}
