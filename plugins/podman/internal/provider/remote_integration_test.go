//go:build integration

package provider_test

import (
	"crypto/sha256"
	"fmt"
	"strings"
	"testing"

	"github.com/containerpub/cpub/internal/testenv"
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
		test func(t *testing.T, e *env)
	}{
		{"defaults from inside", defaultsFromInside},
		{"counters", counters},
		{"progress", progressTold},
		{"adoption", adoption},
		{"service killed", serviceKilled},
		{"long input", longInput},
		{"connections dropped", func(t *testing.T, e *env) { connectionsDropped(t, e, d) }},
		{"sweep", sweep},
		{"build", func(t *testing.T, e *env) { build(t, e, registry.Host) }},
		{"build whose service was killed", func(t *testing.T, e *env) { buildServiceKilled(t, e, registry.Host) }},
		{"push and pull", func(t *testing.T, e *env) { pushAndPull(t, e, registry.Host) }},
	}
	for _, version := range testenv.PodmanVersions {
		t.Run(version, func(t *testing.T) {
			podman := testenv.StartPodman(t, version)
			e := newEnvWith(t, podman, overSSH(d, "root", podman))
			e.Harness = e.connect(t, registry)
			for _, c := range cases {
				t.Run(c.name, func(t *testing.T) { c.test(t, e) })
			}
		})
	}
}

// longInput is more than a pipe holds, and comes whole to ten containers at a time.
func longInput(t *testing.T, e *env) {
	text := strings.Repeat("0123456789abcdef", 20<<10)
	want := fmt.Sprintf("%d %x\n", len(text), sha256.Sum256([]byte(text)))
	results := make(chan *sdktest.Result)
	for range 10 {
		go func() { results <- e.run(map[string]any{"stdin": text, "time_limit": "120s"}, "sum") }()
	}
	for range 10 {
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
