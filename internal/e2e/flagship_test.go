//go:build integration

package e2e

import (
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/containerpub/cpub/engine/artifact"
	"github.com/containerpub/cpub/internal/testenv"
	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/contract"
)

// TestFlagship is the way of a function on both Podmans: from its archive in S3 to its JSON result, and the receipt of its limits.
func TestFlagship(t *testing.T) {
	for _, version := range testenv.PodmanVersions {
		t.Run(version, func(t *testing.T) {
			s := newStack(t, version)
			r := s.cpub(s.flagship("--id", "one")...)
			if r.code != 0 {
				t.Fatalf("exit code %d\n%s%s", r.code, r.stdout, r.stderr)
			}
			var result struct {
				Greeting string `json:"greeting"`
				Root     string `json:"root_filesystem"`
			}
			if err := json.Unmarshal([]byte(r.stdout), &result); err != nil || result.Greeting != "Hello, Ada!" || result.Root != "read-only" {
				t.Errorf("stdout is not the function's result alone (%v):\n%s", err, r.stdout)
			}
			for _, step := range []string{"archive", "source", "image", "publish", "invoke"} {
				if !strings.Contains(r.stderr, step) {
					t.Errorf("the live view lacks step %s:\n%s", step, r.stderr)
				}
			}
			if !strings.Contains(r.stderr, "128MiB") {
				t.Errorf("the receipt with the enforced limits is not shown:\n%s", r.stderr)
			}
			s.assertPushed()
			s.assertClean()
			s.assertAttaches()
			s.assertFailureIsWhole()
		})
	}
}

// assertPushed looks the image up in the registry itself.
func (s *stack) assertPushed() {
	s.t.Helper()
	ref, err := name.ParseReference(s.env.Registry + "/dart-function-hello-v1:latest")
	if err != nil {
		s.t.Fatal(err)
	}
	if _, err := remote.Image(ref, remote.WithContext(s.t.Context())); err != nil {
		s.t.Errorf("the image is not in the registry: %v", err)
	}
}

// assertAttaches runs again with one id: the same inputs attach to the run that was, other inputs are refused.
func (s *stack) assertAttaches() {
	s.t.Helper()
	if r := s.cpub(s.flagship("--id", "one")...); r.code != 0 || !strings.Contains(r.stdout, "Hello, Ada!") {
		s.t.Errorf("the same id and inputs: exit code %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	if r := s.cpub(s.flagship("--id", "one", "-var", `input={ name = "Bob" }`)...); r.code != 2 {
		s.t.Errorf("the same id and other inputs: exit code %d, want 2\n%s%s", r.code, r.stdout, r.stderr)
	}
}

// assertFailureIsWhole runs the function with what it refuses, and wants all that is known of its end: the limits on the terminal, and exit
// code, output and log where programs and operators look.
func (s *stack) assertFailureIsWhole() {
	s.t.Helper()
	r := s.cpub(s.flagship("--id", "refuses", "-var", "input=[1]")...)
	if r.code != 1 || !strings.Contains(r.stderr, "FUNCTION_INPUT is no JSON object") || !strings.Contains(r.stderr, "128MiB") {
		s.t.Errorf("exit code %d, want 1, with the function's words and the receipt:\n%s%s", r.code, r.stdout, r.stderr)
	}
	var run struct {
		Steps []struct {
			Step    string
			Outputs struct {
				ExitCode int `json:"exit_code"`
				Stderr   string
				Cached   bool
				Log      sdk.Artifact
				Receipt  contract.Receipt
			}
		}
	}
	status := s.cpub("status", "--json", "deploy_function/refuses").stdout
	if err := json.Unmarshal([]byte(status), &run); err != nil || len(run.Steps) != 5 {
		s.t.Fatalf("the status: %v\n%s", err, status)
	}
	if source := run.Steps[1]; source.Step != "source" || !source.Outputs.Cached {
		s.t.Errorf("the same archive was extracted again:\n%s", status)
	}
	out := run.Steps[4].Outputs
	if out.ExitCode != 1 || out.Stderr == "" || out.Receipt.EndedBy != contract.EndedByExit {
		s.t.Errorf("the failed step's outputs lack something:\n%s", status)
	}
	store, err := artifact.Open(s.t.Context(), s.env.Store)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = store.Close() }()
	log, err := store.Reader(s.t.Context(), out.Log.Digest)
	if err != nil {
		s.t.Fatalf("the failed step's log: %v\n%s", err, status)
	}
	text, err := io.ReadAll(log)
	if err := errors.Join(err, log.Close()); err != nil || !strings.Contains(string(text), out.Stderr) {
		s.t.Errorf("the failed step's log is %q, %v", text, err)
	}
}

