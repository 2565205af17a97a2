package config_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/rogpeppe/go-internal/txtar"
	"github.com/zclconf/go-cty/cty"

	"github.com/containerpub/cpub/engine"
	"github.com/containerpub/cpub/engine/config"
	"github.com/containerpub/cpub/plugins/podman/steps"
	"github.com/containerpub/cpub/sdk/schema"
)

// withBlocks are the contracts and a step type with nested blocks of every kind.
func withBlocks() config.Schemas {
	port := schema.Object{
		Attrs:  []schema.Attr{{Name: "number", Type: cty.Number, Required: true}, {Name: "note", Type: cty.String}},
		Blocks: []schema.Block{{Name: "rule", Nesting: schema.NestingList, Object: schema.Object{Attrs: []schema.Attr{{Name: "from", Type: cty.String}}}}},
	}
	s := config.Contracts()
	for _, own := range steps.All() { // an example has one of them
		s[own.Name] = config.Offer{Step: own.Step}
	}
	s["demo"] = config.Offer{Step: schema.Step{
		Input: schema.Object{
			Attrs: []schema.Attr{
				{Name: "text", Type: cty.String},
				{Name: "any", Type: cty.DynamicPseudoType},
				{Name: "env", Type: cty.Map(cty.String)},
				{Name: "number", Type: cty.Number},
			},
			Blocks: []schema.Block{
				{Name: "port", Nesting: schema.NestingList, Object: port},
				{Name: "health", Nesting: schema.NestingSingle, Object: schema.Object{Attrs: []schema.Attr{{Name: "every", Type: cty.String, Format: schema.FormatDuration}}}},
				{Name: "volume", Nesting: schema.NestingMap, Object: schema.Object{Attrs: []schema.Attr{{Name: "size", Type: cty.String, Format: schema.FormatSize}}}},
			},
		},
		Output: schema.Object{Attrs: []schema.Attr{{Name: "out", Type: cty.String}}},
	}}
	return s
}

// explained is what a module's pipelines would do, without what tells its files apart.
func explained(t *testing.T, dir string, flags []string) string {
	t.Helper()
	m, diags := config.Load(t.Context(), dir, withBlocks(), config.Options{Version: "0.1.0"})
	noErrors(t, diags, m.Files)
	vars, diags := config.Variables(m.Module, config.Sources{Flags: flags})
	noErrors(t, diags, m.Files)
	var out strings.Builder
	schedules, err := json.MarshalIndent(m.Schedules, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	out.Write(append(schedules, '\n'))
	for _, plan := range m.Plans {
		x, diags := previewed(t, plan, vars)
		noErrors(t, diags, m.Files)
		x.Digest = ""
		doc, err := x.Document()
		if err != nil {
			t.Fatal(err)
		}
		for _, v := range []any{plan.Steps, plan.Schemas, doc, firstTasks(t, plan, vars.JSON)} {
			b, err := json.MarshalIndent(v, "", " ")
			if err != nil {
				t.Fatal(err)
			}
			out.Write(append(b, '\n'))
		}
	}
	return out.String()
}

// firstTasks are what a run begins with: the inputs that providers get.
func firstTasks(t *testing.T, plan *engine.Plan, variables json.RawMessage) []engine.Task {
	t.Helper()
	program, err := engine.Compile(plan)
	if err != nil {
		t.Fatal(err)
	}
	run, err := program.Schedule(engine.Start{Variables: variables, WorkflowID: "w", RunID: "r", StartedAt: "2026-01-01T00:00:00Z"})
	if err != nil {
		t.Fatal(err)
	}
	return run.Ready()
}

func same(t *testing.T, native, inJSON string) {
	t.Helper()
	if native == inJSON {
		return
	}
	a, b := strings.Split(native, "\n"), strings.Split(inJSON, "\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			t.Fatalf("line %d is, natively, and in JSON:\n%s\n%s", i+1, a[i], b[i])
		}
	}
	t.Fatalf("natively there are %d lines, in JSON %d", len(a), len(b))
}

