//go:build integration

package e2e

import (
	"context"
	"crypto/rand"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.temporal.io/sdk/client"

	"github.com/containerpub/cpub/internal/testenv"
)

const slowContainerfile = `ARG BASE_IMAGE
FROM ${BASE_IMAGE}
COPY function filler /
RUN ["/function", "3s"]
`

// seedSlow uploads a function whose every step takes long enough to be hit.
func (s *stack) seedSlow() {
	s.t.Helper()
	dir := s.t.TempDir()
	binary, err := os.ReadFile(testenv.Build(s.t, "./internal/e2e/testdata/slow"))
	if err != nil {
		s.t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "function"), binary, 0o755); err != nil {
		s.t.Fatal(err)
	}
	filler := make([]byte, 32<<20)
	if _, err := rand.Read(filler); err != nil {
		s.t.Fatal(err)
	}
	s.writeFile(filepath.Join(dir, "filler"), string(filler))
	s.writeFile(filepath.Join(dir, "Containerfile"), slowContainerfile)
	s.run(testenv.Build(s.t, "./cmd/cpub-dev"), "put", dir, "s3://functions/slow.tar.gz")
}

// startSlow starts a run of the slow pipeline, without waiting for it, and returns its workflow id: one of its own, since Podman's
// events of one host outlive their stores.
func (s *stack) startSlow(name string) (workflowID string) {
	s.t.Helper()
	id := strings.ToLower(name + "-" + rand.Text()[:8])
	r := s.cpub("run", "testdata/pipelines/slow.hcl", "--detach", "--id", id, "-var", "id="+id, "-var", "registry="+s.env.Registry)
	if r.code != 0 {
		s.t.Fatalf("starting: exit code %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	return "slow/" + id
}

// dial connects to Temporal as any client would.
func (s *stack) dial() client.Client {
	s.t.Helper()
	c, err := client.Dial(client.Options{HostPort: s.env.Temporal, Namespace: s.env.Namespace})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(c.Close)
	return c
}

// awaitActivity waits until an activity of that type runs in the workflow, or the workflow has ended.
func (s *stack) awaitActivity(c client.Client, workflowID, activity string) {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	for ctx.Err() == nil {
		d, err := c.DescribeWorkflowExecution(ctx, workflowID, "")
		if err != nil {
			s.t.Fatal(err)
		}
		for _, p := range d.GetPendingActivities() {
			if p.GetActivityType().GetName() == activity && p.GetLastStartedTime() != nil {
				return
			}
		}
		if d.GetWorkflowExecutionInfo().GetCloseTime() != nil {
			s.t.Fatalf("%s ended before %s was seen to run", workflowID, activity)
		}
		time.Sleep(5 * time.Millisecond)
	}
	s.t.Fatalf("%s does not run in %s", activity, workflowID)
}

// succeeds waits for the run's end and returns its outputs.
func (s *stack) succeeds(c client.Client, workflowID string) map[string]string {
	s.t.Helper()
	ctx, cancel := context.WithTimeout(s.t.Context(), patience)
	defer cancel()
	var out map[string]string
	if err := c.GetWorkflow(ctx, workflowID, "").Get(ctx, &out); err != nil {
		s.t.Fatalf("%s: %v", workflowID, err)
	}
	return out
}

// startEvents are Podman's own records of when containers of a step were started in the run: time, container, and labels.
func (s *stack) startEvents(workflowID, step string) []string {
	s.t.Helper()
	events := s.podman.Run(s.t, "events", "--stream=false", "--since", "1h", "--filter", "event=start",
		"--filter", "label=io.cpub.step="+step, "--format", "{{.Time}} {{.ID}} {{.Attributes}}")
	var of []string
	for line := range strings.Lines(events) {
		if strings.Contains(line, workflowID+"/") {
			of = append(of, line)
		}
	}
	return of
}

// assertStartedOnce fails the test if the run's function was started more often, or never.
func (s *stack) assertStartedOnce(workflowID string) {
	s.t.Helper()
	if events := s.startEvents(workflowID, "invoke"); len(events) != 1 {
		s.t.Errorf("the function was started %d times:\n%s", len(events), strings.Join(events, ""))
	}
}

// TestKilledInAnyStep kills the worker, the step's provider or Podman's service while each step runs. The run goes on to its end, the
// user's code runs once, and nothing is left behind.
func TestKilledInAnyStep(t *testing.T) {
	s := newStack(t, "5.8.2")
	s.seedSlow()
	c := s.dial()
	for _, tt := range []struct{ victim, activity string }{
		{"worker", "object_fetch"},
		{"worker", "archive_extract"},
		{"worker", "image_build"},
		{"worker", "image_push"},
		{"worker", "container_run"},
		{"cpub-provider-s3", "object_fetch"},
		{"cpub-provider-archive", "archive_extract"},
		{"cpub-provider-podman", "image_build"},
		{"cpub-provider-podman", "image_push"},
		{"cpub-provider-podman", "container_run"},
		{"podman", "image_build"},
		{"podman", "image_push"},
		{"podman", "container_run"},
	} {
		id := tt.victim + "-" + tt.activity
		t.Run(id, func(t *testing.T) {
			s.t = t
			if tt.activity == "archive_extract" {
				s.seedSlow() // another archive, since one that was extracted before is not extracted again
			}
			workflowID := s.startSlow(id)
			s.awaitActivity(c, workflowID, tt.activity)
			s.kill(tt.victim)
			if out := s.succeeds(c, workflowID); !strings.Contains(out["result"], `"slept"`) {
				t.Errorf("outputs: %v", out)
			}
			s.assertStartedOnce(workflowID)
			s.assertClean()
		})
	}
	s.t = t
}

// kill takes the victim away with SIGKILL and brings it back, if nobody else does.
func (s *stack) kill(victim string) {
	s.t.Helper()
	switch victim {
	case "worker":
		s.killWorker()
		time.Sleep(500 * time.Millisecond)
		s.startWorker()
	case "podman":
		s.podman.Kill(s.t)
		time.Sleep(500 * time.Millisecond)
		s.podman.Restart(s.t)
	default:
		out, err := exec.Command("pkill", "-KILL", "-P", pid(s.worker), "-f", victim).CombinedOutput()
		if err != nil {
			s.t.Fatalf("no process of %s to kill: %v %s", victim, err, out)
		}
	}
}

// TestProvidersDieWithTheWorker looks for processes after the worker was killed.
func TestProvidersDieWithTheWorker(t *testing.T) {
	s := newStack(t, "5.8.2")
	parent := pid(s.worker)
	var children string
	for deadline := time.Now().Add(30 * time.Second); strings.Count(children, "\n") < 3; time.Sleep(100 * time.Millisecond) {
		out, _ := exec.Command("pgrep", "-P", parent).Output() // exit code 1: none yet
		children = string(out)
		if time.Now().After(deadline) {
			t.Fatalf("the worker has only these children: %q", children)
		}
	}
	s.killWorker()
	for _, child := range strings.Fields(children) {
		for deadline := time.Now().Add(10 * time.Second); ; time.Sleep(50 * time.Millisecond) {
			if _, err := os.Stat("/proc/" + child); os.IsNotExist(err) {
				break
			}
			if time.Now().After(deadline) {
				t.Errorf("provider process %s outlives its worker", child)
				break
			}
		}
	}
}

// TestCancel stops the container within seconds, by cpub and by Temporal's own CLI, and leaves nothing behind.
func TestCancel(t *testing.T) {
	s := newStack(t, "4.3.1")
	s.seedSlow()
	c := s.dial()
	for _, tt := range []struct {
		name   string
		cancel func(id string)
	}{
		{"cpub", func(id string) { s.run(testenv.Build(s.t, "./cmd/cpub"), "cancel", id) }},
		{"temporal", func(id string) { s.run(testenv.Tool(s.t, "temporal"), "workflow", "cancel", "--workflow-id", id) }},
	} {
		for _, activity := range []string{"image_build", "container_run"} {
			id := tt.name + "-" + activity
			t.Run(id, func(t *testing.T) {
				s.t = t
				workflowID := s.startSlow(id)
				s.awaitActivity(c, workflowID, activity)
				if activity == "container_run" {
					s.awaitStart(workflowID)
				}
				began := time.Now()
				tt.cancel(workflowID)
				ctx, done := context.WithTimeout(t.Context(), patience)
				defer done()
				err := c.GetWorkflow(ctx, workflowID, "").Get(ctx, nil)
				if err == nil || !strings.Contains(strings.ToLower(err.Error()), "cancel") {
					t.Errorf("the run ended with %v", err)
				}
				if took := time.Since(began); took > 15*time.Second {
					t.Errorf("cancelling took %s", took)
				}
				s.assertClean()
			})
		}
	}
	s.t = t
}

// awaitStart waits until the function's container was started.
func (s *stack) awaitStart(workflowID string) {
	s.t.Helper()
	for deadline := time.Now().Add(patience); len(s.startEvents(workflowID, "invoke")) == 0; time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("no container of %s was started", workflowID)
		}
	}
}
