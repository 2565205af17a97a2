package eval

import (
	"bytes"
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/containerpub/cpub/sdk/schema"
)

// jsonSeeds are files that FuzzParseJSON and TestJSONReader begin with.
var jsonSeeds = []string{
	`{}`, `[]`, `null`, `"a"`, ` { "a" : [ 1 , -0.5e+3 , true , false , null ] } `,
	`{"locals":{"a":"${var.b} \"${upper(\"x\")}\"","b":["%{ if true }x%{ endif }",{"${local.a}":1}],"//":"${"}}`,
	`{"variable":{"v":{"type":"list(object({ y = optional(string, \"z\") }))","default":[]}},"pipeline":{"p":{"step":{"object_put":{"s":{"content":"\u00e9\ud83d\ude00${var.v}","url":[{"x":1},{"dynamic":{"rule":{"for_each":"${var.v}","iterator":"it","content":{"y":"${it.value}"}}}}],"depends_on":["step.t"],"provider":"a.b","retry":[{"max_attempts":1}]}}},"output":[{"o":{"value":"${step.s.url}"}}]}}}`,
	`{"schedule":{"s":{"pipeline":"p","cron":["0 2 * * *","${local.c}"],"variables":{"n":"${upper(\"x\")}"},"paused":true,"interval":"1h"}},"locals":{"c":"${local.d}","d":"${var.e}"}}`,
	`[{"pipeline":[{"a":[{"step":{"object_put":{"s":[{}]}}}]}]},{"locals":null}]`,
	`{"a":1,"a":2}`, `{"a":1,}`, `[1 2]`, `{"a"}`, `"\ud83d"`, `"\x"`, "\"\t\"", `01`, `1.`, `1e`, `-`, `1e9999`, `nul`, "\ufeff{}", "\"\xff\"", `"open`, `{"a":`,
	`{"locals":{"a":"${[for x in range(1000) : [for y in range(1000) : [for z in range(1000) : x]]]}"}}`,
}

// lenient is what encoding/json takes and this reader refuses, on purpose.
func lenient(d *hcl.Diagnostic) bool {
	return slices.Contains([]string{"Duplicate property", "Number too large", "Nested too deep"}, d.Summary) || strings.HasPrefix(d.Detail, "This is half")
}

// checkReader compares the reader with encoding/json: what is JSON, and what texts say.
func checkReader(t *testing.T, src []byte) {
	t.Helper()
	node, d := parseJSON("a.hcl.json", src)
	if valid := json.Valid(src); valid != (d == nil) && (d == nil || !lenient(d)) {
		t.Fatalf("encoding/json says %t, and this reader %v", valid, d)
	}
	if d != nil {
		if r := d.Subject; r.Start.Byte < 0 || r.End.Byte > len(src) || r.Start.Byte > r.End.Byte {
			t.Fatalf("%s is at %v of %d bytes", d.Detail, r, len(src))
		}
		return
	}
	checkNode(t, src, node)
}

func checkNode(t *testing.T, src []byte, n *jsonNode) {
	t.Helper()
	var again any
	dec := json.NewDecoder(bytes.NewReader(n.rng.SliceBytes(src)))
	dec.UseNumber()
	if err := dec.Decode(&again); err != nil {
		t.Fatalf("%q is the place of a value: %v", n.rng.SliceBytes(src), err)
	}
	switch n.kind {
	case jsonString:
		checkSaid(t, n.text, again)
	case jsonObject:
		for _, m := range n.members {
			var name string
			if err := json.Unmarshal(m.name.rng.SliceBytes(src), &name); err != nil {
				t.Fatal(err)
			}
			checkSaid(t, m.name, name)
			checkNode(t, src, m.value)
		}
	case jsonArray:
		for _, item := range n.items {
			checkNode(t, src, item)
		}
	default:
	}
}

func checkSaid(t *testing.T, text *jsonText, want any) {
	t.Helper()
	if text.text != want {
		t.Fatalf("%q was read as %q", want, text.text)
	}
	if text.places == nil {
		return
	}
	if len(text.places) != len(text.text)+1 {
		t.Fatalf("%d places for %d bytes", len(text.places), len(text.text))
	}
	for i := 1; i < len(text.places); i++ {
		if text.places[i].Byte < text.places[i-1].Byte {
			t.Fatalf("places go back: %v", text.places)
		}
	}
}

func TestJSONReader(t *testing.T) {
	for _, src := range jsonSeeds {
		if utf8.ValidString(src) { // others are refused before
			t.Run("", func(t *testing.T) { checkReader(t, []byte(src)) })
		}
	}
}

// TestJSONPlaces wants every reference at its place in the file, with escapes before and inside it.
func TestJSONPlaces(t *testing.T) {
	src := `{
  "locals": {
    "plain": "a ${local.one} b",
    "moved": "\"\n\u00e9\ud83d\ude00é ${local.two}",
    "inside": "\t${join(\"\\n\", [for x in local.three : \u0022${x.four}\"])}",
    "one": 1, "two": 2, "three": [{"four": 4}]
  }
}`
	m, diags := Parse([]File{{Path: "main.hcl.json", Content: []byte(src)}})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	for name, want := range map[string]string{"plain": "3:17 local.one", "moved": "4:41 local.two", "inside": "5:43 local.three"} {
		refs, diags := references(m.Local(name).Expr)
		if diags.HasErrors() || len(refs) != 1 {
			t.Fatal(name, refs, diags)
		}
		at := refs[0].Range
		line := strings.Split(src, "\n")[at.Start.Line-1]
		if text := string(at.SliceBytes([]byte(src))); !strings.HasSuffix(want, " "+text) {
			t.Errorf("%s: the reference is at %q", name, text)
		}
		if column := len([]rune(line[:strings.Index(line, "local.")])) + 1; at.Start.Column != column {
			t.Errorf("%s: column %d, want %d", name, at.Start.Column, column)
		}
	}
}

