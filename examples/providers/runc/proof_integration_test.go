//go:build linux && integration

package runc_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/containerpub/cpub/internal/testenv"
	"github.com/containerpub/cpub/sdk"
)

// TestProofs has a runtime keep back each thing that it was asked for: the image's code never starts, the step fails for good, and nothing is
// left.
func TestProofs(t *testing.T) {
	e := newEnv(t, options{runc: testenv.Build(t, "./internal/testenv/tamper")})
	for way, want := range map[string]string{
		"memory":            "memory (asked 1.34217728e+08, is -1)",
		"memory_higher":     "memory (asked 1.34217728e+08, is 2.68435456e+08)",
		"memory_swap":       "memory_swap (asked 1.34217728e+08, is -1)",
		"cpus":              "cpus (asked 0.5, is -1)",
		"cpus_higher":       "cpus (asked 0.5, is 1)",
		"pids":              "pids (asked 256, is -1)",
		"no_new_privileges": "it may gain privileges",
		"read_only":         "its root is writable",
		"seccomp":           "its system calls are not filtered",
		"bounding":          "it has the capability CAP_NET_BIND_SERVICE",
		"effective":         "it has the capability CAP_NET_BIND_SERVICE",
		"permitted":         "it has the capability CAP_NET_BIND_SERVICE",
		"inheritable":       "it has the capability CAP_NET_BIND_SERVICE",
		"ambient":           "it has the capability CAP_NET_BIND_SERVICE",
		"user_namespace":    "it has the user namespace of the host",
		"user_of_host":      "the host's root is one of its users",
		"network_namespace": "it has the net namespace of the host",
		"pid_namespace":     "it has the pid namespace of the host",
		"ipc_namespace":     "it has the ipc namespace of the host",
		"uts_namespace":     "it has the uts namespace of the host",
	} {
		t.Run(way, func(t *testing.T) {
			res := e.For(t).Run(e.call(t, map[string]any{"env": map[string]string{"TAMPER": way}}, "exit", "0"))
			var failed *sdk.Error
			if !errors.As(res.Err, &failed) || failed.Kind != sdk.KindPermanent || !strings.Contains(res.Err.Error(), want) {
				t.Errorf("the step ended with %v, want a permanent failure with %q", res.Err, want)
			}
			if out := res.Text("stdout") + res.Text("stderr"); out != "" {
				t.Errorf("the image's code ran: %s", out)
			}
			for _, what := range e.left(t, res.Key) {
				t.Errorf("left behind: %s", what)
			}
		})
	}
}
