// Package flowtest gives the tests of workflows what they run: plans of small pipelines, and a host whose steps are functions.
package flowtest

import (
	"context"
	"os"
	"path/filepath"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"github.com/containerpub/cpub/engine"
	"github.com/containerpub/cpub/engine/config"
	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/schema"
)

// Instance is the one provider instance of these tests.
const Instance = "fake.local"

// Location is where its located values are.
const Location = "here"

// Info describes the provider of these tests: its one step type "work" takes a text and an image, and gives both.
func Info() sdk.Info {
	return sdk.Info{Name: "fake", Version: "1.0.0", Steps: []sdk.StepType{{
		Name: "work",
		Input: schema.Object{Attrs: []schema.Attr{
			{Name: "text", Type: cty.String, Required: true},
			{Name: "image", Type: cty.DynamicPseudoType, Located: true},
		}},
		Output: schema.Object{Attrs: []schema.Attr{
			{Name: "text", Type: cty.String},
			{Name: "image", Type: schema.LocatedType, Located: true},
		}},
		Run: func(context.Context, *sdk.Request) (any, error) { return nil, nil },
	}}}
}

// Plan makes a plan of the first pipeline of a module of one file, whose steps are of type "work" or of the engine's own.
func Plan(t testing.TB, src string) *engine.Plan {
	t.Helper()
	plan, _ := Plans(t, src)
	return plan
}

// Plans makes the plan of a module's first pipeline, and those that it calls.
func Plans(t testing.TB, src string) (plan *engine.Plan, callees []*engine.Plan) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "main.hcl"), []byte(src), 0o600); err != nil {
		t.Fatal(err)
	}
	schemas, err := config.FromProviders(Info())
	if err != nil {
		t.Fatal(err)
	}
	module, diags := config.Load(t.Context(), dir, schemas, config.Options{})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return module.Plans[0], module.Callees(module.Plans[0])
}
