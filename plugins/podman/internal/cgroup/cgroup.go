// Package cgroup reads limits and counters of a process's control groups, in the layouts of cgroups v1, v2 and the hybrid of
// both. It never writes to them, apart from removing groups that are ours.
package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"
)

// Unlimited is a limit that is not set.
const Unlimited = -1

// Group is the place of one container in the hierarchies that hold its limits. The zero value has no counters.
type Group struct {
	memory, cpu, cpuacct, pids node
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
}

// Usage is what a group used so far; nil where the kernel does not count it.
type Usage struct {
	MemoryPeak   *int64   // bytes
	CPUTime      *float64 // seconds
	CPUThrottled *float64 // seconds
	PidsPeak     *int64
	Pids         *int64 // now
	OOMKills     *int64
}

// Of finds the groups of a process. name is what the container's own group is called by, such as "libpod-<id>": the runtime
// may have put the process into a group below it.
func Of(pid int, name string) (Group, error) {
	mounts, err := readMounts("/proc/self/mountinfo")
	if err != nil {
		return Group{}, err
	}
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		return Group{}, fmt.Errorf("finding the cgroup of process %d: %w", pid, err)
	}
	return locate(mounts, string(b), name), nil
}

// At gives the groups at one path of every hierarchy, such as the parent "/cpub/<key>".
func At(path string) (Group, error) {
	mounts, err := readMounts("/proc/self/mountinfo")
	if err != nil {
		return Group{}, err
	}
	g := Group{}
	for controller, n := range g.nodes() {
		for _, m := range mounts {
			if m.has(controller) {
				*n = m.node(path, "")
			}
		}
	}
	return g, nil
}

// Parent is the group above.
func (g Group) Parent() Group {
	for _, n := range g.nodes() {
		if n.dir != "" && n.dir != n.root {
			n.dir = filepath.Dir(n.dir)
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
func (g Group) Limits() (Limits, error) {
	l := Limits{Memory: Unlimited, MemorySwap: Unlimited, CPUs: Unlimited, Pids: Unlimited}
	err := errors.Join(
		g.memory.upwards(func(dir string, v2 bool) error { return memoryLimits(dir, v2, &l) }),
		g.cpu.upwards(func(dir string, v2 bool) error { return cpuLimit(dir, v2, &l) }),
		g.pids.upwards(func(dir string, _ bool) error {
			v, err := readLimit(dir, "pids.max")
			l.Pids = smaller(l.Pids, v)
			return err
		}),
	)
	if err != nil {
		return Limits{}, fmt.Errorf("reading limits back from the cgroup: %w", err)
	}
	return l, nil
}

// upwards calls f for the directory and all above it.
func (n node) upwards(f func(dir string, v2 bool) error) error {
	if n.dir == "" {
		return nil
	}
	for dir := n.dir; ; dir = filepath.Dir(dir) {
		if err := f(dir, n.v2); err != nil {
			return err
		}
		if dir == n.root || len(dir) <= len(n.root) {
			return nil
		}
	}
}

func memoryLimits(dir string, v2 bool, l *Limits) error {
	if !v2 {
		m, err := readLimit(dir, "memory.limit_in_bytes")
		s, err2 := readLimit(dir, "memory.memsw.limit_in_bytes")
		l.Memory, l.MemorySwap = smaller(l.Memory, m), smaller(l.MemorySwap, s)
		return errors.Join(err, err2)
	}
	m, err := readLimit(dir, "memory.max")
	s, err2 := readLimit(dir, "memory.swap.max")
	l.Memory = smaller(l.Memory, m)
	if m != Unlimited && s != Unlimited {
		l.MemorySwap = smaller(l.MemorySwap, m+s)
	}
	return errors.Join(err, err2)
}

func cpuLimit(dir string, v2 bool, l *Limits) error {
	var quota, period int64
	if v2 {
		b, err := os.ReadFile(filepath.Join(dir, "cpu.max"))
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		f := strings.Fields(string(b))
		if err != nil || len(f) != 2 {
			return errors.Join(err, fmt.Errorf("%s/cpu.max: unexpected content %q", dir, b))
		}
		quota, period = parse(f[0]), parse(f[1])
	} else {
		var err, err2 error
		quota, err = readLimit(dir, "cpu.cfs_quota_us")
		period, err2 = readLimit(dir, "cpu.cfs_period_us")
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

// readLimit reads a file with one number or "max". A file that is not there (a root group has none) sets no limit.
func readLimit(dir, name string) (int64, error) {
	b, err := os.ReadFile(filepath.Join(dir, name))
	if errors.Is(err, fs.ErrNotExist) {
		return Unlimited, nil
	}
	if err != nil {
		return Unlimited, err
	}
	return parse(strings.TrimSpace(string(b))), nil
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
			n.dir = filepath.Join(n.dir, name)
		}
	}
	return g
}
