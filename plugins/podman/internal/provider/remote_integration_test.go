//go:build integration

package provider_test

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/containerpub/cpub/internal/testenv"
	"github.com/containerpub/cpub/plugins/podman/internal/provider"
	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/sdktest"
)

// overSSH configures a provider to reach a Podman of this machine as if it were another.
func overSSH(d *testenv.SSHD, user string, podman *testenv.Podman) map[string]string {
	return map[string]string{
		"connection": "ssh://" + user + "@" + d.Address + strings.TrimPrefix(podman.URI, "unix://"),
		"identity":   d.Identity, "host_key": d.HostKey,
	}
}

// TestRemote: over ssh everything is as on this machine, limits that are read back and counters included.
func TestRemote(t *testing.T) {
	d := testenv.StartSSHD(t, testenv.SSHDOptions{})
	registry := sdk.Registry{Host: testenv.Services(t).Registry, Insecure: true}
	cases := []struct {
		name string
		on   []string // versions: what does not hang on them is tried with one
		test func(t *testing.T, e *env)
	}{
		{"defaults from inside", testenv.PodmanVersions, defaultsFromInside},
		{"counters", testenv.PodmanVersions, counters},
		{"adoption", testenv.PodmanVersions, adoption},
		{"connections dropped", testenv.PodmanVersions, func(t *testing.T, e *env) { connectionsDropped(t, e, d) }},
		{"build", testenv.PodmanVersions, func(t *testing.T, e *env) { build(t, e, registry.Host) }},
		{"progress", testenv.PodmanVersions[:1], progressTold},
		{"sweep", testenv.PodmanVersions[:1], sweep},
		{"build whose service was killed", testenv.PodmanVersions[:1], func(t *testing.T, e *env) { buildServiceKilled(t, e, registry.Host) }},
		{"service killed", testenv.PodmanVersions[1:], serviceKilled},
		{"long input", testenv.PodmanVersions[1:], longInput},
		{"push and pull", testenv.PodmanVersions[1:], func(t *testing.T, e *env) { pushAndPull(t, e, registry.Host) }},
	}
	for _, version := range testenv.PodmanVersions {
		t.Run(version, func(t *testing.T) {
			podman := testenv.StartPodman(t, version)
			e := newEnvWith(t, podman, overSSH(d, "root", podman))
			e.Harness = e.connect(t, registry)
			for _, c := range cases {
				if slices.Contains(c.on, version) {
					t.Run(c.name, func(t *testing.T) { c.test(t, e) })
				}
			}
			// What the cases kept goes, with its cgroups.
			if _, err := e.Sweep(sdk.Sweep{}); err != nil {
				t.Error(err)
			}
			e.assertNothingLeft(t)
		})
	}
}

// longInput is more than a pipe holds, and comes whole to five containers at a time.
func longInput(t *testing.T, e *env) {
	text := strings.Repeat("0123456789abcdef", 20<<10)
	want := fmt.Sprintf("%d %x\n", len(text), sha256.Sum256([]byte(text)))
	results := make(chan *sdktest.Result)
	for range 5 {
		go func() { results <- e.run(map[string]any{"stdin": text, "time_limit": "120s"}, "sum") }()
	}
	for range 5 {
		r := <-results
		if out := ok(t, r); out.Stdout != want {
			t.Errorf("the container read %q, want %q", out.Stdout, want)
		}
		if err := e.Release(r.Key); err != nil {
			t.Error(err)
		}
	}
}

// connectionsDropped: the container runs on, and its attempt goes on with it over a new connection.
func connectionsDropped(t *testing.T, e *env, d *testenv.SSHD) {
	s := whenStarted(t, nil)
	s.cancel = func(error) {}
	call := e.call(map[string]any{"time_limit": "60s"}, "wait", "30")
	call.Host = s
	go func() {
		<-s.seen
		d.Drop(t)
	}()
	r := e.Run(call)
	out := ok(t, r)
	if lines := strings.Count(out.Stdout, "line "); lines != 30 || out.Receipt.MemoryPeak == nil {
		t.Errorf("the output has %d lines, want 30; the receipt %+v", lines, out.Receipt)
	}
	if err := e.Release(r.Key); err != nil {
		t.Error(err)
	}
	for _, what := range left(t, e.podman, r.Key) {
		t.Errorf("left: %s", what)
	}
}

// TestRemoteRootless: what a user's own session shows of their containers is enough to prove their isolation. Limits are as on the machine
// itself: on cgroups v1 there are none.
func TestRemoteRootless(t *testing.T) {
	d := testenv.StartSSHD(t, testenv.SSHDOptions{})
	for _, version := range testenv.PodmanVersions {
		t.Run(version, func(t *testing.T) {
			podman := testenv.StartRootlessPodman(t, version)
			d.AllowUser(t, testenv.RootlessUser)
			e := newEnvWith(t, podman, overSSH(d, testenv.RootlessUser, podman))
			refused(t, e.run(nil, "exit", "0"), "rootless Podman ignores limits", "allow_unenforced_limits")
			r := e.run(map[string]any{"allow_unenforced_limits": true, "time_limit": "60s", "stdin": "hello"}, "cat")
			out := ok(t, r)
			if l := out.Receipt.Limits; out.Stdout != "hello" || l.Memory != -1 || l.Userns != "private" || !l.NoNewPrivileges || !l.ReadOnly {
				t.Errorf("%+v", out)
			}
			b := e.Run(buildCall(t, e.Harness, map[string]string{"Containerfile": "FROM " + probe + "\nCOPY f /f\n", "f": "x"},
				map[string]any{"allow_unenforced_limits": true}))
			b.Decode(new(built))
			if err := e.Release(r.Key, b.Key); err != nil {
				t.Error(err)
			}
			for _, key := range []string{r.Key, b.Key} {
				for _, what := range left(t, e.podman, key) {
					t.Errorf("left: %s", what)
				}
			}
		})
	}
}

