package cgroup

import (
	"context"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/containerpub/cpub/plugins/podman/internal/hostfs"
)

// write makes files below dir.
func write(t *testing.T, dir string, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

func TestLimitsV1(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"memory/memory.limit_in_bytes":            "9223372036854771712\n",
		"memory/p/memory.limit_in_bytes":          "9223372036854771712\n",
		"memory/p/libpod-x/memory.limit_in_bytes": "134217728\n", "memory/p/libpod-x/memory.memsw.limit_in_bytes": "134217728\n",
		"memory/p/libpod-x/memory.max_usage_in_bytes": "5000\n", "memory/p/libpod-x/memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 2\n",
		"cpu/p/libpod-x/cpu.cfs_quota_us": "50000\n", "cpu/p/libpod-x/cpu.cfs_period_us": "100000\n",
		"cpu/p/libpod-x/cpu.stat": "nr_periods 3\nnr_throttled 2\nthrottled_time 1500000000\n", "cpu/p/libpod-x/cpuacct.usage": "250000000\n",
		"pids/p/pids.max": "100\n", "pids/p/libpod-x/pids.max": "256\n", "pids/p/libpod-x/pids.current": "4\n",
	})
	mounts := []mount{
		{point: dir + "/memory", root: "/", controllers: []string{"memory"}},
		{point: dir + "/cpu", root: "/", controllers: []string{"cpu", "cpuacct"}},
		{point: dir + "/pids", root: "/", controllers: []string{"pids"}},
		{point: dir + "/unified", root: "/", v2: true},
	}
	g := locate(mounts, "9:memory:/p/libpod-x\n3:cpu,cpuacct:/p/libpod-x\n2:pids:/p/libpod-x\n0::/other\n", "libpod-x")
	g.host = hostfs.Local{}
	got, err := g.Limits(t.Context())
	// The stricter limit of the parent counts.
	if want := (Limits{Memory: 128 << 20, MemorySwap: 128 << 20, CPUs: 0.5, Pids: 100, SwapCounted: true}); err != nil || got != want {
		t.Errorf("limits %+v (%v), want %+v", got, err, want)
	}
	u := g.Usage(t.Context())
	if *u.MemoryPeak != 5000 || *u.OOMKills != 2 || *u.CPUTime != 0.25 || *u.CPUThrottled != 1.5 || *u.Pids != 4 || u.PidsPeak != nil {
		t.Errorf("usage %+v", u)
	}
}

func TestLimitsV2(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, map[string]string{
		"s/libpod-x.scope/memory.max": "134217728\n", "s/libpod-x.scope/memory.swap.max": "0\n", "s/libpod-x.scope/cpu.max": "50000 100000\n",
		"s/libpod-x.scope/pids.max": "256\n", "s/libpod-x.scope/memory.peak": "7000\n", "s/libpod-x.scope/memory.events": "oom 1\noom_kill 1\n",
		"s/libpod-x.scope/cpu.stat": "usage_usec 500000\nthrottled_usec 250000\n", "s/libpod-x.scope/pids.peak": "9\n",
		"s/libpod-x.scope/container/memory.max": "max\n", "s/libpod-x.scope/container/cpu.max": "max 100000\n", "s/libpod-x.scope/container/pids.max": "max\n",
	})
	mounts := []mount{{point: dir, root: "/", v2: true, controllers: []string{"memory", "cpu", "cpuacct", "pids"}}}
	g := locate(mounts, "0::/s/libpod-x.scope/container\n", "libpod-x")
	g.host = hostfs.Local{}
	got, err := g.Limits(t.Context())
	if want := (Limits{Memory: 128 << 20, MemorySwap: 128 << 20, CPUs: 0.5, Pids: 256, SwapCounted: true}); err != nil || got != want {
		t.Errorf("limits %+v (%v), want %+v", got, err, want)
	}
	u := g.Usage(t.Context())
	if *u.MemoryPeak != 7000 || *u.OOMKills != 1 || *u.CPUTime != 0.5 || *u.CPUThrottled != 0.25 || *u.PidsPeak != 9 {
		t.Errorf("usage %+v", u)
	}
	none := locate(mounts, "0::/elsewhere\n", "libpod-x")
	none.host = hostfs.Local{}
	if u := none.Usage(t.Context()); u != (Usage{}) {
		t.Errorf("usage of a group that is gone: %+v", u)
	}
}

func TestMounts(t *testing.T) {
	file := filepath.Join(t.TempDir(), "mountinfo")
	text := "11 30 0:28 / /sys/fs/cgroup/cpu rw,relatime - cgroup cgroup rw,cpu,cpuacct\n" +
		"14 34 0:31 /outer /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n30 1 0:1 / / rw - ext4 /dev/vda rw\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	mounts, err := readMounts(t.Context(), hostfs.Local{}, file)
	if err != nil || len(mounts) != 2 {
		t.Fatalf("mounts %+v, %v", mounts, err)
	}
	if !mounts[0].serves("cpu,cpuacct") || mounts[0].serves("") || !mounts[1].has("memory") {
		t.Errorf("mounts %+v", mounts)
	}
	if dir := mounts[1].node("/outer/a/libpod-1/b", "libpod-1").dir; dir != "/sys/fs/cgroup/memory/a/libpod-1" {
		t.Errorf("below a mount that is not of the root: %s", dir)
	}
}

func TestMerge(t *testing.T) {
	n := func(v int64) *int64 { return &v }
	u := Usage{MemoryPeak: n(5)}.Merge(Usage{MemoryPeak: n(3), Pids: n(7), OOMKills: n(1)}).Merge(Usage{})
	if *u.MemoryPeak != 5 || *u.PidsPeak != 7 || *u.OOMKills != 1 {
		t.Errorf("merged %+v", u)
	}
}

func TestSweepRefusesNothingOfOurs(t *testing.T) {
	if err := Sweep(t.Context(), hostfs.Local{}, "/cpub-that-is-not-there", time.Hour, func(string) bool { return false }); err != nil {
		t.Error(err)
	}
	if err := Remove(t.Context(), hostfs.Local{}, "/cpub-that-is-not-there"); err != nil {
		t.Error(err)
	}
	for _, f := range []func(context.Context, hostfs.Host, string) error{Remove, Kill} {
		if err := f(t.Context(), hostfs.Local{}, "/"); err == nil {
			t.Error("the root was not refused")
		}
	}
}
