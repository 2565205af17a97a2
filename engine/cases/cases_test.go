package cases_test

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/hashicorp/hcl/v2"

	"github.com/containerpub/cpub/engine/cases"
	"github.com/containerpub/cpub/engine/config"
)

// load reads a module of one file and its tests.
func load(t testing.TB, module, tests string) (*cases.Suite, hcl.Diagnostics) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range map[string]string{"main.hcl": module, "main.cpubtest.hcl": tests} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	m, diags := config.Load(t.Context(), dir, config.Contracts(), config.Options{})
	if diags.HasErrors() {
		t.Fatal(show(t, diags, m.Files))
	}
	s, diags, err := cases.Load(t.Context(), m, nil)
	if err != nil {
		t.Fatal(err)
	}
	return s, diags
}

func show(t testing.TB, diags hcl.Diagnostics, files map[string]*hcl.File) string {
	t.Helper()
	var b bytes.Buffer
	if err := config.WriteDiagnostics(&b, diags, files, config.Style{}); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

const module = `
variable "name" {
  type = string
  validation {
    condition     = var.name != "bad"
    error_message = "Not that one."
  }
}
variable "parts" {
  type    = set(string)
  default = ["a", "b"]
}
pipeline "p" {
  step "object_fetch" "archive" {
    bucket = "b"
    key    = var.name
  }
  step "archive_extract" "source" { archive = step.archive.file }
  step "image_build" "image" {
    context = step.source.directory
    tags    = ["${var.name}:latest"]
    compensate "object_put" {
      bucket  = "b"
      key     = "undone"
      content = "${self.image.id}"
    }
  }
  step "container_run" "job" {
    for_each = var.parts
    image    = step.image.image
    command  = [each.key]
  }
  step "value" "all" { value = [for key, one in step.job : "${key}=${one.stdout}"] }
  step "pipeline" "child" {
    pipeline  = "c"
    variables = { name = var.name }
  }
  step "approval" "gate" { message = "${step.child.outputs.ended}" }
  output "all" { value = step.all.value }
  output "gate" { value = step.gate.approver }
  on_failure {
    step "object_put" "tell" {
      bucket  = "b"
      key     = "failed"
      content = run.error.code
    }
  }
}
pipeline "c" {
  step "wait" "pause" { duration = "1h" }
  step "image_pull" "pull" {
    reference  = var.name
    depends_on = [step.pause]
    until {
      condition    = self.digest == "3"
      max_attempts = 5
    }
  }
  output "ended" { value = step.pause.ended_at }
}
`

// shared are mocks with which everything succeeds.
const shared = `
variables = { name = "demo" }
mock "object_fetch" {}
mock "archive_extract" {}
mock "object_put" {}
mock "image_build" { outputs = { tags = input.tags } }
mock "image_pull" { outputs = { digest = tostring(attempt) } }
mock "container_run" { outputs = { stdout = "${each.value}:${join(" ", input.command)}:${input.image.id}", exit_code = 0 } }
`

// TestCases runs one case after another, each alone in its file.
func TestCases(t *testing.T) {
	for _, tt := range []struct {
		name, run string
		status    cases.Status
		says      []string
	}{
		{"everything a case can see", `
assert {
  condition     = output.all == ["a=a:a:image.image", "b=b:b:image.image"]
  error_message = "all"
}
assert { condition = output.gate == "test" && run.status == "succeeded" && run.error == null }
assert { condition = join(" ", steps_run) == "archive child child/pause child/pull child/pull child/pull source gate image job[\"a\"] job[\"b\"]" }
assert { condition = step.job["a"].status == "succeeded" && step.job["b"].exit_code == 0 && step.tell.status == "pending" }
assert { condition = input.archive.key == "demo" && input.job["a"].command == tolist(["a"]) && input.tell == null && var.name == "demo" }
assert { condition = input.source.archive.name == "archive.file" && input.job["b"].image.location == "test" }
assert { condition = input.gate.message == "2030-01-01T01:00:00Z" && step.child.outputs.ended == "2030-01-01T01:00:00Z" }
`, cases.Passed, nil},
		{"an assertion that does not hold", `
assert {
  condition     = output.gate == input.archive.key
  error_message = "The gate is ${output.gate}."
}`, cases.NotPassed, []string{"Assertion failed", "The gate is test.", `output.gate is "test"`, `input.archive.key is "demo"`, "main.cpubtest.hcl:13"}},
		{"all assertions are judged", `
assert { condition = false }
assert { condition = output.gate != "test" }`, cases.NotPassed, []string{"The condition does not hold.", `output.gate is "test"`}},
		{"a wrong assertion", `assert { condition = output.gat == "x" }`, cases.Errored, []string{`Did you mean "gate"?`}},
		{"a failure that is expected, undone and told", `
expect_error = "oom"
mock "container_run" {
  step  = "job[\"b\"]"
  error = { code = "oom" }
}
assert { condition = run.error.step == "job[\"b\"]" && output.gate == null }
assert { condition = input["image.compensate"].content == "image.image" && input.tell.content == "oom" }
assert { condition = step.job["b"].status == "failed" && step.job["b"].stdout == null && step.job["a"].status == "succeeded" }`, cases.Passed, nil},
		{"another failure than expected", `
expect_error = "oom"
mock "archive_extract" { error = { code = "exit", message = "broken" } }`, cases.NotPassed, []string{"step source: exit: broken", `"oom"`}},
		{
			"a failure that is not expected", `mock "archive_extract" { error = { code = "exit", message = "broken" } }`,
			cases.NotPassed,
			[]string{"The run was to succeed; it failed: step source: exit: broken"},
		},
		{"a success that is not expected", `expect = "failed"`, cases.NotPassed, []string{"The run was to fail; it succeeded"}},
		{"a cancel", `
expect = "cancelled"
mock "archive_extract" { cancel = true }
assert { condition = step.source.status == "cancelled" && step.image.status == "pending" }`, cases.Passed, nil},
		{"a cancel in a called pipeline", `
expect = "cancelled"
mock "image_pull" { cancel = true }`, cases.Passed, nil},
		{"a failure in a called pipeline", `
expect_error = "denied"
mock "image_pull" { 
  step  = "child/pull"
  error = { code = "denied", message = "no" } 
}
assert { condition = strcontains(run.error.message, "step pull: denied: no") }`, cases.Passed, nil},
		{"a called pipeline as a whole", `
mock "pipeline" { outputs = { outputs = { ended = "now" } } }
assert { condition = input.gate.message == "now" && !contains(steps_run, "child/pull") }`, cases.Passed, nil},
		{"an approval that is not given", `
expect_error = "rejected"
mock "approval" { error = { code = "rejected", message = "no" } }`, cases.Passed, nil},
		{"mocks by what a step is given", `
mock "container_run" {
  when    = input.command[0] == "b"
  outputs = { stdout = "second" }
}
assert { condition = output.all == ["a=a:a:image.image", "b=second"] }`, cases.Passed, nil},
		{"variables that are refused", `
expect    = "refused"
variables = { name = "bad" }`, cases.Passed, nil},
		{"variables that are refused though they should not", `variables = { name = "bad" }`, cases.NotPassed, []string{"Not that one.", "main.cpubtest.hcl:11"}},
		{"an unknown variable", `variables = { nam = "bad" }`, cases.NotPassed, []string{`Did you mean "name"?`}},
		{"a mock that lies about a type", `mock "image_build" { outputs = { tags = "x" } }`, cases.Errored, []string{"tags: a list is needed, not a string"}},
		{"a mock that lies about a name", `mock "image_build" { outputs = { tag = ["x"] } }`, cases.Errored, []string{`tag: there is no such output. Did you mean "tags"?`}},
		{"a mock that is no object", `mock "image_build" { outputs = "x" }`, cases.Errored, []string{"takes an object"}},
		{"a mock with a wrong error", `mock "image_build" { error = { cod = "x" } }`, cases.Errored, []string{`"error" takes { code`}},
		{
			"a mock that takes too much", `mock "image_build" { outputs = { tags = join("", [for a in range(1000) : join("", [for b in range(1000) : join("", [for c in range(1000) : "x"])])]) } }`,
			cases.Errored,
			[]string{"This was stopped"},
		},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s, diags := load(t, module, shared+"run \"case\" {\npipeline = \"p\"\n"+tt.run+"\n}\n")
			if diags.HasErrors() {
				t.Fatal(show(t, diags, s.Sources))
			}
			result, err := s.Run(t.Context(), s.Files[0].Cases[0])
			if err != nil {
				t.Fatal(err)
			}
			text := show(t, result.Diagnostics, s.Sources)
			if result.Status != tt.status || tt.status == cases.Passed && len(result.Diagnostics) > 0 {
				t.Errorf("%s, want %s; ran %q\n%s", result.Status, tt.status, result.StepsRun, text)
			}
			for _, part := range tt.says {
				if !strings.Contains(text, part) {
					t.Errorf("%q is not in\n%s", part, text)
				}
			}
		})
	}
}

