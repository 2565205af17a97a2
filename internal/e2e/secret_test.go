//go:build integration

package e2e

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/containerpub/cpub/internal/testenv"
)

const secretValue = "correct-horse-battery-staple"

const secretPipeline = `
variable "image" {}
pipeline "greet" {
  step "container_run" "hello" {
    image = var.image
    env   = { FUNCTION_INPUT = "{\"name\":\"${secret("GREETED")}\"}" }
  }
  output "said" { value = step.hello.stdout }
}
pipeline "steal" {
  step "container_run" "hello" {
    image = var.image
    env   = { FUNCTION_INPUT = secret("DEPLOY_KEY") }
  }
}
`

// TestSecret: a function is given a secret, and neither the run's history, nor its outputs, logs and stored objects, nor the worker's log have it.
func TestSecret(t *testing.T) {
	s := newStackWithoutWorker(t, "4.3.1")
	file := filepath.Join(t.TempDir(), "greeted")
	if err := os.WriteFile(file, []byte(secretValue+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	config, err := os.ReadFile(s.config)
	if err != nil {
		t.Fatal(err)
	}
	s.writeFile(s.config, string(config)+`
secret "GREETED" {
  file       = "`+file+`"
  allow      = [podman.local]
  step_types = ["container_run"]
}
secret "DEPLOY_KEY" {
  file       = "`+file+`"
  allow      = [podman.local]
  step_types = ["image_build"]
}
`)
	s.startWorker()
	if r := s.cpub(s.flagship("--id", "deploy")...); r.code != 0 {
		t.Fatalf("deploying the function: exit code %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	image := s.env.Registry + "/dart-function-hello-v1:latest"
	pipelines := filepath.Join(t.TempDir(), "main.hcl")
	s.writeFile(pipelines, secretPipeline)

	r := s.cpub("run", pipelines, "greet", "--id", "greet", "-var", "image="+image)
	if r.code != 0 || !strings.Contains(r.stdout, "Hello, ***!") {
		t.Errorf("exit code %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	temporal := testenv.Tool(t, "temporal")
	history := payloads(t, s.run(temporal, "workflow", "show", "--workflow-id", "greet/greet", "--output", "json"))
	if want := `${secret(\"GREETED\")}`; !strings.Contains(history, want) {
		t.Errorf("the history does not name the secret as %s:\n%s", want, tail(history, 8000))
	}
	logs := s.cpub("logs", "greet/greet")
	workerLog, err := os.ReadFile(filepath.Join(s.dir, "worker.log"))
	if err != nil {
		t.Fatal(err)
	}
	for what, text := range map[string]string{
		"output of cpub run": r.stdout + r.stderr, "history": history, "log": logs.stdout + logs.stderr, "worker's log": string(workerLog),
	} {
		if strings.Contains(text, secretValue) {
			t.Errorf("the %s has the secret:\n%s", what, tail(text, 4000))
		}
	}
	s.assertNotKept(secretValue)

	r = s.cpub("run", pipelines, "steal", "--id", "steal", "-var", "image="+image)
	if r.code != 1 || !strings.Contains(r.stderr, `secret "DEPLOY_KEY" is not granted to podman.local for container_run`) {
		t.Errorf("a secret of another step type: exit code %d\n%s%s", r.code, r.stdout, r.stderr)
	}
	s.assertClean()
}

// payloads is a history as the CLI prints it, with all payloads decoded.
func payloads(t *testing.T, history string) string {
	t.Helper()
	return regexp.MustCompile(`"data": "[^"]*"`).ReplaceAllStringFunc(history, func(data string) string {
		text, err := base64.StdEncoding.DecodeString(data[len(`"data": "`) : len(data)-1])
		if err != nil {
			t.Fatalf("%s: %v", data, err)
		}
		return string(text)
	})
}

// assertNotKept looks for a text in all that the worker keeps on disk.
func (s *stack) assertNotKept(text string) {
	s.t.Helper()
	sum := sha256.Sum256([]byte(text))
	err := filepath.WalkDir(filepath.Join(s.dir, "state"), func(path string, e os.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return nil //nolint:nilerr // what goes away meanwhile is not kept
		}
		content, err := os.ReadFile(path)
		if err == nil && (strings.Contains(string(content), text) || strings.Contains(string(content), hex.EncodeToString(sum[:]))) {
			s.t.Errorf("%s has the secret", path)
		}
		return nil
	})
	if err != nil {
		s.t.Fatal(err)
	}
}