// TestJSONExamples turns every example into JSON, and wants the steps and values of the example itself.
func TestJSONExamples(t *testing.T) {
	folders, err := filepath.Glob(filepath.Join(examples, "*"))
	if err != nil || len(folders) == 0 {
		t.Fatal("there are no examples", err)
	}
	vars := map[string][]string{
		"function": {"function_id=42", `input={"n": 1}`}, "fan-out": {"key=a/b.tar.gz"}, "when-retry": {"image=localhost:5000/job", "warm_up=true"},
		"nightly": {"report=daily"}, "release": {"function=hello", "version=2"}, "service": {"version=2", "previous=1"},
	}
	for _, folder := range folders {
		name := filepath.Base(folder)
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.CopyFS(dir, os.DirFS(folder)); err != nil {
				t.Fatal(err)
			}
			sources, err := filepath.Glob(filepath.Join(dir, "*.hcl"))
			if err != nil || len(sources) == 0 {
				t.Fatal("there is no source", err)
			}
			for _, path := range sources {
				if strings.HasSuffix(path, ".cpubtest.hcl") {
					continue
				}
				writeJSON(t, path)
			}
			same(t, explained(t, folder, vars[name]), explained(t, dir, vars[name]))
		})
	}
}

// writeJSON replaces a file by its translation.
func writeJSON(t *testing.T, path string) {
	t.Helper()
	src, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	file, diags := hclsyntax.ParseConfig(src, path, hcl.InitialPos)
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	body, ok := file.Body.(*hclsyntax.Body)
	if !ok {
		t.Fatalf("the body is a %T", file.Body)
	}
	text, err := json.MarshalIndent(jsonOf(body, src), "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path+".json", text, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
}

// jsonOf is a body as an object. Every expression becomes "${…}", but those that are names; blocks become arrays, which keep their order.
func jsonOf(body *hclsyntax.Body, src []byte) map[string]any {
	out := map[string]any{}
	for name, a := range body.Attributes {
		text := string(a.Expr.Range().SliceBytes(src))
		switch name {
		case "type", "provider", "iterator":
			out[name] = text
		case "depends_on":
			out[name] = strings.FieldsFunc(strings.Trim(text, "[]"), func(r rune) bool { return r == ',' || r == ' ' || r == '\n' })
		default:
			out[name] = "${" + text + "}"
		}
	}
	for _, b := range body.Blocks {
		var v any = jsonOf(b.Body, src)
		for _, label := range slices.Backward(b.Labels) {
			v = map[string]any{label: v}
		}
		all, _ := out[b.Type].([]any)
		out[b.Type] = append(all, v)
	}
	return out
}

func write(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
}

// TestJSONPairs compares what the files NAME.hcl and NAME.hcl.json of each archive mean.
func TestJSONPairs(t *testing.T) {
	archives, err := filepath.Glob(filepath.Join("testdata", "json", "*.txtar"))
	if err != nil || len(archives) < 8 {
		t.Fatalf("%d archives, want at least 8: %v", len(archives), err)
	}
	for _, path := range archives {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txtar"), func(t *testing.T) {
			ar, err := txtar.ParseFile(path)
			if err != nil {
				t.Fatal(err)
			}
			native, inJSON := t.TempDir(), t.TempDir()
			var flags []string
			for _, f := range ar.Files {
				dir := native
				switch {
				case f.Name == "vars":
					flags = strings.FieldsFunc(string(f.Data), func(r rune) bool { return r == '\n' })
					continue
				case strings.HasSuffix(f.Name, ".json"):
					dir = inJSON
				}
				write(t, filepath.Join(dir, f.Name), f.Data)
				if filepath.Ext(f.Name) != ".hcl" && filepath.Ext(f.Name) != ".json" {
					write(t, filepath.Join(inJSON, f.Name), f.Data)
				}
			}
			got := explained(t, inJSON, flags)
			if !strings.Contains(got, `"steps"`) {
				t.Fatal("nothing was compared")
			}
			same(t, explained(t, native, flags), got)
		})
	}
}