func TestStepWithoutMock(t *testing.T) {
	s, _ := load(t, module, `run "case" {
  pipeline  = "p"
  variables = { name = "x" }
}`)
	result, err := s.Run(t.Context(), s.Files[0].Cases[0])
	if err != nil {
		t.Fatal(err)
	}
	text := show(t, result.Diagnostics, s.Sources)
	if result.Status != cases.Errored || !strings.Contains(text, `Step "archive" has the type "object_fetch"`) || !strings.Contains(text, `mock "object_fetch" { outputs = { file = …, `) {
		t.Errorf("%s\n%s", result.Status, text)
	}
	if !slices.Equal(result.StepsRun, []string{"archive"}) {
		t.Errorf("ran %q", result.StepsRun)
	}
}

func TestMissingVariable(t *testing.T) {
	s, _ := load(t, module, "run \"case\" { pipeline = \"p\" }")
	result, err := s.Run(t.Context(), s.Files[0].Cases[0])
	if err != nil {
		t.Fatal(err)
	}
	const want = `Variable "name" has no value and no default. Give it in ` + "`variables` of the run, or of the file for all runs."
	if text := show(t, result.Diagnostics, s.Sources); result.Status != cases.NotPassed || !strings.Contains(text, want) {
		t.Errorf("%s\n%s", result.Status, text)
	}
}