// TestJSONHostile runs in JSON what TestHostileExpressions runs natively: the budgets are the same.
func TestJSONHostile(t *testing.T) {
	for _, expr := range []string{
		`[for a in range(1000) : [for b in range(1000) : [for c in range(1000) : a]]]`,
		`join("", [for i in range(1000) : format("%2000d", i)])`,
		`1e1200 * 1e1200 * 1e1200`,
		`%{ for a in range(1000) }%{ for b in range(1000) }%{ for c in range(1000) }x%{ endfor }%{ endfor }%{ endfor }`,
		strings.Repeat("(", 100) + "1" + strings.Repeat(")", 100),
		strings.Repeat("1+", 2000) + "1",
	} {
		if !strings.HasPrefix(expr, "%{") {
			expr = "${" + expr + "}"
		}
		for _, escape := range []string{"", "\""} { // an escape takes another way through the reader
			text, err := json.Marshal(map[string]any{"locals": map[string]any{"x": []any{map[string]any{"y": escape + expr}}}})
			if err != nil {
				t.Fatal(err)
			}
			began := time.Now()
			m, diags := Parse([]File{{Path: "main.hcl.json", Content: text}})
			if !diags.HasErrors() {
				_, diags = m.Scope(nil, Inputs{}).Value(m.Local("x").Expr, cty.DynamicPseudoType)
			}
			if !diags.HasErrors() {
				t.Errorf("%.60s was evaluated", expr)
			}
			if took := time.Since(began); took > 5*time.Second {
				t.Errorf("%.60s took %s", expr, took)
			}
		}
	}
}

// TestJSONLarge reads a file at the limit, on one line: about a second's work, where the square of its length would be hours.
func TestJSONLarge(t *testing.T) {
	var b strings.Builder
	b.WriteString(`{"locals":{"x":["é\t${1}"`)
	for b.Len() < MaxFileSize-100 {
		b.WriteString(`,{"a":"\u00e9 ${upper(\"b\")}"}`)
	}
	b.WriteString("]}}")
	began := time.Now()
	if _, diags := Parse([]File{{Path: "main.hcl.json", Content: []byte(b.String())}}); diags.HasErrors() {
		t.Fatal(diags[0])
	}
	if took := time.Since(began); took > 30*time.Second {
		t.Errorf("it took %s", took)
	}
}

func FuzzParseJSON(f *testing.F) {
	for _, s := range jsonSeeds {
		f.Add([]byte(s))
	}
	rule := schema.Block{Name: "rule", Nesting: schema.NestingList, Object: schema.Object{Attrs: []schema.Attr{{Name: "y", Type: cty.String}}}}
	shape := schema.Object{
		Attrs: []schema.Attr{{Name: "content", Type: cty.String}},
		Blocks: []schema.Block{
			{Name: "url", Nesting: schema.NestingList, Object: schema.Object{Attrs: []schema.Attr{{Name: "x", Type: cty.DynamicPseudoType}}, Blocks: []schema.Block{rule}}},
			{Name: "one", Nesting: schema.NestingSingle, Object: rule.Object},
			{Name: "named", Nesting: schema.NestingMap, Object: rule.Object},
		},
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		if len(src) < MaxFileSize && bytes.IndexByte(src, 0) < 0 {
			if d := readableText(File{Content: src}, hcl.Range{}); d == nil {
				checkReader(t, src)
			}
		}
		m, diags := Parse([]File{{Path: "main.hcl.json", Content: src}})
		diags = append(diags, everything(m, shape)...)
		for _, d := range diags {
			if d.Summary == "Internal error" {
				t.Errorf("%s", d.Detail)
			}
			if r := d.Subject; r != nil && (r.Start.Byte < 0 || r.End.Byte > len(src) || r.Start.Byte > r.End.Byte) {
				t.Errorf("%s: %s is at %v of %d bytes", d.Summary, d.Detail, r, len(src))
			}
		}
	})
}

// everything evaluates all there is in a module.
func everything(m *Module, shape schema.Object) hcl.Diagnostics {
	_, diags := m.ResolveVariables(nil)
	for _, p := range m.Pipelines {
		diags = append(diags, m.CheckReferences(p, func(string) (schema.Object, bool) { return shape, true })...)
		diags = append(diags, m.CheckCycles(p)...)
		for _, s := range p.Steps {
			call, more := m.Scope(p, Inputs{Steps: map[string]cty.Value{s.Name: UnknownStep(shape)}}).Step(s, shape)
			diags = append(diags, more...)
			_ = Locations(shape, call.Input)
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
	return append(diags, schedules(m)...)
}

// schedules evaluates a module's schedules.
func schedules(m *Module) (diags hcl.Diagnostics) {
	for _, s := range m.Schedules {
		diags = append(diags, m.CheckSchedule(s)...)
		_, more := m.Scope(nil, Inputs{}).Schedule(s)
		diags = append(diags, more...)
	}
	return diags
}
