package preview

import (
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/containerpub/cpub/engine"
	"github.com/containerpub/cpub/sdk/contract"
)

var update = flag.Bool("update", false, "write the golden files")

const source = `
variable "name" { default = "hello" }
variable "memory" { type = number }
locals {
  image = step.image.image
}
pipeline "deploy" {
  timeout = "15m"
  step "object_fetch" "archive" {
    bucket = "functions"
    key    = "${var.name}.tar.gz"
  }
  step "archive_extract" "source" {
    archive          = step.archive.file
    strip_components = 1
  }
  step "image_build" "image" {
    context    = step.source.directory
    tags       = ["${var.name}:latest"]
    build_args = { BASE = "b", "odd key" = var.name, C = "c", D = "d", E = "e" }
    retry {
      max_attempts = 3
      on           = ["exit"]
    }
  }
  step "container_run" "invoke" {
    image   = local.image
    memory  = "${var.memory}m"
    command = ["run", step.image.size]
    env     = { A = "1" }
    timeout = "1m"
    when    = step.image.cached == false
  }
  step "container_run" "never" {
    image = "a"
    when  = var.memory > 1000
  }
  output "result" { value = step.invoke.stdout }
  output "name" { value = { a = var.name } }
}
`

func plan(t *testing.T) *engine.Plan {
	t.Helper()
	p := &engine.Plan{
		Format: 1, Language: 1, Pipeline: "deploy", Files: []engine.File{{Path: "main.hcl", Content: []byte(source)}},
		Steps: []engine.Step{
			{Name: "archive", Type: "object_fetch"},
			{Name: "source", Type: "archive_extract", Deps: []string{"archive"}},
			{Name: "image", Type: "image_build", Deps: []string{"source"}},
			{Name: "invoke", Type: "container_run", Deps: []string{"image"}},
			{Name: "never", Type: "container_run"},
		},
	}
	for _, c := range []contract.Type{contract.ArchiveExtract(), contract.ContainerRun(), contract.ImageBuild(), contract.ObjectFetch()} {
		digest, err := c.Digest()
		if err != nil {
			t.Fatal(err)
		}
		p.Schemas = append(p.Schemas, engine.StepSchema{Type: c.Name, Digest: digest, Step: c.Step})
	}
	return p
}

func TestPreview(t *testing.T) {
	p, err := Make(plan(t), json.RawMessage(`{"memory":128}`))
	if err != nil {
		t.Fatal(err)
	}
	p.Digest = "sha256:…"
	golden(t, "plan.txt", strings.Join(p.Lines(func(s string) string { return s }), "\n")+"\n")
	doc, err := p.Document()
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.MarshalIndent(doc, "", "  ")
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "plan.json", string(text)+"\n")
}

func TestPreviewFindsMistakes(t *testing.T) {
	for variables, want := range map[string]string{
		`{}`:                         `"memory" has no value`,
		`{"memory":"much"}`:          `"memory"`,
		`{"memory":-1}`:              `memory`,
		`{"memory":1,"mem":2}`:       `no variable "mem"`,
		`{"memory":1,"name":"a\nb"}`: ``,
	} {
		_, err := Make(plan(t), json.RawMessage(variables))
		var diags *engine.DiagnosticsError
		switch {
		case want == "" && err != nil:
			t.Errorf("%s: %v", variables, err)
		case want != "" && (!errors.As(err, &diags) || !strings.Contains(err.Error(), want)):
			t.Errorf("%s: got %v, want %q", variables, err, want)
		}
	}
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name)
	if *update {
		if err := os.MkdirAll("testdata", 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != got {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}
