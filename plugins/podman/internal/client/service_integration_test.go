//go:build integration

package client

import (
	"os"
	"os/exec"
	"strings"
	"testing"

	"github.com/containerpub/cpub/internal/testenv"
)

// TestServiceWithoutAnEnvironment starts a service where the provider was given nothing but the store, and runs a container on it: podman, conmon and
// the runtime are found.
func TestServiceWithoutAnEnvironment(t *testing.T) {
	podman := testenv.StartPodman(t, "4.3.1")
	podman.ImportProgram(t, "./examples/functions/hello", "localhost/hello:1")
	given := map[string]bool{}
	for _, v := range podman.Environ {
		name, value, _ := strings.Cut(v, "=")
		given[name] = true
		t.Setenv(name, value)
	}
	for _, v := range os.Environ() {
		name, value, _ := strings.Cut(v, "=")
		if given[name] {
			continue
		}
		t.Setenv(name, value) // to have it back
		if err := os.Unsetenv(name); err != nil {
			t.Fatal(err)
		}
	}

	s, err := StartService(t.Context(), "", nil)
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), podman.Binary, "--url", s.URI, "run", "--rm", "--network=none", "localhost/hello:1").CombinedOutput()
	if err != nil || !strings.Contains(string(out), "Hello, world!") {
		t.Errorf("%v\n%s", err, out)
	}
	if err := s.Stop(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(socketPath(s.URI)); !os.IsNotExist(err) {
		t.Errorf("the socket is left: %v", err)
	}
}