func TestCancelledContext(t *testing.T) {
	s, _ := load(t, module, shared+"run \"case\" { pipeline = \"p\" }")
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := s.Run(ctx, s.Files[0].Cases[0]); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

// BenchmarkCase runs a case of eleven steps and two assertions.
func BenchmarkCase(b *testing.B) {
	s, diags := load(b, module, shared+"run \"case\" {\n  pipeline = \"p\"\n  assert { condition = output.gate == \"test\" }\n  assert { condition = input.archive.key == \"demo\" }\n}")
	if diags.HasErrors() {
		b.Fatal(show(b, diags, s.Sources))
	}
	for b.Loop() {
		result, err := s.Run(b.Context(), s.Files[0].Cases[0])
		if err != nil || result.Status != cases.Passed {
			b.Fatal(result, err)
		}
	}
}

// TestWrongFiles has one mistake in each.
func TestWrongFiles(t *testing.T) {
	for _, tt := range []struct{ text, says string }{
		{``, "This file tests nothing"},
		{`run {}`, `A run block has one label`},
		{`runs "x" {}`, `Did you mean "run"?`},
		{`run "x" { pipelin = "p" }`, `Did you mean "pipeline"?`},
		{`run "x" {}`, "There are several pipelines in this module"},
		{`run "x" { pipeline = "q" }`, `There is no pipeline "q"`},
		{`run "x" { pipeline = upper("p") }`, "Write the value itself"},
		{"run \"x\" { pipeline = \"p\" }\nrun \"x\" { pipeline = \"p\" }", "already declared at main.cpubtest.hcl:1"},
		{"run \"x\" {\n  pipeline = \"p\"\n  expect = \"fails\"\n}", `Did you mean "failed"?`},
		{"run \"x\" {\n  pipeline = \"p\"\n  expect = \"cancelled\"\n  expect_error = \"oom\"\n}", "leave expect out"},
		{"run \"x\" {\n  pipeline = \"p\"\n  assert {}\n}", `An assert block needs "condition"`},
		{"run \"x\" {\n  pipeline = \"p\"\n  assert \"a\" { condition = true }\n}", "has no label"},
		{"run \"x\" {\n  pipeline = \"p\"\n  mock \"image_buil\" {}\n}", `Did you mean "image_build"?`},
		{"run \"x\" {\n  pipeline = \"p\"\n  mock \"image_build\" { step = \"imag\" }\n}", `Did you mean "image"?`},
		{"run \"x\" {\n  pipeline = \"p\"\n  mock \"image_build\" { step = \"source\" }\n}", `has the type "archive_extract"`},
		{"run \"x\" {\n  pipeline = \"p\"\n  mock \"value\" {}\n}", "computes its output itself"},
		{"run \"x\" {\n  pipeline = \"p\"\n  mock \"image_build\" {\n    outputs = {}\n    error = { code = \"oom\" }\n  }\n}", "one of outputs, error and cancel"},
		{"run \"x\" {\n  pipeline = \"p\"\n  mock \"image_build\" { cancel = 1 }\n}", `"cancel" takes a bool`},
		{`run "x" {`, "closing brace"},
	} {
		t.Run(tt.text, func(t *testing.T) {
			s, diags := load(t, module, tt.text)
			if text := show(t, diags, s.Sources); len(diags) != 1 || !strings.Contains(text, tt.says) {
				t.Errorf("want %q alone, got\n%s", tt.says, text)
			}
		})
	}
}
