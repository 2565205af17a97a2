package container

import (
	"context"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/containerpub/cpub/plugins/podman/internal/cgroup"
	"github.com/containerpub/cpub/plugins/podman/internal/hostfs"
	"github.com/containerpub/cpub/sdk/contract"
)

// tree is a host of which a folder holds the files.
type tree struct {
	hostfs.Host

	dir string
}

func (h tree) ReadFiles(ctx context.Context, names ...string) []hostfs.Content {
	inside := make([]string, len(names))
	for i, name := range names {
		inside[i] = filepath.Join(h.dir, name)
	}
	return h.Host.ReadFiles(ctx, inside...)
}

// write makes the files, or takes away those without content.
func (h tree) write(t *testing.T, files map[string]string) {
	t.Helper()
	for name, text := range files {
		path := filepath.Join(h.dir, name)
		err := os.MkdirAll(filepath.Dir(path), 0o755)
		if err == nil && text == "" {
			err = os.RemoveAll(path)
		} else if err == nil {
			err = os.WriteFile(path, []byte(text), 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// The layouts, as /proc of a host has them.
func v1() map[string]string {
	return map[string]string{
		"/proc/self/mountinfo": "1 0 0:1 / /cg/memory rw - cgroup cgroup rw,memory\n2 0 0:2 / /cg/cpu rw - cgroup cgroup rw,cpu,cpuacct\n" +
			"3 0 0:3 / /cg/pids rw - cgroup cgroup rw,pids\n",
		"/proc/7/cgroup": "3:memory:/cpub/k/libpod-7e57\n2:cpu,cpuacct:/cpub/k/libpod-7e57\n1:pids:/cpub/k/libpod-7e57\n",
	}
}

func v2() map[string]string {
	return map[string]string{
		"/proc/self/mountinfo":   "1 0 0:1 / /cg rw - cgroup2 cgroup2 rw\n",
		"/proc/7/cgroup":         "0::/cpub/k/libpod-7e57/container\n",
		"/cg/cgroup.controllers": "cpuset cpu io memory pids\n",
	}
}

// want are the figures of a receipt; -1 is null.
type want struct {
	memory    int64
	cpu       float64
	throttled float64
	pids      int64
	oom       bool
}

// TestWatch reads what a container used from the files of a host: before its start, while it runs, and when its group is gone.
func TestWatch(t *testing.T) {
	const m1, c1, p1, own = "/cg/memory/cpub/k/libpod-7e57/", "/cg/cpu/cpub/k/libpod-7e57/", "/cg/pids/cpub/k/libpod-7e57/", "/cg/cpub/k/libpod-7e57/"
	for name, c := range map[string]struct {
		host               map[string]string
		start, runs, ended map[string]string
		want               want
	}{
		"v1": {
			v1(),
			map[string]string{m1 + "memory.max_usage_in_bytes": "4000000\n", c1 + "cpuacct.usage": "50000000\n", c1 + "cpu.stat": "throttled_time 20000000\n", p1 + "pids.peak": "6\n"},
			map[string]string{m1 + "memory.max_usage_in_bytes": "90000000\n", c1 + "cpuacct.usage": "1050000000\n", c1 + "cpu.stat": "throttled_time 520000000\n", p1 + "pids.peak": "21\n", p1 + "pids.current": "3\n"},
			nil,
			want{90000000, 1, 0.5, 21, false},
		},
		"v1 of an old kernel, which counts no peak of processes": {
			v1(),
			map[string]string{m1 + "memory.max_usage_in_bytes": "4000000\n", c1 + "cpuacct.usage": "50000000\n", p1 + "pids.current": "6\n"},
			map[string]string{m1 + "memory.max_usage_in_bytes": "90000000\n", c1 + "cpuacct.usage": "1050000000\n", p1 + "pids.current": "17\n"},
			map[string]string{p1 + "pids.current": "2\n"},
			want{90000000, 1, -1, 17, false},
		},
		"v1, killed for memory": {
			v1(), nil,
			map[string]string{m1 + "memory.max_usage_in_bytes": "134217728\n", m1 + "memory.oom_control": "oom_kill_disable 0\nunder_oom 0\noom_kill 1\n"},
			nil,
			want{134217728, -1, -1, -1, true},
		},
		"v1, ended while nobody looked": {
			v1(),
			map[string]string{c1 + "cpuacct.usage": "50000000\n", m1 + "memory.max_usage_in_bytes": "4000000\n"},
			nil,
			map[string]string{
				m1: "", c1: "", p1: "", "/cg/memory/cpub/k/memory.max_usage_in_bytes": "91000000\n", "/cg/memory/cpub/k/memory.oom_control": "oom_kill 0\n",
				"/cg/cpu/cpub/k/cpuacct.usage": "1150000000\n", "/cg/cpu/cpub/k/conmon/cpuacct.usage": "100000000\n", "/cg/cpu/cpub/k/cpu.stat": "throttled_time 0\n",
				"/cg/memory/cpub/k/conmon/memory.max_usage_in_bytes": "3000000\n", "/cg/pids/cpub/k/pids.peak": "23\n", "/cg/pids/cpub/k/conmon/pids.peak": "2\n",
			},
			want{91000000, 1, -1, -1, false},
		},
		"v1, ended while nobody looked, and its monitor needed as much": {
			v1(), nil, nil,
			map[string]string{
				"/cg/memory/cpub/k/memory.max_usage_in_bytes": "40000000\n", "/cg/memory/cpub/k/conmon/memory.max_usage_in_bytes": "38000000\n",
				"/cg/pids/cpub/k/pids.peak": "23\n",
			},
			want{-1, -1, -1, 23, false},
		},
		"v2": {
			v2(),
			map[string]string{own + "memory.peak": "4000000\n", own + "cpu.stat": "usage_usec 50000\nthrottled_usec 20000\n", own + "pids.peak": "6\n", own + "memory.events": "oom 0\noom_kill 0\n"},
			map[string]string{own + "memory.peak": "90000000\n", own + "cpu.stat": "usage_usec 1050000\nthrottled_usec 520000\n", own + "pids.peak": "21\n", own + "pids.current": "1\n"},
			nil,
			want{90000000, 1, 0.5, 21, false},
		},
		"v2 of an old kernel, which counts no peaks": {
			v2(),
			map[string]string{own + "cpu.stat": "usage_usec 50000\nthrottled_usec 0\n", own + "pids.current": "5\n"},
			map[string]string{own + "cpu.stat": "usage_usec 1050000\nthrottled_usec 0\n", own + "pids.current": "4\n"},
			nil,
			want{-1, 1, 0, 4, false},
		},
		"v2, no more processes than its start took": {
			v2(),
			map[string]string{own + "pids.peak": "6\n", own + "cpu.stat": "usage_usec 50000\n"},
			map[string]string{own + "pids.peak": "6\n", own + "pids.current": "2\n", own + "cpu.stat": "usage_usec 50000\n"},
			nil,
			want{-1, 0, -1, 2, false},
		},
		"v2, its limit of processes stopped it": {
			v2(), nil,
			map[string]string{own + "pids.current": "9\n", own + "pids.events": "max 3\n", own + "cpu.stat": "usage_usec 0\n"},
			nil,
			want{-1, 0, -1, 64, false},
		},
		"v2, killed for memory while nobody looked": {
			v2(), nil, nil,
			map[string]string{"/cg/cpub/k/memory.events": "oom 1\noom_kill 1\n", "/cg/cpub/k/memory.peak": "134217728\n"},
			want{128 << 20, -1, -1, -1, true},
		},
	} {
		t.Run(name, func(t *testing.T) {
			host := tree{hostfs.Local{}, t.TempDir()}
			host.write(t, c.host)
			host.write(t, c.start)
			group, err := cgroup.Of(t.Context(), host, 7, "7e57")
			if err != nil {
				t.Fatal(err)
			}
			w := newWatch(t.Context(), contract.Limits{Memory: 128 << 20, Pids: 64}, group)
			defer w.close()
			if c.runs != nil {
				host.write(t, c.runs)
				w.sample(t.Context())
			}
			host.write(t, c.ended)
			u := w.final(t.Context())
			equal(t, "memory_peak", c.want.memory, u.MemoryPeak)
			equal(t, "cpu_time", c.want.cpu, u.CPUTime)
			equal(t, "cpu_throttled", c.want.throttled, u.CPUThrottled)
			equal(t, "pids_peak", c.want.pids, u.PidsPeak)
			if w.oomSeen(u) != c.want.oom {
				t.Errorf("killed for memory: %v, want %v", !c.want.oom, c.want.oom)
			}
		})
	}
}

func equal[T int64 | float64](t *testing.T, name string, want T, got *T) {
	t.Helper()
	switch {
	case got == nil && want != -1:
		t.Errorf("%s is null, want %v", name, want)
	case got != nil && math.Abs(float64(*got-want)) > 1e-9:
		t.Errorf("%s is %v, want %v (-1: null)", name, *got, want)
	}
}

// TestWatchScoped: where systemd has the groups, nobody can tell what of the group above was the container's.
func TestWatchScoped(t *testing.T) {
	host := tree{hostfs.Local{}, t.TempDir()}
	host.write(t, v2())
	host.write(t, map[string]string{"/cg/cpub/k/memory.peak": "90000000\n", "/cg/cpub/k/cpu.stat": "usage_usec 1\n", "/cg/cpub/k/memory.events": "oom_kill 1\n"})
	group, err := cgroup.Of(t.Context(), host, 7, "7e57")
	if err != nil {
		t.Fatal(err)
	}
	w := &watch{group: group, scoped: true}
	u := w.final(t.Context())
	if u.MemoryPeak != nil || u.CPUTime != nil || u.PidsPeak != nil || !w.oomSeen(u) {
		t.Errorf("%+v", u)
	}
	if got := strings.Join(group.Controllers(), " "); got != "memory cpu pids" {
		t.Errorf("controllers %q", got)
	}
}

// far is a tree on another machine.
type far struct{ tree }

func (far) Local() bool { return false }

// TestWatchDistant: what a container on another machine used after it was last seen is told by the group above, if that is ours.
func TestWatchDistant(t *testing.T) {
	const memory, cpu = "/cg/memory/cpub/k/", "/cg/cpu/cpub/k/"
	used := map[string]string{memory + "libpod-7e57/memory.max_usage_in_bytes": "4000000\n", cpu + "libpod-7e57/cpuacct.usage": "50000000\n"}
	ended := map[string]string{
		memory + "libpod-7e57/": "", cpu + "libpod-7e57/": "", memory + "memory.max_usage_in_bytes": "134500000\n",
		cpu + "cpuacct.usage": "1150000000\n", cpu + "conmon/cpuacct.usage": "100000000\n",
	}
	for name, c := range map[string]struct {
		in   string // the group above, in place of ours
		want want
	}{
		"ours":          {"cpub/k", want{128 << 20, 1, -1, -1, false}},
		"a stranger's":  {"machine.slice/k", want{4000000, 0, -1, -1, false}},
		"one of a user": {"user.slice/user-1000.slice", want{4000000, 0, -1, -1, false}},
	} {
		t.Run(name, func(t *testing.T) {
			host := far{tree{hostfs.Local{}, t.TempDir()}}
			place := func(files map[string]string) {
				moved := map[string]string{}
				for file, text := range files {
					moved[strings.ReplaceAll(file, "cpub/k", c.in)] = strings.ReplaceAll(text, "cpub/k", c.in)
				}
				host.write(t, moved)
			}
			place(v1())
			place(used)
			group, err := cgroup.Of(t.Context(), host, 7, "7e57")
			if err != nil {
				t.Fatal(err)
			}
			w := newWatch(t.Context(), contract.Limits{Memory: 128 << 20}, group)
			defer w.close()
			w.sample(t.Context())
			place(ended)
			u := w.final(t.Context())
			equal(t, "memory_peak", c.want.memory, u.MemoryPeak)
			equal(t, "cpu_time", c.want.cpu, u.CPUTime)
			a := &run{watch: w}
			if got := a.atMemoryLimit(u); got != (c.in == "cpub/k") {
				t.Errorf("at its limit of memory: %v", got)
			}
		})
	}
}
