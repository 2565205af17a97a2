// Package cgroup reads limits and counters of a process's control groups, in the layouts of cgroups v1, v2 and the hybrid of
// both. It writes to groups that are ours alone: it sets limits of them, and removes them.
package cgroup

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path"
	"strconv"
	"strings"

	"github.com/containerpub/cpub/plugins/podman/internal/hostfs"
)

// Unlimited is a limit that is not set.
const Unlimited = -1

// Group is the place of one container in the hierarchies that hold its limits. The zero value has no counters.
type Group struct {
	memory, cpu, cpuacct, pids node
	host                       hostfs.Host
}

// node is one directory of one hierarchy.
type node struct {
	dir  string // empty: the controller is not there
	root string // the hierarchy's mount point: where looking for limits upwards ends
	v2   bool
}

// Limits are the limits in force: the smallest on the way up to the root. Unlimited where there is none.
type Limits struct {
	Memory     int64 // bytes
	MemorySwap int64 // bytes, memory and swap together
	CPUs       float64
	Pids       int64
	// SwapCounted tells whether the kernel can limit the group's swap at all.
	SwapCounted bool
}

// Usage is what a group used so far; nil where the kernel does not count it.
type Usage struct {
	MemoryPeak   *int64   // bytes
	CPUTime      *float64 // seconds
	CPUThrottled *float64 // seconds
	PidsPeak     *int64
	Pids         *int64 // now
	PidsRefused  *int64 // how often the limit of processes stopped one
	OOMKills     *int64
}

// Of finds the groups of a process of the host. name is what the container's own group is called by, such as "libpod-<id>": the runtime
// may have put the process into a group below it.
func Of(ctx context.Context, host hostfs.Host, pid int, name string) (Group, error) {
	mounts, err := readMounts(ctx, host, mountinfo)
	if err != nil {
		return Group{}, err
	}
	b, err := hostfs.ReadFile(ctx, host, fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		return Group{}, fmt.Errorf("finding the cgroup of process %d: %w", pid, err)
	}
	g := locate(mounts, string(b), name)
	g.host = host
	return g, nil
}

// At gives the groups at one path of every hierarchy of the host, such as the parent "/cpub/<key>".
func At(ctx context.Context, host hostfs.Host, path string) (Group, error) {
	mounts, err := readMounts(ctx, host, mountinfo)
	if err != nil {
		return Group{}, err
	}
	g := Group{host: host}
	for controller, n := range g.nodes() {
		for _, m := range mounts {
			if m.has(controller) {
				*n = m.node(path, "")
			}
		}
	}
	return g, nil
}

// Local tells whether the group is of this machine.
func (g Group) Local() bool { return g.host != nil && g.host.Local() }

// Dir is the group's directory in the hierarchy that counts memory; empty where none does.
func (g Group) Dir() string { return g.memory.dir }

// Parent is the group above.
func (g Group) Parent() Group {
	for _, n := range g.nodes() {
		if n.dir != "" && n.dir != n.root {
			n.dir = path.Dir(n.dir)
		}
	}
	return g
}

// Controllers lists the controllers that hold this group.
func (g Group) Controllers() []string {
	var have []string
	for _, c := range []string{"memory", "cpu", "pids"} {
		if n := g.nodes()[c]; n.dir != "" {
			have = append(have, c)
		}
	}
	return have
}

func (g *Group) nodes() map[string]*node {
	return map[string]*node{"memory": &g.memory, "cpu": &g.cpu, "cpuacct": &g.cpuacct, "pids": &g.pids}
}

// locate finds the directories from the text of /proc/PID/cgroup.
func locate(mounts []mount, text, name string) Group {
	g := Group{}
	nodes := g.nodes()
	for line := range strings.Lines(text) {
		f := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(f) != 3 {
			continue
		}
		for controller, n := range nodes {
			for _, m := range mounts {
				if m.has(controller) && m.serves(f[1]) {
					*n = m.node(f[2], name)
				}
			}
		}
	}
	return g
}

