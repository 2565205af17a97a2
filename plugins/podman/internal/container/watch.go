package container

import (
	"time"

	"github.com/containerpub/cpub/plugins/podman/internal/cgroup"
	"github.com/containerpub/cpub/sdk/contract"
)

// sampling is how often the counters are read while the container runs: the peak of processes shows in no other way on
// cgroups v1, and all of them vanish with the group.
const sampling = 50 * time.Millisecond

// watch follows the counters of a running container.
type watch struct {
	limits contract.Limits
	group  cgroup.Group
	usage  cgroup.Usage
	start  cgroup.Usage // before the user's code
	oom    *cgroup.OOMWatch
}

func newWatch(limits contract.Limits, group cgroup.Group) *watch {
	w := &watch{limits: limits, group: group, start: group.Usage()}
	// Where the kernel tells of kills in no such way, the counter is read.
	if oom, err := group.WatchOOM(); err == nil {
		w.oom = oom
	}
	return w
}

// sample reads the counters once more.
func (w *watch) sample() { w.usage = w.usage.Merge(w.group.Usage()) }

// final is what the container used. What was never seen in its own group, which is gone, is taken from the group above.
func (w *watch) final() cgroup.Usage {
	w.sample()
	u, parent := w.usage, w.group.Parent().Usage()
	if u.MemoryPeak == nil {
		u.MemoryPeak = parent.MemoryPeak
	}
	// The parent counts conmon's few pages too.
	if u.MemoryPeak != nil && w.limits.Memory > 0 && *u.MemoryPeak > w.limits.Memory {
		limit := w.limits.Memory
		u.MemoryPeak = &limit
	}
	if u.OOMKills == nil || parent.OOMKills != nil && *parent.OOMKills > *u.OOMKills {
		u.OOMKills = parent.OOMKills
	}
	if u.CPUTime == nil {
		u.CPUTime = parent.CPUTime
	} else if w.start.CPUTime != nil {
		used := max(*u.CPUTime-*w.start.CPUTime, 0)
		u.CPUTime = &used
	}
	return u
}

// oomSeen tells whether the kernel killed for memory.
func (w *watch) oomSeen(u cgroup.Usage) bool {
	if w.oom != nil && w.oom.Seen() {
		return true
	}
	return u.OOMKills != nil && *u.OOMKills > 0
}

func (w *watch) close() {
	if w != nil && w.oom != nil {
		_ = w.oom.Close() // nothing was written
	}
}
