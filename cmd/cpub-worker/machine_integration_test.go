//go:build integration

package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/containerpub/cpub/internal/testenv"
)

// machinePipeline uses each provider that lies beside the worker, the user's own among them.
const machinePipeline = `
pipeline "machine" {
  step "greet" "write" { names = ["ada"] }
  step "object_fetch" "archive" {
    bucket = "functions"
    key    = "machine.tar.gz"
  }
  step "archive_extract" "source" { archive = step.archive.file }
  step "image_build" "image" {
    context    = step.source.directory
    build_args = { BASE_IMAGE = "localhost/hello:1" }
  }
  step "container_run" "hello" {
    image = step.image.image
    env   = { FUNCTION_INPUT = jsonencode({ name = "you ${step.write.count}" }) }
  }
  output "greeting" { value = jsondecode(step.hello.stdout).greeting }
}
`

const abroadPipeline = `
pipeline "abroad" {
  step "container_run" "hello" { image = "docker.io/library/busybox:1" }
}
`

// userMachine is a user's machine: a home, and a folder with our binaries. Nothing is configured.
type userMachine struct {
	bin, work, home string
	env             []string
}

func newMachine(t *testing.T) *userMachine {
	t.Helper()
	env, podman := testenv.Services(t), testenv.StartPodman(t, "4.3.1")
	m := &userMachine{bin: t.TempDir(), work: t.TempDir(), home: t.TempDir()}
	for _, pkg := range []string{
		"./cmd/cpub", "./cmd/cpub-worker", "./plugins/archive", "./plugins/podman", "./plugins/s3",
		"./examples/providers/greet/cpub-provider-greet",
	} {
		built := testenv.Build(t, pkg)
		if err := os.Link(built, filepath.Join(m.bin, filepath.Base(built))); err != nil {
			t.Fatal(err)
		}
	}
	m.env = append(os.Environ(), podman.Environ...)
	m.env = append(m.env,
		"HOME="+m.home, "XDG_STATE_HOME=", "XDG_CACHE_HOME=", "CPUB_STORE=", "CPUB_WORKER_CONFIG=", "STATE_DIRECTORY=", "CPUB_PROVIDERS=",
		"CONTAINER_HOST="+podman.URI, "TEMPORAL_ADDRESS="+env.Temporal, "AWS_ENDPOINT_URL="+env.S3, "AWS_REGION="+env.Region,
		"AWS_ACCESS_KEY_ID="+env.AccessKey, "AWS_SECRET_ACCESS_KEY="+env.SecretKey)

	podman.ImportProgram(t, "./examples/functions/hello", "localhost/hello:1")
	function := t.TempDir()
	write(t, filepath.Join(function, "Containerfile"), "ARG BASE_IMAGE\nFROM ${BASE_IMAGE}\nCOPY note /note\n")
	write(t, filepath.Join(function, "note"), "a note\n")
	if out, err := m.command(t, testenv.Build(t, "./cmd/cpub-dev"), "put", function, "s3://functions/machine.tar.gz").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	write(t, filepath.Join(m.work, "main.hcl"), machinePipeline)
	write(t, filepath.Join(m.work, "abroad.hcl"), abroadPipeline)
	return m
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// command is a command in the user's working directory.
func (m *userMachine) command(t *testing.T, program string, args ...string) *exec.Cmd {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	t.Cleanup(cancel)
	cmd := exec.CommandContext(ctx, program, args...)
	cmd.Env, cmd.Dir = m.env, m.work
	return cmd
}

// TestWorkerWithoutAFile runs a pipeline on a worker, and with a client, that nobody configured.
func TestWorkerWithoutAFile(t *testing.T) {
	m := newMachine(t)
	worker := m.command(t, filepath.Join(m.bin, "cpub-worker"), "-log-format", "text")
	var log strings.Builder
	worker.Stderr = &log
	if err := worker.Start(); err != nil {
		t.Fatal(err)
	}
	stop := sync.OnceFunc(func() {
		_ = worker.Process.Signal(syscall.SIGTERM)
		if err := worker.Wait(); err != nil {
			t.Errorf("the worker ended with %v", err)
		}
	})
	t.Cleanup(stop)
	store := filepath.Join(m.home, ".local", "state", "cpub", "store")
	awaitFolder(t, store)

	run := m.command(t, filepath.Join(m.bin, "cpub"), "run", "main.hcl")
	var stderr strings.Builder
	run.Stderr = &stderr
	stdout, err := run.Output()
	if err != nil || !strings.Contains(string(stdout), "Hello, you 1!") {
		stop()
		t.Fatalf("%v\n%s\n%s\n%s", err, stdout, &stderr, &log)
	}
	out, err := m.command(t, filepath.Join(m.bin, "cpub"), "run", "abroad.hcl").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "the rule is policy.registries.pull, the default worker.hcl:") {
		t.Errorf("an image from elsewhere: %v\n%s", err, out)
	}
	stop()
	if want := "no worker.hcl is here"; !strings.Contains(log.String(), want) || !strings.Contains(log.String(), store) {
		t.Errorf("the log lacks %q or the store:\n%s", want, &log)
	}
}

// awaitFolder waits until the folder is there.
func awaitFolder(t *testing.T, dir string) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		if _, err := os.Stat(dir); err == nil {
			return
		}
		if time.Now().After(deadline) {
			t.Fatalf("there is no %s", dir)
		}
	}
}
