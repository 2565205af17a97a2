package steps_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/containerpub/cpub/engine/config"
	"github.com/containerpub/cpub/plugins/podman/steps"
)

// TestShapes: the shapes are valid, and a pipeline may mix images of the store and references in one pod.
func TestShapes(t *testing.T) {
	schemas := config.Contracts()
	for _, own := range steps.All() {
		if err := own.Input.Validate(); err != nil {
			t.Errorf("%s: %v", own.Name, err)
		}
		if err := own.Output.Validate(); err != nil {
			t.Errorf("%s: %v", own.Name, err)
		}
		schemas[own.Name] = config.Offer{Step: own.Step}
	}
	file := filepath.Join(t.TempDir(), "main.hcl")
	err := os.WriteFile(file, []byte(`pipeline "p" {
  step "image_pull" "i" { reference = "localhost:5000/a:1" }
  step "podman_pod" "pod" {
    name = "web"
    container "app" {
      image = step.i.image
      healthcheck { command = ["check"] }
    }
    container "side" {
      image = "localhost:5000/b@sha256:0000000000000000000000000000000000000000000000000000000000000000"
    }
    port { container_port = 80 }
  }
  step "podman_pod" "gone" {
    name  = step.pod.name
    state = "absent"
  }
  output "port" { value = step.pod.ports[0].host_port }
}
`), 0o600)
	if err != nil {
		t.Fatal(err)
	}
	if _, diags := config.Load(t.Context(), file, schemas, config.Options{}); len(diags) > 0 {
		t.Fatal(diags)
	}
}
