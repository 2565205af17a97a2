//go:build linux

package container

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/containerpub/cpub/examples/providers/runc/image"
	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/contract"
)

// unlimited is a limit that is not set.
const unlimited = -1

// prove reads back what holds the container, which the runtime has made but not started, and refuses what is not as it was asked for.
func (a *run) prove(pid int) (contract.Limits, error) {
	got, err := a.cgroup().limits()
	if err == nil {
		err = a.cgroup().has(pid)
	}
	bad := missing(a.in, got)
	if err != nil {
		bad = []string{"any limit: they cannot be read back: " + err.Error()}
	}
	if why := "this host does not enforce " + strings.Join(bad, ", "); len(bad) > 0 && !a.in.AllowUnenforcedLimits {
		return got, sdk.Permanentf("the container was not started: %s; check that the host has the memory, cpu and pids controllers in %s, "+
			"or accept it with `allow_unenforced_limits = true` where the policy allows it", why, cgroupRoot)
	} else if len(bad) > 0 {
		a.req.Logf("warning: %s; allowed by allow_unenforced_limits", why)
	}
	p, err := look(pid)
	if err != nil {
		return got, fmt.Errorf("reading back how the container is isolated: %w", err)
	}
	got.Network, got.TimeLimitMS, got.ReadOnly, got.Userns = a.in.Network, a.in.TimeLimit.Std().Milliseconds(), p.readOnly, "host"
	got.Capabilities, got.NoNewPrivileges = p.capabilities, p.noNewPrivs
	if !slices.Contains(p.shared, "user") {
		got.Userns = "private"
	}
	if bad := p.violations(a.in, a.Images.Shift != image.Shift{}); len(bad) > 0 {
		return got, sdk.Permanentf("the container was not started: the runtime did not isolate it as asked: %s; this is a fault of %s",
			strings.Join(bad, ", "), a.Runc)
	}
	return got, nil
}

// limits reads the limits of the group.
func (g cgroup) limits() (contract.Limits, error) {
	l := contract.Limits{Memory: unlimited, MemorySwap: unlimited, CPUs: unlimited, Pids: unlimited}
	set := func(to *int64, n *int64) {
		if n != nil {
			*to = *n
		}
	}
	set(&l.Memory, number(g.pick("memory", "memory.limit_in_bytes", "memory.max")))
	set(&l.Pids, number(g.pick("pids", "pids.max", "pids.max")))
	swap := number(g.pick("memory", "memory.memsw.limit_in_bytes", "memory.swap.max"))
	if swap != nil && unified() {
		*swap += l.Memory
	}
	set(&l.MemorySwap, swap)
	quota, period := number(g.pick("cpu", "cpu.cfs_quota_us", "")), number(g.pick("cpu", "cpu.cfs_period_us", ""))
	if unified() {
		text, err := os.ReadFile(g.pick("cpu", "", "cpu.max"))
		if err != nil {
			return l, err
		}
		if q, p, ok := strings.Cut(string(text), " "); ok {
			quota, period = parse(q), parse(p)
		}
	}
	if quota != nil && period != nil && *period > 0 {
		l.CPUs = float64(*quota) / float64(*period)
	}
	return l, nil
}

// missing lists the limits that were asked for and do not hold.
func missing(in *input, got contract.Limits) []string {
	var bad []string
	for _, l := range []struct {
		name        string
		asked, have float64
	}{
		{"memory", float64(in.Memory), float64(got.Memory)},
		{"memory_swap", float64(*in.MemorySwap), float64(got.MemorySwap)},
		{"cpus", in.CPUs, got.CPUs},
		{"pids", float64(in.Pids), float64(got.Pids)},
	} {
		if l.have == unlimited || l.have > l.asked*1.001 {
			bad = append(bad, fmt.Sprintf("%s (asked %g, is %g)", l.name, l.asked, l.have))
		}
	}
	return bad
}
