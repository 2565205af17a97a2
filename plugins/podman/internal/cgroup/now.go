package cgroup

import "context"

// Now is what a group is using at this moment; nil where the kernel does not count it.
type Now struct {
	Memory  *int64   // bytes, without the cache of files that it would give up at once
	CPUTime *float64 // seconds, so far
	Pids    *int64
}

// Now reads what the group is using.
func (g Group) Now(ctx context.Context) Now {
	if g.host == nil {
		return Now{}
	}
	file, inactive := "memory.usage_in_bytes", "total_inactive_file"
	if g.memory.v2 {
		file, inactive = "memory.current", "inactive_file"
	}
	names := append(within(g.memory.dir, file, "memory.stat"), within(g.pids.dir, "pids.current")...)
	names = append(names, within(g.cpu.dir, "cpu.stat")...)
	names = append(names, within(g.cpuacct.dir, "cpuacct.usage")...)
	got := read(ctx, g.host, names...)
	n := Now{Memory: got.counter(g.memory.dir, file), Pids: got.counter(g.pids.dir, "pids.current")}
	if cache := got.keyed(g.memory.dir, "memory.stat", inactive); n.Memory != nil && cache != nil {
		used := max(*n.Memory-*cache, 0)
		n.Memory = &used
	}
	if g.cpu.v2 {
		n.CPUTime = seconds(got.keyed(g.cpu.dir, "cpu.stat", "usage_usec"), 1e6)
	} else {
		n.CPUTime = seconds(got.counter(g.cpuacct.dir, "cpuacct.usage"), 1e9)
	}
	return n
}