// TestTemporalCLI starts, shows and cancels runs with nothing but Temporal's own command line.
func TestTemporalCLI(t *testing.T) {
	s := newStack(t, "4.3.1")
	if r := s.cpub("publish", root("examples/hcl/function")); r.code != 0 {
		t.Fatalf("publish: exit code %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	input, err := json.Marshal(map[string]any{
		"function_id": "hello", "function_version": "1", "docker_registry": s.env.Registry,
		"docker_base_image": s.env.Registry + "/base:1", "input": map[string]string{"name": "Ada"},
	})
	if err != nil {
		t.Fatal(err)
	}
	temporal := testenv.Tool(t, "temporal")
	s.run(temporal, "workflow", "start", "--type", "deploy_function", "--task-queue", "cpub", "--workflow-id", "by-cli", "--input", string(input))
	if out := s.run(temporal, "workflow", "result", "--workflow-id", "by-cli"); !strings.Contains(out, "Hello, Ada!") {
		t.Errorf("the result lacks the outputs:\n%s", out)
	}
	history := s.run(temporal, "workflow", "show", "--workflow-id", "by-cli", "--output", "json")
	for _, want := range []string{
		`"object_fetch"`, `"archive_extract"`, `"image_build"`, `"image_push"`, `"container_run"`, // activity types
		`"activityId": "invoke"`, `"activityId": "publish"`,
	} {
		if !strings.Contains(history, want) {
			t.Errorf("the history lacks %s:\n%s", want, tail(history, 4000))
		}
	}
	s.assertListed(temporal, "by-cli")

	// A namespace without the search attributes does as well.
	for _, name := range []string{"CpubPipeline", "CpubStatus"} {
		s.run(temporal, "operator", "search-attribute", "remove", "--name", name, "--yes")
	}
	s.run(temporal, "workflow", "start", "--type", "deploy_function", "--task-queue", "cpub", "--workflow-id", "unlisted", "--input", string(input))
	if out := s.run(temporal, "workflow", "result", "--workflow-id", "unlisted"); !strings.Contains(out, "Hello, Ada!") {
		t.Errorf("the result without search attributes lacks the outputs:\n%s", out)
	}
	if r := s.cpub("ps"); r.code != 0 || !strings.Contains(r.stdout, "unlisted") {
		t.Errorf("cpub ps without search attributes: exit code %d\n%s%s", r.code, r.stdout, r.stderr)
	}
}

// assertListed finds the run by its search attributes, as its end set them. Visibility may lag behind.
func (s *stack) assertListed(temporal, workflowID string) {
	s.t.Helper()
	list := func(status string) string {
		return s.run(temporal, "workflow", "list", "--query", "CpubPipeline = 'deploy_function' AND CpubStatus = '"+status+"'", "--output", "json")
	}
	for deadline := time.Now().Add(20 * time.Second); !strings.Contains(list("succeeded"), workflowID); time.Sleep(200 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("no run is found by its search attributes:\n%s", s.run(temporal, "workflow", "describe", "--workflow-id", workflowID))
		}
	}
	if out := list("running"); strings.Contains(out, workflowID) {
		s.t.Errorf("the run that ended is listed as running:\n%s", out)
	}
}
