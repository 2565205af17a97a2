//go:build integration

// Package compose holds the test of docker-compose.test.yml: the stack in containers, on Podman's socket, and the function pipeline on it.
package compose

import (
	"context"
	"encoding/json"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/containerpub/cpub/internal/testenv"
)

const (
	root     = "../.."
	patience = 5 * time.Minute
)

// TestFlagshipOnCompose brings the compose file's services up from images of the same names, built here, and runs the function
// pipeline on them with the worker in its container.
func TestFlagshipOnCompose(t *testing.T) {
	for _, version := range testenv.PodmanVersions {
		t.Run(version, func(t *testing.T) { flagship(t, version) })
	}
}

func flagship(t *testing.T, version string) {
	c := newStack(t, version)
	c.run("hack/compose/images.sh")
	c.compose("build", "worker")
	t.Cleanup(func() {
		if t.Failed() {
			t.Log(c.compose("logs", "--no-color", "--tail", "50"))
		}
		c.compose("down", "--volumes", "--timeout", "5")
		c.checkGone()
	})
	c.compose("up", "--detach", "--no-build")
	c.awaitTemporal()
	c.run("hack/compose/seed.sh")

	registry := "localhost:" + c.ports["5000"]
	result := c.run(c.bin("cpub"), "run", "examples/hcl/function", "--id", "compose",
		"-var", "function_id=hello", "-var", "function_version=1",
		"-var", "docker_registry="+registry, "-var", "docker_base_image="+registry+"/base:1",
		"-var", `input={ name = "Ada" }`)
	checkResult(t, result)
	checkReceipt(t, c.run(c.bin("cpub"), "status", "--json", "deploy_function/compose"))
}

// checkResult wants the function's own JSON, and nothing else, where a pipe would read it.
func checkResult(t *testing.T, out string) {
	t.Helper()
	var result struct{ Greeting string }
	if err := json.Unmarshal([]byte(out), &result); err != nil || result.Greeting != "Hello, Ada!" {
		t.Errorf("the function's result is missing (%v):\n%s", err, out)
	}
}

// checkReceipt wants a receipt whose limits were read back from the worker's container, with a user namespace of the function's own: a
// worker that cannot see the host's ids would run it without.
func checkReceipt(t *testing.T, status string) {
	t.Helper()
	var run struct {
		Steps []struct {
			Step    string
			Outputs struct {
				Receipt *struct {
					EndedBy    string `json:"ended_by"`
					MemoryPeak int64  `json:"memory_peak"`
					Limits     struct {
						Memory int64
						CPUs   float64
						Userns string
					}
				}
			}
		}
	}
	if err := json.Unmarshal([]byte(status), &run); err != nil {
		t.Fatalf("reading the run's status: %v\n%s", err, status)
	}
	for _, step := range run.Steps {
		r := step.Outputs.Receipt
		if r == nil {
			continue
		}
		if r.EndedBy != "exit" || r.Limits.Memory != 128<<20 || r.Limits.CPUs != 0.5 || r.Limits.Userns != "private" || r.MemoryPeak == 0 {
			t.Errorf("want 128 MiB, half a CPU and a private user namespace, as enforced, and the memory that was used:\n%s", status)
		}
		return
	}
	t.Errorf("no step has a receipt:\n%s", status)
}

// checkGone wants nothing of the stack left on its Podman, nor of the worker's containers. The volume that tells this Podman from
// others stays as long as its store does.
func (c *stack) checkGone() {
	c.t.Helper()
	for _, left := range []string{
		c.podman.Run(c.t, "ps", "--all", "--quiet"),
		c.podman.Run(c.t, "volume", "ls", "--quiet", "--filter", "name=cpub_"),
		c.podman.Run(c.t, "network", "ls", "--quiet", "--filter", "name=cpub"),
	} {
		if left != "" {
			c.t.Errorf("left behind: %s", left)
		}
	}
}

