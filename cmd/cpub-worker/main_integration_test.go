//go:build integration

package main

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/containerpub/cpub/engine"
	"github.com/containerpub/cpub/engine/artifact"
	"github.com/containerpub/cpub/engine/config"
	"github.com/containerpub/cpub/examples/providers/greet"
	"github.com/containerpub/cpub/internal/testenv"
	"github.com/containerpub/cpub/workflows/client"
)

const pipeline = `
variable "names" { type = list(string) }
pipeline "letters" {
  step "greet" "write" { names = var.names }
  output "count" { value = step.write.count }
  output "size"  { value = step.write.letters.size }
}`

// scene is a worker.hcl with the services that it names.
type scene struct {
	dir, config, store string
	env                *testenv.Env
	program            string
}

func newScene(t *testing.T) *scene {
	t.Helper()
	s := &scene{dir: t.TempDir(), env: testenv.Services(t), program: testenv.Build(t, "./cmd/cpub-worker")}
	s.store = "file://" + filepath.Join(s.dir, "store") + "?create_dir=1&no_tmp_dir=1"
	s.config = filepath.Join(s.dir, "worker.hcl")
	return s
}

// write writes worker.hcl, with one line of the provider's config block.
func (s *scene) write(t *testing.T, line string) {
	t.Helper()
	text := fmt.Sprintf(`temporal {
  address   = %q
  namespace = "default"
}
store { url = %q }
provider "greet" "local" {
  path = %q
  config {
    %s
  }
}
policy { step_types = ["greet"] }
`, s.env.Temporal, s.store, testenv.Build(t, "./examples/providers/greet/cpub-provider-greet"), line)
	if err := os.WriteFile(s.config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// start starts the worker, which writes its log into a file.
func (s *scene) start(t *testing.T) (cmd *exec.Cmd, log func() string) {
	t.Helper()
	file, err := os.CreateTemp(s.dir, "log")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = file.Close() })
	cmd = exec.Command(s.program, "-config", s.config, "-state", filepath.Join(s.dir, "state"), "-log-format", "text")
	cmd.Stderr = file
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	return cmd, func() string {
		data, err := os.ReadFile(file.Name())
		if err != nil {
			t.Fatal(err)
		}
		return string(data)
	}
}

func TestWorkerProcess(t *testing.T) {
	s := newScene(t)
	s.write(t, `greeting = "Good day"`)
	cmd, log := s.start(t)
	for deadline := time.Now().Add(time.Minute); !strings.Contains(log(), "msg=ready"); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the worker is not ready:\n%s", log())
		}
	}
	s.run(t)
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Errorf("after SIGTERM: %v\n%s", err, log())
	}
	if left := s.processes(t); len(left) > 0 {
		t.Errorf("the worker left processes: %v", left)
	}
}

// run runs the pipeline and looks at what came of it.
func (s *scene) run(t *testing.T) {
	t.Helper()
	store, err := artifact.Open(t.Context(), s.store)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	c, err := client.Dial(t.Context(), client.Options{Address: s.env.Temporal, Namespace: "default", Store: store})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	started, err := c.Start(t.Context(), client.StartOptions{Plan: s.plan(t), Variables: []byte(`{"names":["ada","grace"]}`)})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	var followed strings.Builder
	run, err := c.Follow(ctx, started.ID, started.RunID, func(e client.Event) { followed.WriteString(e.Text) })
	if err != nil || run.Status != engine.StatusSucceeded || !strings.Contains(string(run.Outputs), `"count":2`) {
		t.Fatalf("run %+v, %v", run, err)
	}
	if !strings.Contains(followed.String(), "wrote to grace") {
		t.Errorf("the follower saw %q", followed.String())
	}
	var logged strings.Builder
	err = c.Logs(ctx, run, client.LogsOptions{Step: "write"}, func(l client.Line) error {
		logged.WriteString(l.Text)
		return nil
	})
	if err != nil || logged.String() != "wrote to ada\nwrote to grace\n" {
		t.Errorf("the log is %q, %v", logged.String(), err)
	}
}

func (s *scene) plan(t *testing.T) *engine.Plan {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "main.hcl"), []byte(pipeline), 0o600); err != nil {
		t.Fatal(err)
	}
	schemas, err := config.FromProviders((&greet.Provider{}).Info())
	if err != nil {
		t.Fatal(err)
	}
	module, diags := config.Load(t.Context(), dir, schemas, config.Options{})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	return module.Plans[0]
}

// processes are those whose program lies in the scene's folder.
func (s *scene) processes(t *testing.T) (left []string) {
	t.Helper()
	links, err := filepath.Glob("/proc/[0-9]*/exe")
	if err != nil {
		t.Fatal(err)
	}
	for _, link := range links {
		if program, err := os.Readlink(link); err == nil && strings.HasPrefix(program, s.dir) {
			left = append(left, program)
		}
	}
	return left
}

func TestWorkerRefusesItsProvidersConfig(t *testing.T) {
	s := newScene(t)
	s.write(t, `greting = "Good day"`)
	cmd, log := s.start(t)
	err := cmd.Wait()
	if code := cmd.ProcessState.ExitCode(); code != exitFailed {
		t.Errorf("exit code %d, %v", code, err)
	}
	for _, want := range []string{"worker.hcl:9", "greting", "greeting"} {
		if !strings.Contains(log(), want) {
			t.Errorf("the log lacks %q:\n%s", want, log())
		}
	}
}
