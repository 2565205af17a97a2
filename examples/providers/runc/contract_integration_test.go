//go:build linux && integration

package runc_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/containerpub/cpub/examples/providers/runc"
	"github.com/containerpub/cpub/internal/testenv"
	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/sdktest"
)

// TestContracts runs the suites that the provider podman passes, too.
func TestContracts(t *testing.T) {
	registry := sdk.Registry{Host: testenv.Services(t).Registry, Insecure: true}
	for name, wire := range map[string]bool{"in process": false, "over the wire": true} {
		t.Run(name, func(t *testing.T) {
			e := newEnv(t, registry, wire)
			images := sdktest.Images{Registry: registry, Left: e.left}
			t.Run("image_pull", func(t *testing.T) { sdktest.ImagePull(t, e.Harness, images) })
			t.Run("container_run", func(t *testing.T) { sdktest.ContainerRun(t, e.Harness, images) })
		})
	}
}

// env is a configured provider with a state folder and a folder of mounts of its own.
type env struct {
	*sdktest.Harness

	state, runDir string
}

func newEnv(t *testing.T, registry sdk.Registry, wire bool) *env {
	t.Helper()
	runDir, err := os.MkdirTemp("/run", "cpub-runc-test-")
	if err == nil {
		err = os.Chmod(runDir, 0o711)
	}
	if err != nil {
		t.Fatal(err)
	}
	e := &env{state: t.TempDir(), runDir: runDir}
	p := runc.New()
	t.Cleanup(func() {
		if _, err := e.Sweep(sdk.Sweep{}); err != nil {
			t.Errorf("removing what is left: %v", err)
		}
		if err := p.Close(); err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(runDir); err == nil {
			t.Errorf("%s is left, with mounts or the runtime's state", runDir)
		}
	})
	e.Harness = sdktest.New(t, p, sdktest.Options{
		Secrets: []sdk.Secret{sdktest.Secret()}, Registries: []sdk.Registry{registry}, Wire: wire, StateDir: e.state,
		Config: map[string]string{"run_dir": runDir},
	})
	return e
}

// left lists a key's folder, mounts, cgroups, and what the runtime knows of it.
func (e *env) left(t testing.TB, key string) (found []string) {
	t.Helper()
	for _, pattern := range []string{
		filepath.Join(e.state, "containers", key), filepath.Join(e.runDir, "*", key), filepath.Join(e.runDir, "*", "state", key),
		filepath.Join("/sys/fs/cgroup/cpub-runc", key), filepath.Join("/sys/fs/cgroup/*/cpub-runc", key),
	} {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		found = append(found, paths...)
	}
	for _, file := range append(mustGlob(t, "/proc/[0-9]*/environ"), "/proc/self/mounts") {
		text, err := os.ReadFile(file)
		if err == nil && strings.Contains(string(text), filepath.Join(e.state, "containers", key)) {
			found = append(found, file)
		}
	}
	return found
}

func mustGlob(t testing.TB, pattern string) []string {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil {
		t.Fatal(err)
	}
	return paths
}
