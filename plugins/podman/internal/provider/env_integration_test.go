//go:build integration

package provider_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/containerpub/cpub/internal/testenv"
	"github.com/containerpub/cpub/plugins/podman/internal/provider"
	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/schema"
	"github.com/containerpub/cpub/sdk/sdktest"
)

const (
	probe    = "localhost/probe:latest"
	probePkg = "./sdk/sdktest/probe"
)

// env is one Podman service with the probe's image, and a provider on it.
type env struct {
	*sdktest.Harness
	podman  *testenv.Podman
	imageID string
	config  map[string]string // of the provider
}

// image is the probe's image as a located value.
func (e *env) image() sdk.Located { return sdk.Located{ID: e.imageID, Location: e.Location} }

// eachVersion runs the test on every Podman that is served.
func eachVersion(t *testing.T, f func(t *testing.T, e *env)) {
	for _, version := range testenv.PodmanVersions {
		t.Run(version, func(t *testing.T) {
			f(t, newEnv(t, testenv.StartPodman(t, version)))
		})
	}
}

func newEnv(t *testing.T, p *testenv.Podman) *env {
	t.Helper()
	return newEnvWith(t, p, map[string]string{"connection": p.URI})
}

func newEnvWith(t *testing.T, p *testenv.Podman, config map[string]string) *env {
	t.Helper()
	e := &env{podman: p, imageID: p.ImportProgram(t, probePkg, probe), config: config}
	e.Harness = e.connect(t)
	return e
}

// connect is a further provider on the same service: another worker's, or the first one's after it died.
func (e *env) connect(t *testing.T, registries ...sdk.Registry) *sdktest.Harness {
	t.Helper()
	p := provider.New()
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Errorf("closing the provider: %v", err)
		}
	})
	return sdktest.New(t, p, sdktest.Options{
		Config: e.config, Registries: registries, Wire: true,
	})
}

// run runs the probe with a command.
func (e *env) run(input map[string]any, command ...string) *sdktest.Result {
	return e.Run(e.call(input, command...))
}

func (e *env) call(input map[string]any, command ...string) sdktest.Call {
	in := map[string]any{"image": e.image(), "command": command}
	for k, v := range input {
		in[k] = v
	}
	return sdktest.Call{Type: "container_run", Input: in}
}

// assertNothingLeft checks that no container is there, and no cgroup of these keys: other tests have theirs on this machine.
func (e *env) assertNothingLeft(t *testing.T, keys ...string) {
	t.Helper()
	if left := e.podman.Run(t, "ps", "--all", "--external", "--format", "{{.Names}}"); left != "" {
		t.Errorf("containers are left: %s", left)
	}
	for _, key := range keys {
		for _, pattern := range []string{"/sys/fs/cgroup/*/cpub/" + key, "/sys/fs/cgroup/cpub/" + key} {
			dirs, err := filepath.Glob(pattern)
			if err != nil {
				t.Fatal(err)
			}
			for _, d := range dirs {
				t.Errorf("a cgroup is left: %s", d)
			}
		}
	}
}

// has checks that a text has a line.
func has(t *testing.T, text, line string) {
	t.Helper()
	for l := range strings.Lines(text) {
		if strings.Join(strings.Fields(l), " ") == line {
			return
		}
	}
	t.Errorf("no line %q in:\n%s", line, text)
}

// sdkHour is a grace that nothing in a test is older than.
const sdkHour = schema.Duration(time.Hour)
