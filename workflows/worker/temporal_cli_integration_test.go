//go:build integration

package worker_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/containerpub/cpub/workflows/internal/flowtest"
)

// temporalCLI is Temporal's own command line.
func temporalCLI(t *testing.T) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("..", "..", ".cache", "bin", "temporal"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(path); err == nil {
		return path
	}
	if path, err = exec.LookPath("temporal"); err != nil {
		t.Fatalf("there is no temporal CLI: build it with hack/tools.sh temporal: %v", err)
	}
	return path
}

// TestTemporalCLI does what an operator does who has nothing of ours.
func TestTemporalCLI(t *testing.T) {
	program := temporalCLI(t)
	l := newLab(t)
	h := flowtest.NewHost(map[string]flowtest.Step{"blocks": flowtest.Block})
	serve(t, l.parts(t, h))
	for _, src := range []string{chain, `pipeline "slow" {
  step "work" "blocks" { text = "x" }
}`, `pipeline "ask" {
  step "approval" "go" { message = "go?" }
  output "by" { value = "${step.go.approver}: ${step.go.comment}" }
}`} {
		if _, err := l.client.Publish(t.Context(), flowtest.Plan(t, src), nil); err != nil {
			t.Fatal(err)
		}
	}
	temporal := func(args ...string) (string, error) {
		cmd := exec.CommandContext(t.Context(), program, append(args, "--address", l.address, "--namespace", "default")...)
		cmd.Env = append(os.Environ(), "HOME="+t.TempDir(), "NO_COLOR=1")
		out, err := cmd.CombinedOutput()
		return string(out), err
	}
	must := func(args ...string) string {
		t.Helper()
		out, err := temporal(args...)
		if err != nil {
			t.Fatalf("temporal %s: %v\n%s", strings.Join(args, " "), err, out)
		}
		return out
	}
	must("workflow", "start", "--type", "greet", "--task-queue", "cpub", "--workflow-id", "g1", "--input", `{"who":"operator"}`)
	if out := must("workflow", "result", "--workflow-id", "g1"); !strings.Contains(out, "hello operator!") {
		t.Errorf("result:\n%s", out)
	}
	show := must("workflow", "show", "--workflow-id", "g1", "--output", "json")
	for _, want := range []string{`"work"`, `"activityId": "a"`, `"activityId": "b"`, `"userMetadata"`, `"cpub.fake.local"`} {
		if !strings.Contains(show, want) {
			t.Errorf("show lacks %s:\n%s", want, show)
		}
	}
	must("workflow", "start", "--type", "slow", "--task-queue", "cpub", "--workflow-id", "s1", "--input", `{}`)
	flowtest.Eventually(t, 20*time.Second, "the step runs", func() bool { return len(h.Calls("blocks")) == 1 })
	must("workflow", "cancel", "--workflow-id", "s1")
	if out, err := temporal("workflow", "result", "--workflow-id", "s1"); err == nil || !strings.Contains(strings.ToLower(out), "cancel") {
		t.Errorf("the result of a cancelled run: %v\n%s", err, out)
	}
	if causes := h.Causes("blocks"); len(causes) != 1 {
		t.Errorf("the step ended by %v", causes)
	}
	if out := must("workflow", "query", "--workflow-id", "g1", "--type", "cpub_status"); !strings.Contains(out, "succeeded") {
		t.Errorf("query:\n%s", out)
	}
	t.Run("approval", func(t *testing.T) { answersWithTemporal(t, l, temporal) })
}

// answersWithTemporal decides as docs/operating.md tells those who have nothing of ours.
func answersWithTemporal(t *testing.T, l *lab, temporal func(args ...string) (string, error)) {
	for _, tt := range []struct {
		id, want string
		answer   []string
	}{
		{"updated", "ada: fine", []string{"update", "execute", "--name", "approve", "--input", `{"step":"go","by":"ada","comment":"fine"}`}},
		{"signalled", "ada: fine", []string{"signal", "--name", "approve", "--input", `{"by":"ada","comment":"fine"}`}},
		{"rejected by update", "not on a Friday", []string{"update", "execute", "--name", "reject", "--input", `{"by":"ada","comment":"not on a Friday"}`}},
		{"rejected by signal", "not on a Friday", []string{"signal", "--name", "reject", "--input", `{"step":"go","by":"ada","comment":"not on a Friday"}`}},
	} {
		t.Run(tt.id, func(t *testing.T) {
			if out, err := temporal("workflow", "start", "--type", "ask", "--task-queue", "cpub", "--workflow-id", tt.id, "--input", `{}`); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			l.waitsForApproval(t, tt.id, "", "go?")
			if out, err := temporal(append(append([]string{"workflow"}, tt.answer...), "--workflow-id", tt.id)...); err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			out, err := temporal("workflow", "result", "--workflow-id", tt.id)
			if rejected := strings.HasPrefix(tt.id, "rejected"); (err != nil) != rejected || !strings.Contains(out, tt.want) {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}
