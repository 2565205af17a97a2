package container

import (
	"time"

	"github.com/containerpub/cpub/sdk/contract"
)

// times are the phases of a step, by this process's clock.
type times struct {
	began  time.Time     // when the first attempt came to the provider
	queued time.Duration // before that
	pull   time.Duration
}

// save keeps them for an attempt that follows.
func (t times) save(c *checkpoint) {
	c.BeganAt, c.QueuedMS, c.PullMS = t.began, t.queued.Milliseconds(), t.pull.Milliseconds()
}

// adopt takes over those of the attempt that started the container, if that could keep them.
func (t *times) adopt(c checkpoint) {
	if c.BeganAt.IsZero() {
		return
	}
	*t = times{began: c.BeganAt, queued: milliseconds(c.QueuedMS), pull: milliseconds(c.PullMS)}
}

// tell writes the phases into a receipt: they follow each other without a gap from the step's first attempt to now. What Podman says of the
// container's start and end is by its host's clock, and is fitted between what happened here before and after.
func (t times) tell(r *contract.Receipt, started, ended, now time.Time) {
	if started.Before(t.began) && !started.IsZero() {
		t.began = started.Add(-t.pull) // an attempt before this one, of which nothing is known
	}
	created := clamp(started, t.began.Add(t.pull), now)
	ran := clamp(ended, created, now)
	// Rounded from the beginning, so that the parts add up to the whole.
	at := func(moment time.Time) int64 { return moment.Sub(t.began).Milliseconds() }
	r.QueuedMS, r.PullMS = t.queued.Milliseconds(), t.pull.Milliseconds()
	r.CreateMS, r.RunMS, r.CleanupMS = at(created)-r.PullMS, at(ran)-at(created), at(now)-at(ran)
}

func clamp(t, from, to time.Time) time.Time {
	switch {
	case t.Before(from):
		return from
	case t.After(to):
		return to
	default:
		return t
	}
}

func milliseconds(n int64) time.Duration { return time.Duration(n) * time.Millisecond }
