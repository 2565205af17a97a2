//go:build integration

package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/containerpub/cpub/internal/testenv"
)

// script fills the stack and runs the example in it; $1 holds the function,
// $2 is the module's root.
const script = `
	cpub-dev put "$1" s3://functions/functions/hello/1.tar.gz >&2
	cpub-dev image "$2/examples/functions/base" "$CPUB_DEV_REGISTRY/base:1" >&2
	exec cpub run "$2/examples/hcl/function" \
		-var function_id=hello -var function_version=1 \
		-var "docker_registry=$CPUB_DEV_REGISTRY" -var "docker_base_image=$CPUB_DEV_REGISTRY/base:1" \
		-var 'input={ name = "Ada" }'`

func TestWorkerRunsTheExample(t *testing.T) {
	for _, pkg := range []string{"./plugins/archive", "./plugins/s3", "./plugins/podman", "./cmd/cpub"} {
		testenv.Build(t, pkg)
	}
	program := testenv.Build(t, "./cmd/cpub-dev")
	function := folder(t, map[string]string{
		"function":      testenv.Build(t, "./examples/functions/hello"),
		"Containerfile": "../../examples/functions/hello/Containerfile",
	})
	podman := testenv.StartPodman(t, "4.3.1")
	root, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}

	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	dir := t.TempDir()
	cmd := exec.CommandContext(ctx, program, "--ports-free", "--dir", dir, "--", "sh", "-ec", script, "sh", function, root)
	cmd.Env = append(os.Environ(), podman.Environ...)
	cmd.Env = append(cmd.Env,
		"CONTAINER_HOST="+podman.URI,
		"PATH="+filepath.Dir(program)+string(os.PathListSeparator)+os.Getenv("PATH"),
		"TEMPORAL_API_KEY=of another account", "AWS_SESSION_TOKEN=of another account",
	)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	stdout, err := cmd.Output()
	if err != nil {
		log, _ := os.ReadFile(filepath.Join(dir, "log", "worker.log"))
		t.Fatalf("%v\n%s\n%s", err, &stderr, log)
	}
	if !strings.Contains(string(stdout), "Hello, Ada!") {
		t.Errorf("stdout = %s\nstderr = %s", stdout, &stderr)
	}
}

func TestMistakeInTheUsersWorkerFile(t *testing.T) {
	dir := t.TempDir()
	mine := "provider \"podman\" {\n}\n"
	if err := os.WriteFile(filepath.Join(dir, "worker.hcl"), []byte(mine), 0o600); err != nil {
		t.Fatal(err)
	}
	program := testenv.Build(t, "./cmd/cpub-dev")
	out, err := exec.CommandContext(t.Context(), program, "--ports-free", "--dir", dir, "--", "true").CombinedOutput()
	if err == nil {
		t.Fatalf("it was accepted: %s", out)
	}
	for _, want := range []string{"worker.hcl was changed and is used as it is", "worker.hcl:1", "provider \"podman\""} {
		if !strings.Contains(string(out), want) {
			t.Errorf("the output does not have %q: %s", want, out)
		}
	}
	if got, err := os.ReadFile(filepath.Join(dir, "worker.hcl")); err != nil || string(got) != mine {
		t.Errorf("the file is now %q, %v", got, err)
	}
}

// folder makes a folder with copies of the files, by their new names.
func folder(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, from := range files {
		content, err := os.ReadFile(from)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), content, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
