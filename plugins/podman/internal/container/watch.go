package container

import (
	"context"
	"path"
	"strings"
	"time"

	"github.com/containerpub/cpub/plugins/podman/internal/cgroup"
	"github.com/containerpub/cpub/sdk/contract"
)

// sampling is how often the counters are read while the container runs: the peak of processes shows in no other way on
// cgroups v1, and all of them vanish with the group.
const sampling = 50 * time.Millisecond

// distantSampling is how often they are read on another machine, and distantPatience how long one look there may take.
const (
	distantSampling = 250 * time.Millisecond
	distantPatience = 5 * time.Second
)

// distant tells that Podman's processes are not on this machine, or cannot be seen at all.
func (a *run) distant() bool {
	host, err := a.Client.Host()
	return err != nil || !host.Local()
}

// sampling is how often the counters are read.
func (a *run) sampling() time.Duration {
	if a.distant() {
		return distantSampling
	}
	return sampling
}

// polling is how often Podman is asked for the state of a container. watched tells that its end is seen otherwise: by its process, or by its
// cgroup's vanishing.
func (a *run) polling(watched bool) time.Duration {
	switch {
	case watched:
		return time.Second // also then, as the pid might be another's
	case a.distant():
		return distantSampling
	default:
		return poll
	}
}

// exitOf gives a channel that is closed when a process of Podman's host has ended, and nil where that cannot be watched. Call stop when
// done.
func (a *run) exitOf(pid int) (ended <-chan struct{}, stop func()) {
	if a.distant() {
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
	// scoped tells that systemd has the groups: it takes that of the container's monitor away, so that nobody can tell what of the group
	// above was the monitor's.
	scoped bool
	// distant tells that the end is seen late, when the group is gone.
	distant bool
}

func newWatch(ctx context.Context, limits contract.Limits, group cgroup.Group) *watch {
	w := &watch{
		limits: limits, group: group, start: group.Usage(ctx), distant: !group.Local(),
		scoped: strings.HasSuffix(group.Parent().Dir(), ".slice"),
	}
	// Where the kernel tells of kills in no such way, the counter is read.
	if oom, err := group.WatchOOM(); err == nil {
		w.oom = oom
	}
	return w
}

// sample reads the counters once more. The peak of processes before the start was that of the runtime: until it is passed, what is counted now
// tells more. It tells whether the group is there.
func (w *watch) sample(ctx context.Context) bool {
	if w.distant {
		var cancel context.CancelFunc
		ctx, cancel = context.WithTimeout(ctx, distantPatience)
		defer cancel()
	}
	now := w.group.Usage(ctx)
	if now.PidsPeak != nil && w.start.PidsPeak != nil && *now.PidsPeak <= *w.start.PidsPeak {
		now.PidsPeak = nil
	}
	w.usage = w.usage.Merge(now)
	return now.Pids != nil
}

// final is what the container used since its start. What cannot be told for certain is nil.
func (w *watch) final(ctx context.Context) cgroup.Usage {
	w.sample(ctx)
	u := w.usage
	if w.distant {
		u = u.Merge(w.fromAbove(ctx)) // what it used after it was last seen
	} else if u.CPUTime == nil && u.MemoryPeak == nil {
		u = w.fromAbove(ctx)
	} else if above := w.above().Usage(ctx); above.OOMKills != nil && u.OOMKills != nil && *above.OOMKills > *u.OOMKills {
		u.OOMKills = above.OOMKills // the last look at the group may have been before the kill
	}
	u.CPUTime, u.CPUThrottled = since(u.CPUTime, w.start.CPUTime), since(u.CPUThrottled, w.start.CPUThrottled)
	if u.MemoryPeak != nil && w.limits.Memory > 0 && *u.MemoryPeak > w.limits.Memory {
		limit := w.limits.Memory
		u.MemoryPeak = &limit // the group above counts a little more than the container
	}
	// It had at least the process that became its code, even if that ended before anybody looked again.
	if w.start.Pids != nil && (u.PidsPeak == nil || *u.PidsPeak < 1) {
		one := int64(1)
		u.PidsPeak = &one
	}
	if u.PidsRefused != nil && *u.PidsRefused > 0 && w.limits.Pids > 0 {
		limit := w.limits.Pids
		u.PidsPeak = &limit
	}
	return u
}

// above is the group above, if it is ours and thus of this container alone: another counts strangers too. The zero group has no counters.
func (w *watch) above() cgroup.Group {
	up := w.group.Parent()
	if dir := up.Dir(); path.Base(path.Dir(dir)) == "cpub" || strings.HasPrefix(path.Base(dir), "cpub-") {
		return up
	}
	return cgroup.Group{}
}

// monitors is the group, beside the container's, of its monitor: conmon, and the podman that cleans up at the end.
const monitors = "conmon"

// fromAbove is what the group above tells of a container whose own group is gone: what both it and the monitor used, less what the
// monitor did, where that is known. The kernel throttles by the group, so of that nothing is left.
func (w *watch) fromAbove(ctx context.Context) cgroup.Usage {
	above, monitor := w.above().Usage(ctx), w.above().Child(monitors).Usage(ctx)
	u := cgroup.Usage{OOMKills: above.OOMKills}
	if w.scoped {
		return u
	}
	u.CPUTime = since(above.CPUTime, monitor.CPUTime)
	// The monitor's peak and the container's were not at the same time: where it is not small, nobody knows what was whose.
	if p := monitor.MemoryPeak; p == nil || above.MemoryPeak != nil && *p*small <= *above.MemoryPeak {
		u.MemoryPeak = above.MemoryPeak
	}
	if p := monitor.PidsPeak; p == nil || *p == 0 {
		u.PidsPeak = above.PidsPeak
	}
	return u
}

// small is which part of a figure does not make it wrong: a twentieth.
const small = 20

// since is what a counter has gained.
func since(now, start *float64) *float64 {
	if now == nil || start == nil {
		return now
	}
	gained := max(*now-*start, 0)
	return &gained
}

// oomSeen tells whether the kernel killed for memory.
func (w *watch) oomSeen(u cgroup.Usage) bool {
	if w.oom != nil && w.oom.Seen() {
		return true
	}
	return u.OOMKills != nil && *u.OOMKills > 0
}

// oomGuessed tells whether the kernel's kill for memory may have gone unseen: on cgroups v1 of another machine nobody tells of it, and the
// counter goes with the group.
func (w *watch) oomGuessed() bool { return w.distant && !w.group.CountsOOMAbove() }

func (w *watch) close() {
	if w != nil && w.oom != nil {
		_ = w.oom.Close() // nothing was written
	}
}
