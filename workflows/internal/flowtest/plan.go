// Package flowtest gives the tests of workflows what they run: plans of small pipelines, and a host whose steps are functions.
package flowtest

import (
	"context"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"github.com/containerpub/cpub/engine"
	"github.com/containerpub/cpub/engine/eval"
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

// Plan makes a plan of a module of one file, whose one pipeline's steps are of type "work".
func Plan(t testing.TB, src string) *engine.Plan {
	t.Helper()
	module, diags := eval.Parse([]eval.File{{Path: "main.hcl", Content: []byte(src)}})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	pipeline := module.Pipelines[0]
	step := Info().Steps[0]
	shape := schema.Step{Input: step.Input, Output: step.Output}
	digest, err := shape.Digest()
	if err != nil {
		t.Fatal(err)
	}
	p := &engine.Plan{
		Format: engine.PlanFormat, Language: engine.Language, Pipeline: pipeline.Name,
		Files:   []engine.File{{Path: "main.hcl", Content: []byte(src)}},
		Schemas: []engine.StepSchema{{Type: step.Name, Digest: digest, Step: shape}},
	}
	for _, s := range pipeline.Steps {
		planned := engine.Step{Name: s.Name, Type: s.Type, Provider: s.Provider}
		for _, dep := range module.Deps(pipeline, s) {
			planned.Deps = append(planned.Deps, dep.Step)
		}
		p.Steps = append(p.Steps, planned)
	}
	return p
}
