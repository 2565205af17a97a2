package jsonschema

import (
	"bytes"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/txtar"
	validator "github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/zclconf/go-cty/cty"

	"github.com/containerpub/cpub/cmd/cpub/internal/catalog"
	"github.com/containerpub/cpub/sdk/contract"
	"github.com/containerpub/cpub/sdk/schema"
)

// steps are the contracts, and the type with nested blocks that engine/config compares both syntaxes by.
func steps() []catalog.Step {
	var all []catalog.Step
	for _, t := range contract.All() {
		all = append(all, catalog.Step{Name: t.Name, Doc: t.Doc, Step: t.Step})
	}
	rule := schema.Object{Attrs: []schema.Attr{{Name: "from", Type: cty.String}}}
	port := schema.Object{
		Attrs:  []schema.Attr{{Name: "number", Type: cty.Number, Required: true}, {Name: "note", Type: cty.String}},
		Blocks: []schema.Block{{Name: "rule", Nesting: schema.NestingList, Object: rule}},
	}
	return append(all, catalog.Step{Name: "demo", Step: schema.Step{Input: schema.Object{
		Attrs: []schema.Attr{
			{Name: "text", Type: cty.String},
			{Name: "any", Type: cty.DynamicPseudoType},
			{Name: "env", Type: cty.Map(cty.String)},
			{Name: "number", Type: cty.Number, Default: "1", Deprecated: "use any"},
			{Name: "mode", Type: cty.String, Enum: []string{"a", "b"}},
		},
		Blocks: []schema.Block{
			{Name: "port", Nesting: schema.NestingList, Object: port},
			{Name: "health", Nesting: schema.NestingSingle, Object: schema.Object{Attrs: []schema.Attr{{Name: "every", Type: cty.String, Format: schema.FormatDuration}}}},
			{Name: "volume", Nesting: schema.NestingMap, Object: schema.Object{Attrs: []schema.Attr{{Name: "size", Type: cty.String, Format: schema.FormatSize}}}},
		},
	}}})
}

func compile(t *testing.T) *validator.Schema {
	t.Helper()
	text, err := json.Marshal(File(steps()))
	if err != nil {
		t.Fatal(err)
	}
	again, err := json.Marshal(File(steps()))
	if err != nil || !bytes.Equal(text, again) {
		t.Fatal("the schema is written otherwise the second time", err)
	}
	doc, err := validator.UnmarshalJSON(bytes.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	c := validator.NewCompiler() // checks the schema against its own draft
	if err := c.AddResource("https://cpub.test/file.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("https://cpub.test/file.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func validate(t *testing.T, s *validator.Schema, text string) error {
	t.Helper()
	doc, err := validator.UnmarshalJSON(strings.NewReader(text))
	if err != nil {
		t.Fatal(err)
	}
	return s.Validate(doc)
}

// TestRight takes everything that engine/config compares with native syntax, the examples among it.
func TestRight(t *testing.T) {
	s := compile(t)
	archives, err := filepath.Glob("../../../../engine/config/testdata/json/*.txtar")
	if err != nil || len(archives) < 8 {
		t.Fatalf("%d archives: %v", len(archives), err)
	}
	for _, path := range archives {
		ar, err := txtar.ParseFile(path)
		if err != nil {
			t.Fatal(err)
		}
		for _, f := range ar.Files {
			if strings.HasSuffix(f.Name, ".json") {
				if err := validate(t, s, string(f.Data)); err != nil {
					t.Errorf("%s: %#v", filepath.Base(path), err)
				}
			}
		}
	}
	if err := validate(t, s, `{"$schema": "file.json", "//": "x"}`); err != nil {
		t.Error(err)
	}
}

// TestWrong has one mistake each.
func TestWrong(t *testing.T) {
	s := compile(t)
	step := func(kind, body string) string {
		return `{"pipeline": {"p": {"step": {"` + kind + `": {"s": ` + body + `}}}}}`
	}
	if err := validate(t, s, step("demo", `{"text": "x", "mode": "${var.m}", "port": {"number": "1"}}`)); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"no object":          `"pipeline"`,
		"unknown top":        `{"pipelines": {}}`,
		"unknown in module":  `[{}, {"resource": {}}]`,
		"pipeline as text":   `{"pipeline": "p"}`,
		"name":               `{"pipeline": {"a b": {}}}`,
		"unknown attribute":  `{"pipeline": {"p": {"timeou": "5m"}}}`,
		"step type":          step("image_biuld", `{}`),
		"step attribute":     step("object_fetch", `{"bucket": "b", "key": "k", "buckett": "b"}`),
		"step required":      step("object_fetch", `{"bucket": "b"}`),
		"step as text":       step("demo", `"x"`),
		"enum":               step("demo", `{"mode": "c"}`),
		"number":             step("demo", `{"number": "two"}`),
		"map":                step("demo", `{"env": ["A"]}`),
		"map of objects":     step("demo", `{"env": {"A": {}}}`),
		"size":               step("demo", `{"volume": {"v": {"size": "lots"}}}`),
		"duration":           step("demo", `{"health": {"every": "5 parsecs"}}`),
		"block as text":      step("demo", `{"health": "x"}`),
		"nested required":    step("demo", `{"port": [{"number": 1}, {}]}`),
		"nested unknown":     step("demo", `{"port": {"number": 1, "rule": {"form": "x"}}}`),
		"meta":               step("demo", `{"retry": {"max_attempt": 1}}`),
		"meta type":          step("demo", `{"retry": {"max_attempts": {}}}`),
		"depends_on":         step("demo", `{"depends_on": ["${step.a}"]}`),
		"depends_on as text": step("demo", `{"depends_on": "step.a"}`),
		"provider":           step("demo", `{"provider": ["a.b"]}`),
		"variable type":      `{"variable": {"v": {"type": 3}}}`,
		"variable attribute": `{"variable": {"v": {"defualt": 3}}}`,
		"sensitive":          `{"variable": {"v": {"sensitive": "perhaps"}}}`,
		"schedule":           `{"schedule": {"s": {"pipeline": "p", "corn": "@daily"}}}`,
		"schedule paused":    `{"schedule": {"s": {"pipeline": "p", "cron": "@daily", "paused": []}}}`,
		"output":             `{"pipeline": {"p": {"output": {"o": {"valeu": 1}}}}}`,
	} {
		if err := validate(t, s, text); err == nil {
			t.Errorf("%s: %s is taken", name, text)
		}
	}
}