// stack is the services on a Podman of the test's own.
type stack struct {
	t      *testing.T
	podman *testenv.Podman
	state  string            // the worker's state folder, the same on the host and in its container
	ports  map[string]string // usual port -> this test's
	env    []string
}

func newStack(t *testing.T, version string) *stack {
	t.Helper()
	p := testenv.StartPodman(t, version)
	c := &stack{t: t, podman: p, state: t.TempDir(), ports: map[string]string{}}
	c.env = append(os.Environ(), p.Environ...)
	for name, port := range map[string]string{
		"CPUB_TEMPORAL_PORT": "7233", "CPUB_TEMPORAL_UI_PORT": "8233", "CPUB_S3_PORT": "9000", "CPUB_REGISTRY_PORT": "5000",
	} {
		free := freePort(t)
		c.ports[port] = free
		c.env = append(c.env, name+"="+free)
	}
	config := filepath.Join(c.state, "worker.hcl")
	if err := os.WriteFile(config, []byte(c.adapted("worker.hcl")), 0o644); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(c.adapted("client.env")) {
		if name, value, ok := strings.Cut(strings.TrimSpace(line), "="); ok && !strings.HasPrefix(name, "#") {
			c.env = append(c.env, name+"="+strings.Trim(value, "'"))
		}
	}
	c.env = append(c.env,
		"PATH="+os.Getenv("PATH"),
		"PODMAN="+p.Binary,
		"DOCKER_HOST="+p.URI,
		"DOCKER_BUILDKIT=0", // Podman's socket speaks the classic builder
		"CPUB_PODMAN_SOCKET="+strings.TrimPrefix(p.URI, "unix://"),
		"CPUB_STATE="+c.state,
		"CPUB_WORKER_CONFIG="+config,
	)
	return c
}

// adapted is a file beside this one, with this test's ports in the place of the usual ones.
func (c *stack) adapted(name string) string {
	c.t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		c.t.Fatal(err)
	}
	var replace []string
	for usual, free := range c.ports {
		replace = append(replace, "127.0.0.1:"+usual, "127.0.0.1:"+free, "localhost:"+usual, "localhost:"+free)
	}
	return strings.NewReplacer(replace...).Replace(string(text))
}

func freePort(t *testing.T) string {
	t.Helper()
	var config net.ListenConfig
	l, err := config.Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// bin is the path of a binary that `make build` made.
func (c *stack) bin(name string) string {
	c.t.Helper()
	path, err := filepath.Abs(filepath.Join(root, "bin", name))
	if err != nil {
		c.t.Fatal(err)
	}
	if _, err := os.Stat(path); err != nil {
		c.t.Fatalf("%v: run make build", err)
	}
	return path
}

// compose runs docker compose on the stack and returns its stdout.
func (c *stack) compose(args ...string) string {
	c.t.Helper()
	return c.run(testenv.Tool(c.t, "docker-compose"), append([]string{"-f", "docker-compose.test.yml"}, args...)...)
}

// awaitTemporal waits until the server answers its own command line.
func (c *stack) awaitTemporal() {
	c.t.Helper()
	temporal := testenv.Tool(c.t, "temporal")
	var out string
	var err error
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		if out, err = c.try(temporal, "operator", "cluster", "health"); err == nil {
			return
		}
	}
	c.t.Fatalf("Temporal does not answer: %v\n%s", err, out)
}

// run runs a command at the top of the tree and returns its stdout. It must succeed.
func (c *stack) run(name string, args ...string) string {
	c.t.Helper()
	out, err := c.try(name, args...)
	if err != nil {
		c.t.Fatalf("%s %s: %v\n%s", filepath.Base(name), strings.Join(args, " "), err, out)
	}
	return out
}

// try runs a command and returns its stdout, with its stderr where it failed. It does not use the test's own context,
// which is over when the test cleans up.
func (c *stack) try(name string, args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.Env = root, c.env
	var stdout, stderr strings.Builder
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	err := cmd.Run()
	if err != nil {
		return stdout.String() + stderr.String(), err
	}
	return stdout.String(), nil
}
