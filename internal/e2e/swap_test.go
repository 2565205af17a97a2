//go:build integration

package e2e

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/containerpub/cpub/internal/testenv"
)

// TestSwap runs the same pipelines on Podman and on the runtime of examples/providers/runc. All that differs is in worker.hcl: who serves the
// step types.
func TestSwap(t *testing.T) {
	s := newStackWithoutWorker(t, "4.3.1")
	image := s.env.Registry + "/probe:1"
	s.pushProgram("./sdk/sdktest/probe", image)
	s.declareRunc()
	outputs := map[string]string{}
	for _, runtime := range []string{"runc", "podman"} {
		s.serve(runtime)
		outputs[runtime] = s.pulled(runtime+"-env", image, "/probe", "env", "A") + s.pulled(runtime+"-cat", image, "/probe", "cat") +
			s.pulled(runtime+"-net", image, "/probe", "net") + s.pulled(runtime+"-write", image, "/probe", "write", "/x", "/tmp/x")
		// The whole way of a function: built and pushed by Podman in any case, and run by whom worker.hcl says.
		if r := s.cpub(s.flagship("--id", "deploy-"+runtime)...); r.code != 0 || !strings.Contains(r.stdout, "Hello, Ada!") {
			t.Errorf("the flagship on %s: exit code %d\n%s%s", runtime, r.code, r.stdout, r.stderr)
		}
		if ran := len(s.startEvents("deploy_function/deploy-"+runtime, "invoke")); ran != map[string]int{"runc": 0, "podman": 1}[runtime] {
			t.Errorf("with %s as the runtime, Podman started %d containers", runtime, ran)
		}
		if runtime == "runc" {
			s.survivesWorker(image)
		}
		s.stopWorker()
	}
	if outputs["runc"] != outputs["podman"] || !strings.Contains(outputs["runc"], "A=given") {
		t.Errorf("the same pipeline gave other outputs:\nrunc: %s\npodman: %s", outputs["runc"], outputs["podman"])
	}
}

// pushProgram puts an image of one program into the registry.
func (s *stack) pushProgram(pkg, reference string) {
	s.t.Helper()
	binary, err := os.ReadFile(testenv.Build(s.t, pkg))
	if err != nil {
		s.t.Fatal(err)
	}
	dir := s.t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, filepath.Base(pkg)), binary, 0o755); err != nil {
		s.t.Fatal(err)
	}
	s.run(testenv.Build(s.t, "./cmd/cpub-dev"), "image", dir, reference)
}

// declareRunc adds the provider to worker.hcl, behind Podman's.
func (s *stack) declareRunc() {
	s.t.Helper()
	runDir, err := os.MkdirTemp("/run", "cpub-runc-e2e-")
	if err == nil {
		err = os.Chmod(runDir, 0o711)
	}
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() {
		s.stopWorker()
		_ = os.Remove(runDir) // its provider has, unless the test failed
	})
	config, err := os.ReadFile(s.config)
	if err != nil {
		s.t.Fatal(err)
	}
	s.writeFile(s.config, string(config)+fmt.Sprintf(`
provider "runc" "local" {
  path   = %q
  config { run_dir = %q }
}
`, testenv.Build(s.t, "./examples/providers/runc/cpub-provider-runc"), runDir)+served)
}

// served is the part of worker.hcl that tells the runtimes apart.
const served = `
serve "image_pull" { provider = podman.local }
serve "container_run" { provider = podman.local }
`

// serve starts a worker on which that provider pulls images and runs containers.
func (s *stack) serve(provider string) {
	s.t.Helper()
	config, err := os.ReadFile(s.config)
	if err != nil {
		s.t.Fatal(err)
	}
	base, _, _ := strings.Cut(string(config), "\nserve ")
	s.writeFile(s.config, base+strings.ReplaceAll(served, "podman.local", provider+".local"))
	s.startWorker()
}

// pulled runs the pipeline and gives its outputs.
func (s *stack) pulled(id, image string, command ...string) string {
	s.t.Helper()
	r := s.cpub(s.pulledArgs(id, image, command...)...)
	if r.code != 0 {
		s.t.Fatalf("%s: exit code %d\n%s%s", id, r.code, r.stdout, r.stderr)
	}
	return r.stdout
}

func (s *stack) pulledArgs(id, image string, command ...string) []string {
	list, err := json.Marshal(command)
	if err != nil {
		s.t.Fatal(err)
	}
	return []string{"run", "testdata/pipelines/pulled.hcl", "--id", id, "-var", "image=" + image, "-var", "command=" + string(list)}
}

// survivesWorker kills the worker while a container runs: the next one's provider goes on with that container.
func (s *stack) survivesWorker(image string) {
	s.t.Helper()
	c := s.dial()
	args := s.pulledArgs("killed", image, "/probe", "wait", "50")
	s.run(testenv.Build(s.t, "./cmd/cpub"), append(args, "--detach")...)
	s.awaitActivity(c, "pulled/killed", "container_run")
	s.awaitStarted()
	s.killWorker()
	s.startWorker()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	var out map[string]any
	if err := c.GetWorkflow(ctx, "pulled/killed", "").Get(ctx, &out); err != nil {
		s.t.Fatal(err)
	}
	if text := fmt.Sprint(out["stdout"]); strings.Count(text, "line ") != 50 || strings.Count(text, "line 0\n") != 1 {
		s.t.Errorf("after the worker was killed the container wrote %q", text)
	}
}

// awaitStarted waits until a container of the provider runc is seen to run.
func (s *stack) awaitStarted() {
	s.t.Helper()
	containers := filepath.Join(s.dir, "state", "instances", "runc.local", "containers", "*")
	for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		started, err := filepath.Glob(filepath.Join(containers, "started"))
		ended, eerr := filepath.Glob(filepath.Join(containers, "exit"))
		if err != nil || eerr != nil {
			s.t.Fatal(err, eerr)
		}
		if len(started) > len(ended) {
			return
		}
	}
	s.t.Fatal("no container was started")
}
