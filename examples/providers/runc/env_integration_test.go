//go:build linux && integration

package runc_test

import (
	"archive/tar"
	"bytes"
	"cmp"
	"io"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/containerpub/cpub/examples/providers/runc"
	"github.com/containerpub/cpub/internal/testenv"
	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/sdktest"
)

// env is a configured provider with a state folder and a folder of mounts of its own.
type env struct {
	*sdktest.Harness

	registry sdk.Registry
	state    string
	runDir   string
	probe    string // the reference of an image of the probe
}

// options may all be left out.
type options struct {
	registry sdk.Registry // one in memory
	wire     bool
	runc     string
}

func newEnv(t *testing.T, o options) *env {
	t.Helper()
	if o.registry.Host == "" {
		server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
		t.Cleanup(server.Close)
		o.registry = sdk.Registry{Host: strings.TrimPrefix(server.URL, "http://"), Insecure: true}
	}
	testenv.SubIDs(t)
	runDir, err := os.MkdirTemp("/run", "cpub-runc-test-")
	if err == nil {
		err = os.Chmod(runDir, 0o711)
	}
	if err != nil {
		t.Fatal(err)
	}
	e := &env{state: t.TempDir(), runDir: runDir, registry: o.registry}
	t.Cleanup(func() {
		if left, err := os.ReadDir(runDir); err == nil {
			t.Errorf("%s is left, with mounts or the runtime's state: %v", runDir, left)
		}
	})
	e.Harness = e.connect(t, o)
	t.Cleanup(func() {
		if _, err := e.Sweep(sdk.Sweep{}); err != nil {
			t.Errorf("removing what is left: %v", err)
		}
	})
	return e
}

// connect is the provider started anew on the same state.
func (e *env) connect(t *testing.T, o options) *sdktest.Harness {
	t.Helper()
	p := runc.New()
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return sdktest.New(t, p, sdktest.Options{
		Secrets: []sdk.Secret{sdktest.Secret()}, Registries: []sdk.Registry{e.registry}, Wire: o.wire, StateDir: e.state,
		Config: map[string]string{"run_dir": e.runDir, "runc": cmp.Or(o.runc, "/usr/sbin/runc")},
	})
}

// call runs the probe with a command; further attributes can be added.
func (e *env) call(t *testing.T, more map[string]any, command ...string) sdktest.Call {
	t.Helper()
	if e.probe == "" {
		e.probe = e.push(t)
	}
	in := map[string]any{"image": e.probe, "command": command}
	for k, v := range more {
		in[k] = v
	}
	return sdktest.Call{Type: "container_run", Input: in, Rules: e.rules()}
}

func (e *env) rules() sdk.Rules { return sdk.Rules{PullFrom: []string{e.registry.Host + "/*"}} }

// push puts an image of the probe into the registry.
func (e *env) push(t *testing.T) string {
	t.Helper()
	program, err := os.ReadFile(testenv.Build(t, "./sdk/sdktest/probe"))
	if err != nil {
		t.Fatal(err)
	}
	var layer bytes.Buffer
	w := tar.NewWriter(&layer)
	if err := w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "probe", Mode: 0o755, Size: int64(len(program))}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(program); err != nil || w.Close() != nil {
		t.Fatal(err)
	}
	made, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(layer.Bytes())), nil })
	if err != nil {
		t.Fatal(err)
	}
	img, err := mutate.AppendLayers(empty.Image, made)
	if err != nil {
		t.Fatal(err)
	}
	config, err := img.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	config = config.DeepCopy()
	config.Config.Entrypoint = []string{"/probe"}
	if img, err = mutate.ConfigFile(img, config); err != nil {
		t.Fatal(err)
	}
	reference := e.registry.Host + "/probe:1"
	parsed, err := name.ParseReference(reference, name.Insecure)
	if err == nil {
		err = remote.Write(parsed, img)
	}
	if err != nil {
		t.Fatal(err)
	}
	return reference
}

// left lists a key's folder, mounts, cgroups, processes, and what the runtime knows of it.
func (e *env) left(t testing.TB, key string) (found []string) {
	t.Helper()
	folder := filepath.Join(e.state, "containers", key)
	for _, pattern := range []string{
		folder, filepath.Join(e.runDir, "*", key), filepath.Join(e.runDir, "*", "state", key),
		filepath.Join("/sys/fs/cgroup/cpub-runc", key), filepath.Join("/sys/fs/cgroup/*/cpub-runc", key), "/proc/[0-9]*/environ", "/proc/self/mounts",
	} {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			text, err := os.ReadFile(path)
			if !strings.HasPrefix(path, "/proc/") || err == nil && strings.Contains(string(text), folder) {
				found = append(found, path)
			}
		}
	}
	return found
}