// Limits reads the limits in force.
func (g Group) Limits(ctx context.Context) (Limits, error) {
	var names []string
	for n, files := range map[*node]map[bool][]string{
		&g.memory: {true: {"memory.max", "memory.swap.max"}, false: {"memory.limit_in_bytes", "memory.memsw.limit_in_bytes"}},
		&g.cpu:    {true: {"cpu.max"}, false: {"cpu.cfs_quota_us", "cpu.cfs_period_us"}},
		&g.pids:   {true: {"pids.max"}, false: {"pids.max"}},
	} {
		for _, dir := range n.upwards() {
			names = append(names, within(dir, files[n.v2]...)...)
		}
	}
	l := Limits{Memory: Unlimited, MemorySwap: Unlimited, CPUs: Unlimited, Pids: Unlimited}
	got := read(ctx, g.host, names...)
	var errs []error
	for _, dir := range g.memory.upwards() {
		errs = append(errs, memoryLimits(got, dir, g.memory.v2, &l))
	}
	for _, dir := range g.cpu.upwards() {
		errs = append(errs, cpuLimit(got, dir, g.cpu.v2, &l))
	}
	for _, dir := range g.pids.upwards() {
		v, err := got.limit(dir, "pids.max")
		l.Pids = smaller(l.Pids, v)
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return Limits{}, fmt.Errorf("reading limits back from the cgroup: %w", err)
	}
	swap := "memory.memsw.limit_in_bytes"
	if g.memory.v2 {
		swap = "memory.swap.max"
	}
	text, err := got.text(g.memory.dir, swap)
	l.SwapCounted = err == nil && text != ""
	return l, nil
}

// upwards lists the directory and all above it.
func (n node) upwards() []string {
	if n.dir == "" {
		return nil
	}
	var dirs []string
	for dir := n.dir; ; dir = path.Dir(dir) {
		dirs = append(dirs, dir)
		if dir == n.root || len(dir) <= len(n.root) {
			return dirs
		}
	}
}

func memoryLimits(got files, dir string, v2 bool, l *Limits) error {
	if !v2 {
		m, err := got.limit(dir, "memory.limit_in_bytes")
		s, err2 := got.limit(dir, "memory.memsw.limit_in_bytes")
		l.Memory, l.MemorySwap = smaller(l.Memory, m), smaller(l.MemorySwap, s)
		return errors.Join(err, err2)
	}
	m, err := got.limit(dir, "memory.max")
	s, err2 := got.limit(dir, "memory.swap.max")
	l.Memory = smaller(l.Memory, m)
	if m != Unlimited && s != Unlimited {
		l.MemorySwap = smaller(l.MemorySwap, m+s)
	}
	return errors.Join(err, err2)
}

func cpuLimit(got files, dir string, v2 bool, l *Limits) error {
	var quota, period int64
	if v2 {
		text, err := got.text(dir, "cpu.max")
		f := strings.Fields(text)
		if err != nil || len(f) == 0 {
			return err
		}
		if len(f) != 2 {
			return fmt.Errorf("%s/cpu.max: unexpected content %q", dir, text)
		}
		quota, period = parse(f[0]), parse(f[1])
	} else {
		var err, err2 error
		quota, err = got.limit(dir, "cpu.cfs_quota_us")
		period, err2 = got.limit(dir, "cpu.cfs_period_us")
		if err != nil || err2 != nil {
			return errors.Join(err, err2)
		}
	}
	if quota <= 0 || period <= 0 {
		return nil
	}
	cpus := float64(quota) / float64(period)
	if l.CPUs == Unlimited || cpus < l.CPUs {
		l.CPUs = cpus
	}
	return nil
}

func smaller(a, b int64) int64 {
	if a == Unlimited || b != Unlimited && b < a {
		return b
	}
	return a
}

// parse reads a number; "max", a negative number and v1's "as much as fits" are Unlimited.
func parse(s string) int64 {
	n, err := strconv.ParseInt(s, 10, 64)
	if err != nil || n < 0 || n >= math.MaxInt64-(1<<20) {
		return Unlimited
	}
	return n
}

// Child is the group of that name below.
func (g Group) Child(name string) Group {
	for _, n := range g.nodes() {
		if n.dir != "" {
			n.dir = path.Join(n.dir, name)
		}
	}
	return g
}
