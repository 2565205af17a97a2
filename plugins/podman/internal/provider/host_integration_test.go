//go:build integration

package provider_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/containerpub/cpub/internal/testenv"
	"github.com/containerpub/cpub/plugins/podman/internal/provider"
	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/sdktest"
)

// A rootless Podman on cgroups v1 accepts limits and ignores them.
func TestUnenforceableLimits(t *testing.T) {
	for _, version := range testenv.PodmanVersions {
		t.Run(version, func(t *testing.T) {
			e := newEnv(t, testenv.StartRootlessPodman(t, version))
			r := e.run(nil, "exit", "0")
			var se *sdk.Error
			if !errors.As(r.Err, &se) || se.Kind != sdk.KindPermanent {
				t.Fatalf("limits that are not enforced: %v, want a permanent failure", r.Err)
			}
			for _, want := range []string{"was not started", "rootless", "cgroups v1", "allow_unenforced_limits"} {
				if !strings.Contains(r.Err.Error(), want) {
					t.Errorf("the refusal %q does not say %q", r.Err, want)
				}
			}
			if left := e.podman.Run(t, "ps", "--all", "--quiet"); left != "" {
				t.Errorf("a container was made: %s", left)
			}
			findings, err := e.Check()
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range findings {
				if f.Name == "podman_limits" && (f.OK || f.Remedy == "") {
					t.Errorf("doctor says of the limits: %+v", f)
				}
			}
			allowed := e.run(map[string]any{"allow_unenforced_limits": true, "time_limit": "30s"}, "exit", "0")
			if out := ok(t, allowed); out.Receipt.Limits.Memory != -1 {
				t.Errorf("the receipt claims limits: %+v", out.Receipt.Limits)
			}
			if err := e.Release(allowed.Key); err != nil {
				t.Error(err)
			}
		})
	}
}

// Without any service the provider starts one, starts it again when it dies, and stops it when it ends.
func TestOwnService(t *testing.T) {
	p := testenv.StartPodman(t, "4.3.1")
	for _, v := range p.Environ {
		if name, value, _ := strings.Cut(v, "="); name != "PATH" {
			t.Setenv(name, value)
		}
	}
	t.Setenv("CONTAINER_HOST", "")
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	own := provider.New()
	id := p.ImportProgram(t, probePkg, probe)
	h := sdktest.New(t, own, sdktest.Options{Config: map[string]string{"podman": p.Binary}})
	run := func() error {
		in := map[string]any{"image": sdk.Located{ID: id, Location: h.Location}, "command": []string{"exit", "0"}, "time_limit": "60s"}
		r := h.Run(sdktest.Call{Type: "container_run", Input: in})
		return errors.Join(r.Err, h.Release(r.Key))
	}
	if err := run(); err != nil {
		t.Fatal(err)
	}
	before := services(t)
	if len(before) != 1 {
		t.Fatalf("services of our own: %v", before)
	}
	if out, err := exec.Command("kill", "-KILL", before[0]).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := run(); err != nil {
		t.Errorf("after the service was killed: %v", err)
	}
	if err := own.Close(); err != nil {
		t.Error(err)
	}
	if left := services(t); len(left) > 0 {
		t.Errorf("the service is still there: %v", left)
	}
}

// services are the pids of services that a provider started: their sockets are in a folder of that name.
func services(t *testing.T) []string {
	t.Helper()
	procs, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	var pids []string
	for _, p := range procs {
		b, err := os.ReadFile(p)
		if err == nil && strings.Contains(string(b), os.Getenv("TMPDIR")+"/cpub-podman-") {
			pids = append(pids, filepath.Base(filepath.Dir(p)))
		}
	}
	return pids
}
