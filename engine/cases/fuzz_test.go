package cases_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/containerpub/cpub/engine/cases"
	"github.com/containerpub/cpub/engine/config"
)

// FuzzFile reads anything as a test file, and runs what it says: it ends, and it does not panic.
func FuzzFile(f *testing.F) {
	f.Add(shared + "run \"case\" {\n  pipeline = \"p\"\n  assert { condition = output.gate == \"test\" }\n}\n")
	f.Add("run \"case\" {\n  pipeline = \"c\"\n  expect_error = \"oom\"\n  variables = { name = \"x\" }\n  mock \"image_pull\" { error = { code = \"oom\" } }\n}\n")
	f.Add("run \"case\" {\n  pipeline = \"c\"\n  expect = \"cancelled\"\n  mock \"image_pull\" {\n    step = \"pull\"\n    when = attempt == 2\n    cancel = true\n  }\n}\n")
	f.Add("mock \"container_run\" { step = \"job[\\\"a\" }\nrun \"\" {}\n")
	paths, err := filepath.Glob("../../examples/hcl/*/*" + cases.Suffix)
	if err != nil || len(paths) == 0 {
		f.Fatal(paths, err)
	}
	for _, path := range paths { // what they test is another module; how they say it is what counts
		text, err := os.ReadFile(path)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	for _, run := range []string{
		"assert {\n    condition = step.job[\"a\"].stdout == \"a:a\" && length(steps_run) > 3\n    error_message = \"${run.error.code}\"\n  }",
		"variables = { parts = [] }\n  expect = \"succeeded\"", "variables = { name = \"bad\" }\n  expect = \"refused\"",
		"mock \"image_build\" {\n    error = { code = \"oom\", message = input.tags[0] }\n  }\n  expect_error = \"oom\"",
		"mock \"container_run\" {\n    step = \"job[\\\"a\\\"]\"\n    when = each.value == \"a\"\n    outputs = { exit_code = 1, stdout = each.key }\n  }",
		"mock \"object_fetch\" { cancel = true }\n  expect = \"cancelled\"",
	} {
		f.Add(shared + "run \"case\" {\n  pipeline = \"p\"\n  " + run + "\n}\n")
	}
	f.Fuzz(func(t *testing.T, text string) {
		tests := filepath.Join(t.TempDir(), "main.hcl")
		if err := os.WriteFile(tests, []byte(module), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(filepath.Dir(tests), "main"+cases.Suffix), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		m, _ := config.Load(t.Context(), tests, config.Contracts(), config.Options{})
		s, diags, err := cases.Load(t.Context(), m, nil)
		if err != nil {
			t.Fatal(err)
		}
		show(t, diags, s.Sources)
		if diags.HasErrors() {
			return
		}
		for _, file := range s.Files {
			for _, c := range file.Cases {
				result, err := s.Run(t.Context(), c)
				if err != nil {
					t.Fatal(err)
				}
				show(t, result.Diagnostics, s.Sources)
			}
		}
	})
}
