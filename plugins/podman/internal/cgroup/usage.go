package cgroup

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Usage reads the counters. What cannot be read (the group may be gone) is nil.
func (g Group) Usage() Usage {
	u := Usage{}
	if g.memory.v2 {
		u.MemoryPeak = counter(g.memory.dir, "memory.peak")
		u.OOMKills = keyed(g.memory.dir, "memory.events", "oom_kill")
	} else {
		u.MemoryPeak = counter(g.memory.dir, "memory.max_usage_in_bytes")
		u.OOMKills = keyed(g.memory.dir, "memory.oom_control", "oom_kill")
	}
	if g.cpu.v2 {
		u.CPUTime = seconds(keyed(g.cpu.dir, "cpu.stat", "usage_usec"), 1e6)
		u.CPUThrottled = seconds(keyed(g.cpu.dir, "cpu.stat", "throttled_usec"), 1e6)
	} else {
		u.CPUTime = seconds(counter(g.cpuacct.dir, "cpuacct.usage"), 1e9)
		u.CPUThrottled = seconds(keyed(g.cpu.dir, "cpu.stat", "throttled_time"), 1e9)
	}
	u.Pids = counter(g.pids.dir, "pids.current")
	u.PidsPeak = counter(g.pids.dir, "pids.peak")
	return u
}

// Merge takes over what later has, and the higher of each peak: counters only grow, and vanish with the group.
func (u Usage) Merge(later Usage) Usage {
	u.MemoryPeak = higher(u.MemoryPeak, later.MemoryPeak)
	u.CPUTime = higher(u.CPUTime, later.CPUTime)
	u.CPUThrottled = higher(u.CPUThrottled, later.CPUThrottled)
	u.OOMKills = higher(u.OOMKills, later.OOMKills)
	u.PidsPeak = higher(higher(u.PidsPeak, later.PidsPeak), later.Pids)
	u.Pids = later.Pids
	return u
}

func higher[T int64 | float64](a, b *T) *T {
	if a == nil || b != nil && *b > *a {
		return b
	}
	return a
}

func seconds(n *int64, unit float64) *float64 {
	if n == nil {
		return nil
	}
	s := float64(*n) / unit
	return &s
}

// counter reads a file with one number.
func counter(dir, name string) *int64 {
	if dir == "" {
		return nil
	}
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return nil
	}
	return integer(strings.TrimSpace(string(b)))
}

// keyed reads one number of a file with "key value" lines.
func keyed(dir, name, key string) *int64 {
	if dir == "" {
		return nil
	}
	b, err := os.ReadFile(filepath.Join(dir, name))
	if err != nil {
		return nil
	}
	for line := range strings.Lines(string(b)) {
		if k, v, ok := strings.Cut(strings.TrimSpace(line), " "); ok && k == key {
			return integer(v)
		}
	}
	return nil
}

func integer(s string) *int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return nil
	}
	return &n
}
