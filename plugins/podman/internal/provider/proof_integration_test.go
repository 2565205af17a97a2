//go:build integration

package provider_test

import (
	"errors"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"

	"github.com/containerpub/cpub/internal/testenv"
	"github.com/containerpub/cpub/sdk"
)

// TestProofs makes an OCI runtime keep back each thing that was asked for. What is read back before the start shows it: the image's code never
// runs, the step fails for good, and nothing is left.
func TestProofs(t *testing.T) {
	netns := network(t)
	eachTampered(t, func(t *testing.T, e *env) {
		honest := e.run(nil, "exit", "0") // where nobody says how, the runtime does as it is told
		ok(t, honest)
		if err := e.Release(honest.Key); err != nil {
			t.Fatal(err)
		}
		var all sync.WaitGroup
		two := make(chan struct{}, 2)
		for way, want := range tampered() {
			all.Add(1)
			go func() {
				defer all.Done()
				two <- struct{}{}
				defer func() { <-two }()
				proof(t, e, way, netns, want)
			}()
		}
		all.Wait()
		e.assertNothingLeft(t)
	})
}

// eachTampered runs the test on every Podman with an OCI runtime that may not do as it is told.
func eachTampered(t *testing.T, f func(t *testing.T, e *env)) {
	for _, version := range testenv.PodmanVersions {
		t.Run(version, func(t *testing.T) { f(t, newEnv(t, testenv.StartTamperedPodman(t, version))) })
	}
}

// tampered are the ways of testenv/tamper, and what is said of each.
func tampered() map[string]string {
	const none = "(asked none, is "
	return map[string]string{
		"memory":            "memory (asked 1.34217728e+08, is none)",
		"memory_higher":     "memory (asked 1.34217728e+08, is 2.68435456e+08)",
		"memory_swap":       "memory_swap (asked 1.34217728e+08, is none)",
		"cpus":              "cpus (asked 0.5, is none)",
		"cpus_higher":       "cpus (asked 0.5, is 1)",
		"pids":              "pids (asked 256, is none)",
		"no_new_privileges": "no_new_privileges (asked true, is false)",
		"read_only":         "read_only (asked true, is false)",
		"seccomp":           "seccomp (asked a filter, is none that filters)",
		"seccomp_allow":     "seccomp (asked a filter, is none that filters)",
		"bounding":          "bounding capabilities " + none + "CAP_NET_BIND_SERVICE)",
		"effective":         "effective capabilities " + none + "CAP_NET_BIND_SERVICE)",
		"permitted":         "permitted capabilities " + none + "CAP_NET_BIND_SERVICE)",
		"inheritable":       "inheritable capabilities " + none + "CAP_NET_BIND_SERVICE)",
		"ambient":           "ambient capabilities " + none + "CAP_NET_BIND_SERVICE)",
		"user_namespace":    "userns (asked one of its own, is the host's)",
		"user_of_host":      "userns (asked ids of its own, is one with the host's root in it)",
		"network_namespace": "network (asked none, is the host's)",
		"interface":         "network (asked none, has the interfaces cpub-test1, cpub-test0)",
		"pid_namespace":     "pid namespace (asked one of its own, is the host's)",
		"ipc_namespace":     "ipc namespace (asked one of its own, is the host's)",
		"uts_namespace":     "uts namespace (asked one of its own, is the host's)",
	}
}

func proof(t *testing.T, e *env, way, netns, want string) {
	r := e.run(map[string]any{"env": map[string]string{"TAMPER": way, "TAMPER_NETNS": netns}}, "env", "TAMPER")
	var se *sdk.Error
	if !errors.As(r.Err, &se) || se.Kind != sdk.KindPermanent || !strings.Contains(r.Err.Error(), want) {
		t.Errorf("%s: the step ended with %v, want a permanent failure with %q", way, r.Err, want)
	}
	for _, says := range []string{"the container was not started", "; "} {
		if r.Err != nil && !strings.Contains(r.Err.Error(), says) {
			t.Errorf("%s: %v does not say %q", way, r.Err, says)
		}
	}
	if out := r.Text("stdout") + r.Text("stderr"); out != "" {
		t.Errorf("%s: the image's code ran: %s", way, out)
	}
	if left := left(t, e.podman, r.Key); len(left) != 0 {
		t.Errorf("%s: left behind: %q", way, left)
	}
}

// network makes a network namespace with an interface beside lo, and gives its path.
func network(t *testing.T) string {
	t.Helper()
	const name = "cpub-proofs"
	run := func(args ...string) {
		if out, err := exec.Command("ip", args...).CombinedOutput(); err != nil {
			t.Fatalf("ip %s: %v\n%s", strings.Join(args, " "), err, out)
		}
	}
	if _, err := os.Stat("/run/netns/" + name); err == nil {
		run("netns", "delete", name)
	}
	run("netns", "add", name)
	t.Cleanup(func() { run("netns", "delete", name) })
	run("-n", name, "link", "add", "cpub-test0", "type", "veth", "peer", "name", "cpub-test1")
	return "/run/netns/" + name
}