// TestRemoteAnotherUser: who may use Podman's socket, but not look at its containers, proves nothing.
func TestRemoteAnotherUser(t *testing.T) {
	d := testenv.StartSSHD(t, testenv.SSHDOptions{})
	podman := testenv.StartPodman(t, testenv.PodmanVersions[0])
	// A container of root's is nothing that this user may look into.
	if err := os.Chmod(strings.TrimPrefix(podman.URI, "unix://"), 0o666); err != nil {
		t.Fatal(err)
	}
	d.AllowUser(t, "nobody")
	setShell(t, "nobody")
	e := newEnvWith(t, podman, overSSH(d, "nobody", podman))
	r := e.run(nil, "exit", "0")
	refused(t, r, "cannot be read back", "that Podman is root's")
	for _, what := range left(t, podman, r.Key) {
		t.Errorf("left: %s", what)
	}
}

// setShell lets a user of the system have a shell for the test's time.
func setShell(t *testing.T, name string) {
	t.Helper()
	set := func(shell string) {
		if out, err := exec.Command("usermod", "--shell", shell, name).CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	}
	set("/bin/sh")
	t.Cleanup(func() { set("/usr/sbin/nologin") })
}

// refused checks that a step failed for good, and says all of this.
func refused(t *testing.T, r *sdktest.Result, says ...string) {
	t.Helper()
	var se *sdk.Error
	if !errors.As(r.Err, &se) || se.Kind != sdk.KindPermanent {
		t.Fatalf("the step ended with %v, want a permanent failure", r.Err)
	}
	for _, want := range says {
		if !strings.Contains(r.Err.Error(), want) {
			t.Errorf("the refusal does not say %q: %v", want, r.Err)
		}
	}
}

// TestConnections: Podman's own connections are found by their names and by the environment, and that of a virtual machine of
// `podman machine` by itself.
func TestConnections(t *testing.T) {
	d := testenv.StartSSHD(t, testenv.SSHDOptions{})
	podman := testenv.StartPodman(t, testenv.PodmanVersions[0])
	uri := "ssh://root@" + d.Address + strings.TrimPrefix(podman.URI, "unix://")
	file := filepath.Join(t.TempDir(), "connections.json")
	write(t, file, fmt.Sprintf(`{"Connection": {"Default": "vm", "Connections": {
		"far": {"URI": %q, "Identity": %q}, "vm": {"URI": %q, "Identity": %q, "IsMachine": true}}}}`, uri, d.Identity, uri, d.Identity))
	t.Setenv("PODMAN_CONNECTIONS_CONF", file)
	t.Setenv("CONTAINER_HOST", "")
	t.Setenv("CONTAINER_CONNECTION", "")
	for _, c := range []struct {
		name   string
		config map[string]string
		env    []string
		source string
	}{
		{name: "a name", config: map[string]string{"connection": "far", "known_hosts": d.KnownHosts}, source: "far"},
		{name: "the machine", config: map[string]string{}, source: "Podman's default connection: vm"},
		{name: "CONTAINER_CONNECTION", config: map[string]string{"host_key": d.HostKey}, env: []string{"CONTAINER_CONNECTION", "far"}, source: "far"},
		{name: "CONTAINER_HOST", config: map[string]string{"host_key": d.HostKey}, env: []string{"CONTAINER_HOST", uri}, source: "CONTAINER_HOST"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Setenv("CONTAINER_SSHKEY", d.Identity)
			if c.env != nil {
				t.Setenv(c.env[0], c.env[1])
			}
			p := provider.New()
			t.Cleanup(func() {
				if err := p.Close(); err != nil {
					t.Error(err)
				}
			})
			h := sdktest.New(t, p, sdktest.Options{Config: c.config})
			if f := finding(t, h, "podman_connection"); !f.OK || !strings.Contains(f.Detail, c.source) || !strings.Contains(f.Detail, uri) {
				t.Errorf("%+v", f)
			}
		})
	}
	t.Run("an unknown host", func(t *testing.T) {
		empty := filepath.Join(t.TempDir(), "known_hosts")
		write(t, empty, "")
		configureFails(t, map[string]string{"connection": "far", "known_hosts": empty}, "SHA256:")
	})
	t.Run("no such name", func(t *testing.T) {
		configureFails(t, map[string]string{"connection": "near"}, `connection "near" not found`)
	})
}
