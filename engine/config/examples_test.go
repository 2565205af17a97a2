package config_test

import (
	"bytes"
	"context"
	"path/filepath"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"

	"github.com/containerpub/cpub/engine"
	"github.com/containerpub/cpub/engine/config"
	"github.com/containerpub/cpub/engine/eval"
)

const examples = "../../examples/hcl"

func mustLoad(t *testing.T, path string) *config.Module {
	t.Helper()
	m, diags := config.Load(t.Context(), path, config.Contracts(), config.Options{Version: "0.1.0"})
	noErrors(t, diags, m.Files)
	return m
}

func noErrors(t *testing.T, diags hcl.Diagnostics, files map[string]*hcl.File) {
	t.Helper()
	if len(diags) > 0 {
		t.Fatalf("unexpected diagnostics:\n%s", render(t, diags, files))
	}
}

func render(t *testing.T, diags hcl.Diagnostics, files map[string]*hcl.File) string {
	t.Helper()
	var b bytes.Buffer
	if err := config.WriteDiagnostics(&b, diags, files, config.Style{}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// TestExamples loads every example, makes its plan twice, and shows it with its variables as `cpub plan` does.
func TestExamples(t *testing.T) {
	for _, tt := range []struct {
		dir  string
		vars []string
		deps map[string]string
	}{
		{"function", []string{"function_id=42"}, map[string]string{
			"archive": "", "source": "archive", "image": "source", "publish": "image", "invoke": "publish",
		}},
		{"fan-out", []string{"key=a/b.tar.gz"}, map[string]string{
			"lint": "image", "test": "image", "audit": "image", "report": "source lint test audit",
		}},
		{"when-retry", []string{"image=localhost:5000/job"}, map[string]string{"warm_up": "image", "job": "warm_up"}},
		{"templates", nil, map[string]string{"page": ""}},
		{"pages", nil, map[string]string{"make": "", "site": "make", "report": "make"}},
	} {
		t.Run(tt.dir, func(t *testing.T) {
			m := mustLoad(t, filepath.Join(examples, tt.dir))
			if len(m.Plans) != 1 {
				t.Fatalf("%d plans, want 1", len(m.Plans))
			}
			for name, want := range tt.deps {
				if got := strings.Join(m.Plans[0].Step(name).Deps, " "); got != want {
					t.Errorf("step %s waits for %q, want %q", name, got, want)
				}
			}
			data, digest, err := m.Plans[0].Encode()
			if err != nil {
				t.Fatal(err)
			}
			_, again, _ := mustLoad(t, filepath.Join(examples, tt.dir)).Plans[0].Encode()
			if digest != again {
				t.Errorf("the digest changed from %s to %s", digest, again)
			}
			if bytes.Contains(data, []byte(t.TempDir())) || bytes.Contains(data, []byte("/examples/")) {
				t.Error("the plan holds a path of this machine")
			}
			if _, err := engine.DecodePlan(data); err != nil {
				t.Error(err)
			}
			vars, diags := config.Variables(m.Module, config.Sources{Flags: tt.vars})
			noErrors(t, diags, m.Files)
			x, diags := previewed(t, m.Plans[0], vars)
			noErrors(t, diags, m.Files)
			x.Digest = "sha256:…"
			text := strings.Join(x.Lines(func(s string) string { return s }), "\n")
			golden(t, filepath.Join("testdata", "plan", tt.dir+".txt"), text+"\n")
		})
	}
}

// TestFlagship loads the pipeline of the language's own page, without what this build refuses.
func TestFlagship(t *testing.T) {
	m := mustLoad(t, filepath.Join("testdata", "flagship.hcl"))
	vars, diags := config.Variables(m.Module, config.Sources{
		Env:   []string{"CPUB_VAR_bucket=from-env", "OTHER=1"},
		Files: []string{filepath.Join(examples, "function", ".env.example")},
		Flags: []string{"function_id=42", "function_version=3", `input={"n": 1}`},
	})
	noErrors(t, diags, m.Files)
	want := `{"bucket":"from-env","docker_base_image":"localhost:5000/function-base:latest","docker_registry":"localhost:5000",` +
		`"function_id":"42","function_max_memory_mb":128,"function_timeout_seconds":5,"function_version":"3","input":{"n":1}}`
	if string(vars.JSON) != want {
		t.Errorf("variables are\n%s\nwant\n%s", vars.JSON, want)
	}
	p := m.Pipeline("deploy_function")
	steps := m.UnknownSteps(p)
	scope := m.Scope(p, eval.Inputs{Variables: vars.All, Steps: steps})
	shape := config.Contracts()["container_run"].Step
	call, diags := scope.Step(p.Step("invoke"), shape.Input)
	noErrors(t, diags, m.Files)
	if got := call.Input.GetAttr("env").Index(ctyText("FUNCTION_INPUT")); got.AsString() != `{"n":1}` {
		t.Errorf("FUNCTION_INPUT is %s", got.AsString())
	}
	if got := call.Input.GetAttr("memory").AsString(); got != "128m" {
		t.Errorf("memory is %s", got)
	}
}

func TestLoadCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, diags := config.Load(ctx, filepath.Join(examples, "function"), config.Contracts(), config.Options{}); !diags.HasErrors() {
		t.Error("loading went on after its context ended")
	}
}
