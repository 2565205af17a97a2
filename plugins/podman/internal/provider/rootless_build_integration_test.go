//go:build integration

package provider_test

import (
	"strings"
	"testing"

	"github.com/containerpub/cpub/internal/testenv"
)

// TestRootlessBuild: where no cgroup of ours can limit a RUN, the kernel's limit of a user's processes does. It is refused all the same on
// a host with cgroups v1, whose rootless Podman ignores limits of memory, unless that is allowed.
func TestRootlessBuild(t *testing.T) {
	for _, version := range testenv.PodmanVersions {
		t.Run(version, func(t *testing.T) {
			e := newEnv(t, testenv.StartRootlessPodman(t, version))
			files := map[string]string{"Containerfile": "FROM " + probe + "\nRUN [\"/probe\", \"fork\", \"400\"]\n"}
			res := e.Run(buildCall(t, e.Harness, files, map[string]any{"pids": 100, "allow_unenforced_limits": true}))
			res.Decode(&built{})
			if text := res.Text("step"); !strings.Contains(text, "stopped by:") {
				t.Errorf("400 processes of a RUN under a limit of 100:\n%s", text)
			}
			if err := e.Release(res.Key); err != nil {
				t.Error(err)
			}
			e.awaitNothingLeft(t)
		})
	}
}
