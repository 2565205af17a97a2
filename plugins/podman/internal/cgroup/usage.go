package cgroup

import (
	"context"
	"strconv"
)

// Usage reads the counters. What cannot be read (the group may be gone) is nil.
func (g Group) Usage(ctx context.Context) Usage {
	u := Usage{}
	if g.host == nil {
		return u
	}
	names := within(g.pids.dir, "pids.current", "pids.peak", "pids.events")
	if g.memory.v2 {
		names = append(names, within(g.memory.dir, "memory.peak", "memory.events")...)
	} else {
		names = append(names, within(g.memory.dir, "memory.max_usage_in_bytes", "memory.oom_control")...)
	}
	names = append(names, within(g.cpu.dir, "cpu.stat")...)
	if !g.cpu.v2 {
		names = append(names, within(g.cpuacct.dir, "cpuacct.usage")...)
	}
	got := read(ctx, g.host, names...)
	if g.memory.v2 {
		u.MemoryPeak = got.counter(g.memory.dir, "memory.peak")
		u.OOMKills = got.keyed(g.memory.dir, "memory.events", "oom_kill")
	} else {
		u.MemoryPeak = got.counter(g.memory.dir, "memory.max_usage_in_bytes")
		u.OOMKills = got.keyed(g.memory.dir, "memory.oom_control", "oom_kill")
	}
	if g.cpu.v2 {
		u.CPUTime = seconds(got.keyed(g.cpu.dir, "cpu.stat", "usage_usec"), 1e6)
		u.CPUThrottled = seconds(got.keyed(g.cpu.dir, "cpu.stat", "throttled_usec"), 1e6)
	} else {
		u.CPUTime = seconds(got.counter(g.cpuacct.dir, "cpuacct.usage"), 1e9)
		u.CPUThrottled = seconds(got.keyed(g.cpu.dir, "cpu.stat", "throttled_time"), 1e9)
	}
	u.Pids = got.counter(g.pids.dir, "pids.current")
	u.PidsPeak = got.counter(g.pids.dir, "pids.peak")
	u.PidsRefused = got.keyed(g.pids.dir, "pids.events", "max")
	return u
}

// CountsOOMAbove tells whether the group above counts this one's kills for memory too: v2 does.
func (g Group) CountsOOMAbove() bool { return g.memory.v2 }

// Merge takes over what later has, and the higher of each peak: counters only grow, and vanish with the group.
func (u Usage) Merge(later Usage) Usage {
	u.MemoryPeak = higher(u.MemoryPeak, later.MemoryPeak)
	u.CPUTime = higher(u.CPUTime, later.CPUTime)
	u.CPUThrottled = higher(u.CPUThrottled, later.CPUThrottled)
	u.OOMKills = higher(u.OOMKills, later.OOMKills)
	u.PidsRefused = higher(u.PidsRefused, later.PidsRefused)
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

func integer(s string) *int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil {
		return nil
	}
	return &n
}
