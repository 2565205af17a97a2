package workflows

import (
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"github.com/containerpub/cpub/engine"
	"github.com/containerpub/cpub/sdk/contract"
	"github.com/containerpub/cpub/sdk/schema"
)

func TestRoutes(t *testing.T) {
	shape := func(attrs ...schema.Attr) schema.Step { return schema.Step{Input: schema.Object{Attrs: attrs}} }
	plain := schema.Attr{Name: "text", Type: cty.String}
	needed := schema.Attr{Name: "new", Type: cty.String, Required: true}
	other := schema.Attr{Name: "text", Type: cty.Number}
	loader := &Loader{
		Offers: []Offer{
			{"podman.local", map[string]schema.Step{"run": shape(plain), "build": shape(plain)}},
			{"podman.builder", map[string]schema.Step{"run": shape(plain), "build": shape(plain), "changed": shape(other, needed)}},
		},
		Serve: map[string]string{"build": "podman.builder", "gone": "podman.nowhere"},
	}
	for name, tt := range map[string]struct {
		step engine.Step
		want string // the instance, or a part of the error
	}{
		"the first that offers it": {engine.Step{Name: "a", Type: "run"}, "podman.local"},
		"as worker.hcl says":       {engine.Step{Name: "a", Type: "build"}, "podman.builder"},
		"as the step says":         {engine.Step{Name: "a", Type: "run", Provider: "podman.builder"}, "podman.builder"},
		"nobody offers it":         {engine.Step{Name: "a", Type: "fly"}, "none of the worker's providers offers fly"},
		"an unknown instance":      {engine.Step{Name: "a", Type: "run", Provider: "s3.x"}, "the worker has no provider s3.x"},
		"one that does not":        {engine.Step{Name: "a", Type: "changed", Provider: "podman.local"}, "podman.local does not offer changed"},
		"an incompatible one": {
			engine.Step{Name: "a", Type: "changed"},
			"step a: changed of this worker's provider podman.builder is not what the plan was checked against: " +
				"text: the provider has it with another type; new: the provider now needs it; ",
		},
	} {
		t.Run(name, func(t *testing.T) {
			plan := &engine.Plan{Steps: []engine.Step{tt.step, tt.step}, Schemas: []engine.StepSchema{{Type: tt.step.Type, Step: shape(plain)}}}
			routes, err := loader.routes(plan)
			switch {
			case err != nil && !strings.Contains(err.Error(), tt.want):
				t.Errorf("error %v, want %q", err, tt.want)
			case err == nil && (len(routes) != 1 || routes[0].Instance != tt.want):
				t.Errorf("routes %+v, want %s", routes, tt.want)
			}
		})
	}
}

// TestRoutesWithoutAnAbility: a provider that lacks an ability serves the plans whose steps do not use it.
func TestRoutesWithoutAnAbility(t *testing.T) {
	full := contract.ContainerRun()
	less := full.Without(contract.AbilityFiles, contract.AbilityMount)
	loader := &Loader{Offers: []Offer{{"runc.local", map[string]schema.Step{"container_run": less.Step}}}}
	for body, want := range map[string]string{
		`image = "x"`: "",
		"image = \"x\"\nmount {\npath = \"/a\"\nvolume = \"v\"\n}":         "does not serve mount; ",
		"image = \"x\"\nfiles = {}":                                        "does not serve files; ",
		"image = \"x\"\ndynamic \"mount\" {\nfor_each = []\ncontent {}\n}": "does not serve mount; ",
	} {
		source := "pipeline \"p\" {\nstep \"container_run\" \"first\" { image = \"x\" }\nstep \"container_run\" \"a\" {\n" + body + "\n}\n}\n"
		plan := &engine.Plan{
			Format: 1, Language: 1, Pipeline: "p", Files: []engine.File{{Path: "main.hcl", Content: []byte(source)}},
			Steps:   []engine.Step{{Name: "first", Type: "container_run"}, {Name: "a", Type: "container_run"}},
			Schemas: []engine.StepSchema{{Type: "container_run", Step: full.Step}},
		}
		routes, err := loader.routes(plan)
		switch {
		case want == "" && (err != nil || len(routes) != 1):
			t.Errorf("%s: %v, %v", body, routes, err)
		case want != "" && (err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "step a: ")):
			t.Errorf("%s: %v, want %q", body, err, want)
		}
	}
}

func TestNames(t *testing.T) {
	for queue, want := range map[string]string{
		Queue("podman.local", ""):    "cpub.podman.local!release",
		Queue("podman.local", "x-1"): "cpub.podman.local!release@x-1",
	} {
		if got := ReleaseQueue(queue); got != want {
			t.Errorf("%s: %s, want %s", queue, got, want)
		}
	}
	if id, run := SplitRunName(RunName("p/a/b", "r")); id != "p/a/b" || run != "r" {
		t.Errorf("got %q and %q", id, run)
	}
}
