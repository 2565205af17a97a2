//go:build integration

// Package e2e holds the tests of the whole: the real binaries, a real Podman, Temporal, S3 and registry, and what happens to a run when
// any of them goes away.
package e2e

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/containerpub/cpub/internal/testenv"
)

// patience is how long a run may take on a slow machine before its test fails.
const patience = 3 * time.Minute

// stack is everything that a run needs, of one test's own.
type stack struct {
	t      testing.TB
	env    *testenv.Env
	podman *testenv.Podman
	dir    string
	config string
	worker *exec.Cmd
	log    *os.File
}

// newStack starts the services, a Podman of that version and a worker, and puts the example function where the flagship
// pipeline looks for it.
func newStack(t testing.TB, podmanVersion string) *stack {
	t.Helper()
	s := newStackWithoutWorker(t, podmanVersion)
	s.startWorker()
	return s
}

func newStackWithoutWorker(t testing.TB, podmanVersion string) *stack {
	t.Helper()
	s := &stack{t: t, env: testenv.Services(t), podman: testenv.StartPodman(t, podmanVersion), dir: t.TempDir()}
	s.config = filepath.Join(s.dir, "worker.hcl")
	s.seed()
	s.writeConfig()
	t.Cleanup(s.stopWorker)
	return s
}

// seed uploads the example function and its base image.
func (s *stack) seed() {
	s.t.Helper()
	function := s.t.TempDir()
	binary, err := os.ReadFile(testenv.Build(s.t, "./examples/functions/hello"))
	if err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(function, "function"), binary, 0o755); err != nil {
		s.t.Fatal(err)
	}
	containerfile, err := os.ReadFile(root("examples/functions/hello/Containerfile"))
	if err != nil {
		s.t.Fatal(err)
	}
	s.writeFile(filepath.Join(function, "Containerfile"), string(containerfile))
	dev := testenv.Build(s.t, "./cmd/cpub-dev")
	s.run(dev, "put", function, "s3://functions/functions/hello/1.tar.gz")
	s.run(dev, "image", root("examples/functions/base"), s.env.Registry+"/base:1")
}

// root is the path of a file of the module.
func root(path string) string { return filepath.Join("..", "..", path) }

func (s *stack) writeFile(path, text string) {
	s.t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		s.t.Fatal(err)
	}
}

func (s *stack) writeConfig() {
	s.t.Helper()
	provider := func(name string) string { return testenv.Build(s.t, "./plugins/"+name) }
	s.writeFile(s.config, fmt.Sprintf(`
temporal {
  address   = %q
  namespace = %q
}
store { url = %q }
provider "s3" "main" {
  path = %q
  config {
    endpoint          = %q
    region            = %q
    path_style        = true
    access_key_id     = %q
    secret_access_key = %q
  }
}
provider "archive" "main" { path = %q }
provider "podman" "local" {
  path           = %q
  max_concurrent = 10
  config { connection = %q }
}
registry %q { insecure = true }
policy {
  buckets  = ["functions"]
  networks = ["none"]
  registries {
    pull = ["%[12]s/*"]
    push = ["%[12]s/*"]
    from = ["%[12]s/*"]
  }
  max {
    memory     = "1GiB"
    cpus       = 2
    pids       = 1024
    time_limit = "10m"
  }
}
`, s.env.Temporal, s.env.Namespace, s.env.Store, provider("s3"), s.env.S3, s.env.Region, s.env.AccessKey,
		s.env.SecretKey, provider("archive"), provider("podman"), s.podman.URI, s.env.Registry))
}

