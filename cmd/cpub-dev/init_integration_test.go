//go:build integration

package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/containerpub/cpub/internal/testenv"
)

// initScript is what the README of a new folder says, in the order of it.
const initScript = `
	cpub init hello >&2
	cd hello
	cpub test >&2
	cpub-dev put function s3://functions/hello.tar.gz >&2
	exec cpub run . -var "registry=$CPUB_DEV_REGISTRY"`

// TestInitRuns begins a pipeline, tests it and runs it in the real stack.
func TestInitRuns(t *testing.T) {
	for _, pkg := range []string{"./plugins/archive", "./plugins/s3", "./plugins/podman", "./cmd/cpub"} {
		testenv.Build(t, pkg)
	}
	program := testenv.Build(t, "./cmd/cpub-dev")
	podman := testenv.StartPodman(t, "4.3.1")
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	dir := t.TempDir()
	cmd := exec.CommandContext(ctx, program, "--ports-free", "--dir", dir, "--", "sh", "-ec", initScript)
	cmd.Dir = t.TempDir()
	cmd.Env = append(os.Environ(), podman.Environ...)
	cmd.Env = append(cmd.Env, "CONTAINER_HOST="+podman.URI, "PATH="+filepath.Dir(program)+string(os.PathListSeparator)+os.Getenv("PATH"))
	var stderr strings.Builder
	cmd.Stderr = &stderr
	stdout, err := cmd.Output()
	if err != nil {
		log, _ := os.ReadFile(filepath.Join(dir, "log", "worker.log"))
		t.Fatalf("%v\n%s\n%s", err, &stderr, log)
	}
	if !strings.Contains(stderr.String(), "4 passed, 0 failed.") {
		t.Errorf("the tests did not pass: %s", &stderr)
	}
	if published := regexp.MustCompile(`"reference":\s*"localhost:\d+/hello@sha256:|"reference":\s*"[^"]*/hello`); !published.Match(stdout) {
		t.Errorf("stdout = %s\nstderr = %s", stdout, &stderr)
	}
}
