//go:build integration

package provider_test

import (
	"strings"
	"testing"

	"github.com/containerpub/cpub/sdk/sdktest"
)

// TestNoService: where no service can be made, the step says why, and what can be done instead. How services are made is tested beside their code.
func TestNoService(t *testing.T) {
	why := map[string]string{"4.3.1": "Podman 4.3.1 has no Quadlet", "5.8.2": "systemd does not run on this host"}
	eachVersion(t, func(t *testing.T, e *env) {
		r := e.Run(sdktest.Call{Type: "podman_service", Input: map[string]any{"name": "web", "image": e.image(), "command": []string{"sleep", "1"}}})
		failed(t, r, "")
		for _, want := range []string{why[e.podman.Version], `podman_pod with`} {
			if !strings.Contains(r.Err.Error(), want) {
				t.Errorf("the refusal %q does not say %q", r.Err, want)
			}
		}
	})
}
