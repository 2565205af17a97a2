package cgroup

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/containerpub/cpub/plugins/podman/internal/hostfs"
)

func TestLimitFiles(t *testing.T) {
	l := Limits{Memory: 64 << 20, MemorySwap: 64 << 20, CPUs: 0.5, Pids: 100}
	for name, c := range map[string]struct {
		mount mount
		want  map[string]string
	}{
		"v1": {
			mount{controllers: []string{"memory", "cpu", "pids"}},
			map[string]string{
				"memory.limit_in_bytes": "67108864", "cpu.cfs_period_us": "100000", "cpu.cfs_quota_us": "50000", "pids.max": "100",
			},
		},
		"v2": {
			mount{v2: true, controllers: []string{"memory", "cpu", "pids"}},
			map[string]string{"memory.max": "67108864", "memory.swap.max": "0", "cpu.max": "50000 100000", "pids.max": "100"},
		},
		"one controller": {mount{controllers: []string{"pids"}}, map[string]string{"pids.max": "100"}},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			c.mount.point, c.mount.root = dir, "/"
			empty := map[string]string{}
			for file := range c.want {
				empty["ours/"+file] = ""
			}
			for _, dir := range []string{"", "ours/"} {
				empty[dir+"cgroup.subtree_control"] = ""
			}
			write(t, dir, empty)
			n := c.mount.node("/ours", "")
			if err := n.limit(t.Context(), hostfs.Local{}, n.limitFiles(c.mount, l)); err != nil {
				t.Fatal(err)
			}
			for file, want := range c.want {
				if got, err := os.ReadFile(filepath.Join(dir, "ours", file)); err != nil || string(got) != want {
					t.Errorf("%s holds %q (%v), want %q", file, got, err, want)
				}
			}
			if got, err := os.ReadFile(filepath.Join(dir, "cgroup.subtree_control")); c.mount.v2 != (len(got) > 0) || err != nil {
				t.Errorf("controllers that are handed down: %q (%v)", got, err)
			}
		})
	}
}

func TestHold(t *testing.T) {
	l := Limits{Memory: 100, MemorySwap: 100, CPUs: 0.5, Pids: 10}
	if err := l.hold("g", Limits{Memory: 100, CPUs: 0.5, Pids: 5}); err != nil {
		t.Errorf("stricter ones: %v", err)
	}
	for name, got := range map[string]Limits{
		"memory": {Memory: Unlimited, CPUs: 0.5, Pids: 10}, "cpus": {Memory: 100, CPUs: 1, Pids: 10}, "pids": {Memory: 100, CPUs: 0.5, Pids: 11},
	} {
		if err := l.hold("g", got); err == nil || !strings.Contains(err.Error(), "does not limit "+name) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestLimitRefuses(t *testing.T) {
	if err := Limit(t.Context(), hostfs.Local{}, "/", Limits{Pids: 10}); err == nil || !strings.Contains(err.Error(), "root") {
		t.Errorf("the root: %v", err)
	}
	if err := Limit(t.Context(), struct{ hostfs.Host }{hostfs.Local{}}, "/x", Limits{Pids: 10}); err == nil || !strings.Contains(err.Error(), "looked at") {
		t.Errorf("a host that cannot be written to: %v", err)
	}
}
