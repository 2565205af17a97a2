package container

import (
	"context"
	"time"

	"github.com/containerpub/cpub/plugins/podman/internal/cgroup"
	"github.com/containerpub/cpub/sdk/contract"
)

// sampling is how often the counters are read while the container runs: the peak of processes shows in no other way on
// cgroups v1, and all of them vanish with the group.
const sampling = 50 * time.Millisecond

// distantSampling is how often they are read on another machine.
const distantSampling = 250 * time.Millisecond

// sampling is how often the counters are read.
func (a *run) sampling() time.Duration {
	if host, err := a.Client.Host(); err == nil && host.Local() {
		return sampling
	}
	return distantSampling
}

// exitOf gives a channel that is closed when a process of Podman's host has ended, and nil where that cannot be watched. Call stop when
// done.
func (a *run) exitOf(pid int) (ended <-chan struct{}, stop func()) {
	if host, err := a.Client.Host(); err != nil || !host.Local() {
		return nil, func() {}
	}
	return exitOf(pid)
}

// watch follows the counters of a running container.
type watch struct {
	limits contract.Limits
	group  cgroup.Group
	usage  cgroup.Usage
	start  cgroup.Usage // before the user's code
	oom    *cgroup.OOMWatch
}

func newWatch(ctx context.Context, limits contract.Limits, group cgroup.Group) *watch {
	w := &watch{limits: limits, group: group, start: group.Usage(ctx)}
	// Where the kernel tells of kills in no such way, the counter is read.
	if oom, err := group.WatchOOM(); err == nil {
		w.oom = oom
	}
	return w
}

// sample reads the counters once more.
func (w *watch) sample(ctx context.Context) { w.usage = w.usage.Merge(w.group.Usage(ctx)) }

// final is what the container used. What was never seen in its own group, which is gone, is taken from the group above.
func (w *watch) final(ctx context.Context) cgroup.Usage {
	w.sample(ctx)
	u, parent := w.usage, w.group.Parent().Usage(ctx)
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
