//go:build linux

package container

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"golang.org/x/sys/unix"
)

// cgroup is the control group of one container, by its path in every hierarchy. It is there from the runtime's create to its delete:
// limits can be read before the code starts, and counters after it ended.
type cgroup string

const cgroupRoot = "/sys/fs/cgroup"

// groups is the group above all containers'.
const groups = "/cpub-runc"

// unified tells cgroups v2 from v1 and the hybrid of both, in which v1 holds the limits.
func unified() bool {
	var stat unix.Statfs_t
	return unix.Statfs(cgroupRoot, &stat) == nil && stat.Type == unix.CGROUP2_SUPER_MAGIC
}

// dir is where a controller has the group.
func (g cgroup) dir(controller string) string {
	if unified() {
		return filepath.Join(cgroupRoot, string(g))
	}
	return filepath.Join(cgroupRoot, controller, string(g))
}

// pick is the file of v1 or of v2.
func (g cgroup) pick(controller, v1, v2 string) string {
	if unified() {
		return filepath.Join(g.dir(controller), v2)
	}
	return filepath.Join(g.dir(controller), v1)
}

// has tells whether a process is in the group, for all controllers that hold limits.
func (g cgroup) has(pid int) error {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/cgroup", pid))
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(text)) {
		part := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(part) == 3 && part[1] == "" && !unified() {
			continue // v2 beside v1 holds nothing
		}
		if len(part) != 3 || part[2] != string(g) {
			return fmt.Errorf("process %d is not in %s: %q", pid, g, strings.TrimSpace(line))
		}
	}
	return nil
}

// usage is what a container used: null where the kernel does not count it.
type usage struct {
	MemoryPeak   *int64   `json:"memory_peak"`
	CPUTime      *float64 `json:"cpu_time"`
	CPUThrottled *float64 `json:"cpu_throttled"`
	PidsPeak     *int64   `json:"pids_peak"`
	OOMKills     *int64   `json:"oom_kills"`
}

// usage reads the counters.
func (g cgroup) usage() usage {
	u := usage{
		MemoryPeak: number(g.pick("memory", "memory.max_usage_in_bytes", "memory.peak")),
		OOMKills:   keyed(g.pick("memory", "memory.oom_control", "memory.events"), "oom_kill"),
		PidsPeak:   number(g.pick("pids", "pids.peak", "pids.peak")),
	}
	stat := g.pick("cpu", "cpu.stat", "cpu.stat")
	if unified() {
		u.CPUTime, u.CPUThrottled = seconds(keyed(stat, "usage_usec"), 1e6), seconds(keyed(stat, "throttled_usec"), 1e6)
	} else {
		u.CPUTime = seconds(number(filepath.Join(g.dir("cpuacct"), "cpuacct.usage")), 1e9)
		u.CPUThrottled = seconds(keyed(stat, "throttled_time"), 1e9)
	}
	return u
}

// pids is how many processes there are now.
func (g cgroup) pids() int64 {
	if n := number(g.pick("pids", "pids.current", "pids.current")); n != nil {
		return *n
	}
	return 0
}

// since is what was used after an earlier reading: the runtime's own work in the group does not count. Where its peak of processes was not
// passed, and where the kernel tells none, what was seen meanwhile is the best that is known. Of the peak of memory its part cannot be told.
func (u usage) since(earlier usage, pidsSeen int64) usage {
	u.CPUTime, u.CPUThrottled = gained(u.CPUTime, earlier.CPUTime), gained(u.CPUThrottled, earlier.CPUThrottled)
	if u.PidsPeak == nil || earlier.PidsPeak != nil && *u.PidsPeak <= *earlier.PidsPeak {
		u.PidsPeak = &pidsSeen
		if pidsSeen == 0 {
			u.PidsPeak = nil // it ended before anybody looked
		}
	}
	return u
}

// gained is how much a counter has grown.
func gained(now, before *float64) *float64 {
	if now == nil || before == nil {
		return now
	}
	rest := max(*now-*before, 0)
	return &rest
}

// remove removes what the runtime may have left of the group.
func (g cgroup) remove() error {
	dirs, err := filepath.Glob(filepath.Join(cgroupRoot, "*", string(g)))
	if err != nil {
		return err
	}
	var errs []error
	for _, dir := range append(dirs, filepath.Join(cgroupRoot, string(g))) {
		if err := os.Remove(dir); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// number reads a file with one number. "max", and what v1 writes for it, are no number.
func number(path string) *int64 {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	return parse(string(text))
}

// keyed reads a number of a file with lines of a key and a number.
func keyed(path, key string) *int64 {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil
	}
	for line := range strings.Lines(string(text)) {
		if k, v, ok := strings.Cut(line, " "); ok && k == key {
			return parse(v)
		}
	}
	return nil
}

func parse(text string) *int64 {
	n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	if err != nil || n < 0 || n > math.MaxInt64-1<<20 {
		return nil
	}
	return &n
}

func seconds(n *int64, unit float64) *float64 {
	if n == nil {
		return nil
	}
	s := float64(*n) / unit
	return &s
}
