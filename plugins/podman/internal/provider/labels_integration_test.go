//go:build integration

package provider_test

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/sdktest"
)

// TestLabels runs the commands that docs/operating.md has for finding what is ours, while a step with a sidecar runs.
func TestLabels(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "..", "..", "docs", "operating.md"))
	if err != nil {
		t.Fatal(err)
	}
	eachVersion(t, func(t *testing.T, e *env) {
		s := whenStarted(t, sdk.ErrDetached)
		call := e.call(map[string]any{
			"time_limit": "60s", "sidecar": map[string]any{"db": map[string]any{"image": e.image(), "command": []string{"heed", "600"}}},
		}, "wait", "600")
		call.Context, call.Host = s.ctx, s
		call.Key, call.Step, call.Run = sdktest.NewKey(), "invoke", "deploy/7/0198c5e2…"
		e.Run(call)
		other := e.call(nil, "exit", "0")
		other.Run, other.Step = "other/1/a", "other"
		o := e.Run(other)
		ok(t, o)
		own, beside, others := "cpub-"+call.Key, "cpub-"+call.Key+"-db", "cpub-"+o.Key
		for filter, want := range map[string][]string{
			"label=io.cpub.run":                    {own, beside, others},
			"label=io.cpub.run=deploy/7/0198c5e2…": {own, beside},
			"label=io.cpub.step=invoke":            {own, beside},
			"label=io.cpub.key=…":                  {own, beside},
			"label=io.cpub.sidecar":                {beside},
		} {
			if !strings.Contains(string(page), "podman ps -a --filter "+filter+" ") {
				t.Errorf("docs/operating.md does not have %q", filter)
			}
			filter = strings.Replace(filter, "key=…", "key="+call.Key, 1)
			got := strings.Fields(e.podman.Run(t, "ps", "-a", "--filter", filter, "--format", "{{.Names}}"))
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("podman ps -a --filter %s: %q, want %q", filter, got, want)
			}
		}
		table := e.podman.Run(t, "ps", "-a", "--filter", "label=io.cpub.run", "--format", "{{.Names}} {{.Labels}}")
		if !strings.Contains(table, own+" ") || !strings.Contains(table, "deploy/7/0198c5e2…") || !strings.Contains(table, "invoke") {
			t.Errorf("the table has no line of the container:\n%s", table)
		}
		inside(t, e, call.Key)
		// A sweep of runs that are gone takes the sidecars too.
		if _, err := e.Sweep(sdk.Sweep{LiveRuns: []string{"other/1/a"}}); err != nil {
			t.Error(err)
		}
		if left := left(t, e.podman, call.Key); len(left) != 0 {
			t.Errorf("left after a sweep: %q", left)
		}
		if err := e.Release(o.Key); err != nil {
			t.Error(err)
		}
		e.assertNothingLeft(t, call.Key+"_sidecars")
	})
}

// inside looks at a running sidecar from outside: isolated as by default, and in the same network as its step's container.
func inside(t *testing.T, e *env, key string) {
	t.Helper()
	pid := func(name string) string { return e.podman.Run(t, "inspect", "--format", "{{.State.Pid}}", name) }
	side, own := pid("cpub-"+key+"-db"), pid("cpub-"+key)
	status, err := os.ReadFile("/proc/" + side + "/status")
	if err != nil {
		t.Fatal(err)
	}
	for _, line := range []string{"CapEff: 0000000000000000", "CapBnd: 0000000000000000", "NoNewPrivs: 1", "Seccomp: 2"} {
		has(t, string(status), line)
	}
	for ns, same := range map[string]bool{"net": true, "user": true, "pid": false, "ipc": false, "mnt": false} {
		a, errA := os.Readlink("/proc/" + side + "/ns/" + ns)
		b, errB := os.Readlink("/proc/" + own + "/ns/" + ns)
		if errA != nil || errB != nil || (a == b) != same {
			t.Errorf("namespace %s: %s and %s (%v, %v), shared should be %v", ns, a, b, errA, errB, same)
		}
	}
	dirs, err := filepath.Glob("/sys/fs/cgroup/memory/cpub/" + key + "_sidecars/libpod-*/memory.limit_in_bytes")
	if err != nil || len(dirs) != 1 {
		t.Fatalf("the sidecar's cgroup: %q, %v", dirs, err)
	}
	if b, err := os.ReadFile(dirs[0]); err != nil || strings.TrimSpace(string(b)) != "134217728" {
		t.Errorf("the sidecar's memory is limited to %s (%v)", b, err)
	}
}

// TestSidecarProofs: what a sidecar is made with is proven as that of its step's container, before its code starts.
func TestSidecarProofs(t *testing.T) {
	eachTampered(t, func(t *testing.T, e *env) {
		for way, want := range map[string]string{"memory": "memory (asked", "bounding": "bounding capabilities (asked none"} {
			side := map[string]any{"image": e.image(), "command": []string{"env", "TAMPER"}, "env": map[string]string{"TAMPER": way}}
			r := e.run(map[string]any{"sidecar": map[string]any{"db": side}}, "exit", "0")
			for _, text := range []string{`sidecar "db"`, "was not started", want} {
				if r.Err == nil || !strings.Contains(r.Err.Error(), text) {
					t.Errorf("%s: %v does not say %q", way, r.Err, text)
				}
			}
			if log := r.Text("step"); strings.Contains(log, "TAMPER=") {
				t.Errorf("%s: the sidecar's code ran: %s", way, log)
			}
			if left := left(t, e.podman, r.Key); len(left) != 0 {
				t.Errorf("%s: left behind: %q", way, left)
			}
		}
		// A step's container whose network is not its sidecars' is not started either.
		side := map[string]any{"image": e.image(), "command": []string{"heed", "60"}}
		r := e.run(map[string]any{"sidecar": map[string]any{"db": side}, "env": map[string]string{"TAMPER": "network_namespace"}}, "exit", "0")
		if r.Err == nil || !strings.Contains(r.Err.Error(), "network (asked none, is the host's)") {
			t.Errorf("another network: %v", r.Err)
		}
	})
}