// startWorker starts cpub-worker. It need not be ready: runs wait for it.
func (s *stack) startWorker() {
	s.t.Helper()
	log, err := os.OpenFile(filepath.Join(s.dir, "worker.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		s.t.Fatal(err)
	}
	s.log = log
	s.worker = exec.Command(testenv.Build(s.t, "./cmd/cpub-worker"), "-config", s.config, "-state", filepath.Join(s.dir, "state"))
	s.worker.Env = append(os.Environ(), s.env.Environ...)
	s.worker.Stdout, s.worker.Stderr = log, log
	s.worker.SysProcAttr = &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if err := s.worker.Start(); err != nil {
		s.t.Fatal(err)
	}
}

// stopWorker asks the worker to end and waits for it.
func (s *stack) stopWorker() {
	if s.worker == nil {
		return
	}
	_ = s.worker.Process.Signal(syscall.SIGTERM) // it may have been killed by the test
	done := make(chan struct{})
	go func() { _ = s.worker.Wait(); close(done) }()
	select {
	case <-done:
	case <-time.After(30 * time.Second):
		s.t.Error("the worker did not end within 30 s of SIGTERM")
		_ = s.worker.Process.Kill()
		<-done
	}
	s.worker = nil
	_ = s.log.Close()
	if s.t.Failed() {
		text, _ := os.ReadFile(filepath.Join(s.dir, "worker.log"))
		s.t.Logf("the worker's log:\n%s", tail(string(text), 20000))
	}
}

// killWorker kills the worker as a power cut would.
func (s *stack) killWorker() {
	s.t.Helper()
	if err := s.worker.Process.Kill(); err != nil {
		s.t.Fatal(err)
	}
	_ = s.worker.Wait() // killed
	s.worker = nil
	_ = s.log.Close()
}

// run runs a command with the stack's environment and returns its stdout. It must succeed.
func (s *stack) run(name string, args ...string) string {
	s.t.Helper()
	r := s.try(name, args...)
	if r.code != 0 {
		s.t.Fatalf("%s %s: exit code %d\n%s%s", filepath.Base(name), strings.Join(args, " "), r.code, r.stdout, r.stderr)
	}
	return r.stdout
}

// result is how a command ended.
type result struct {
	stdout, stderr string
	code           int
}

// try runs a command with the stack's environment, without a terminal.
func (s *stack) try(name string, args ...string) result {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	cmd.Env = append(os.Environ(), s.env.Environ...)
	err := cmd.Run()
	if cmd.ProcessState == nil {
		s.t.Fatalf("%s: %v", name, err)
	}
	return result{stdout.String(), stderr.String(), cmd.ProcessState.ExitCode()}
}

// cpub runs the command line.
func (s *stack) cpub(args ...string) result {
	s.t.Helper()
	return s.try(testenv.Build(s.t, "./cmd/cpub"), args...)
}

// flagship are the arguments of `cpub run` for the flagship pipeline.
func (s *stack) flagship(more ...string) []string {
	return append([]string{
		"run", root("examples/hcl/function"), "-var", "function_id=hello", "-var", "function_version=1",
		"-var", "docker_registry=" + s.env.Registry, "-var", "docker_base_image=" + s.env.Registry + "/base:1",
		"-var", `input={ name = "Ada" }`,
	}, more...)
}

// assertClean fails the test if anything of ours is left: containers, mounts of builds, temporary folders, processes.
func (s *stack) assertClean() {
	s.t.Helper()
	var left string
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		left = s.podman.Run(s.t, "ps", "--all", "--external", "--format", "{{.ID}} {{.Names}} {{.Status}}") + s.scratch()
		if left == "" {
			return
		}
	}
	s.t.Errorf("left behind:\n%s", left)
}

// scratch lists what is below the folders of attempts.
func (s *stack) scratch() string {
	entries, err := filepath.Glob(filepath.Join(s.dir, "state", "scratch", "*"))
	if err != nil {
		s.t.Fatal(err)
	}
	return strings.Join(entries, "\n")
}

func tail(s string, n int) string {
	if len(s) > n {
		return "…" + s[len(s)-n:]
	}
	return s
}

// replaceOnce replaces what must stand in the text exactly once.
func replaceOnce(t testing.TB, text, from, to string) string {
	t.Helper()
	if strings.Count(text, from) != 1 {
		t.Fatalf("%q stands %d times in:\n%s", from, strings.Count(text, from), text)
	}
	return strings.Replace(text, from, to, 1)
}
