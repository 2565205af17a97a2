package container

import (
	"testing"
	"time"

	"github.com/containerpub/cpub/sdk/contract"
)

// TestTimes: the phases follow each other without a gap or an overlap, whatever the clock of Podman's host says, and add up to the whole.
func TestTimes(t *testing.T) {
	began := time.Date(2026, 1, 2, 3, 4, 5, 999_600_000, time.UTC)
	at := func(d time.Duration) time.Time { return began.Add(d) }
	ms := time.Millisecond
	for name, c := range map[string]struct {
		pull, started, ended, now     time.Duration
		create, run, cleanup, missing int64
	}{
		"in order":                 {300 * ms, 800 * ms, 2000 * ms, 2100 * ms, 500, 1200, 100, 0},
		"parts of milliseconds":    {1700 * time.Microsecond, 3900 * time.Microsecond, 5100 * time.Microsecond, 7800 * time.Microsecond, 2, 2, 2, 0},
		"the host's clock is late": {300 * ms, 9000 * ms, 12000 * ms, 2100 * ms, 1800, 0, 0, 0},
		"the host's clock is slow": {300 * ms, 200 * ms, 250 * ms, 2100 * ms, 0, 0, 1800, 0},
		"never ended":              {0, 100 * ms, 0, 2100 * ms, 100, 0, 2000, 0},
	} {
		var r contract.Receipt
		times{began: began, queued: 7 * time.Second, pull: c.pull}.tell(&r, at(c.started), at(c.ended), at(c.now))
		if r.CreateMS != c.create || r.RunMS != c.run || r.CleanupMS != c.cleanup || r.QueuedMS != 7000 || r.PullMS != c.pull.Milliseconds() {
			t.Errorf("%s: %+v", name, r)
		}
		if sum := r.PullMS + r.CreateMS + r.RunMS + r.CleanupMS; sum != c.now.Milliseconds() {
			t.Errorf("%s: the parts add up to %d ms, want %d", name, sum, c.now.Milliseconds())
		}
	}
}

// TestTimesAdopted: an adopted container's phases are those of the attempt that made it, as far as that could tell.
func TestTimesAdopted(t *testing.T) {
	began := time.Now()
	first := times{began: began.Add(-time.Minute), queued: time.Second, pull: 2 * time.Second}
	var c checkpoint
	first.save(&c)
	second := times{began: began, queued: time.Hour}
	second.adopt(c)
	if !second.began.Equal(first.began) || second.queued != first.queued || second.pull != first.pull {
		t.Errorf("%+v, want %+v", second, first)
	}
	second = times{began: began, queued: time.Second}
	second.adopt(checkpoint{})
	var r contract.Receipt
	second.tell(&r, began.Add(-10*time.Second), began.Add(-4*time.Second), began.Add(time.Second))
	if r.CreateMS != 0 || r.RunMS != 6000 || r.CleanupMS != 5000 || r.QueuedMS != 1000 {
		t.Errorf("an attempt of which nothing is known: %+v", r)
	}
}
