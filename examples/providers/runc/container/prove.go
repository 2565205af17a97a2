//go:build linux

package container

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/moby/sys/capability"

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
	if p.userns {
		got.Userns = "private"
	}
	if bad := p.violations(a.in, a.Images.Shift.UID != 0); len(bad) > 0 {
		return got, sdk.Permanentf("the container was not started: %s did not isolate it as asked: %s", a.Runc, strings.Join(bad, ", "))
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
		{"memory", float64(in.Memory), float64(got.Memory)}, {"memory_swap", float64(*in.MemorySwap), float64(got.MemorySwap)},
		{"cpus", in.CPUs, got.CPUs}, {"pids", float64(in.Pids), float64(got.Pids)},
	} {
		if l.have == unlimited || l.have > l.asked*1.001 {
			bad = append(bad, fmt.Sprintf("%s (asked %g, is %g)", l.name, l.asked, l.have))
		}
	}
	return bad
}

// process is what the kernel says of the container's first process.
type process struct {
	capabilities []string
	noNewPrivs   bool
	filtered     bool // by seccomp
	readOnly     bool
	userns       bool
	netns        bool
	interfaces   []string
}

func look(pid int) (p process, err error) {
	of := func(name string) string { return fmt.Sprintf("/proc/%d/%s", pid, name) }
	known, err := capability.NewPid2(pid)
	if err == nil {
		err = known.Load()
	}
	if err != nil {
		return p, err
	}
	p.capabilities = []string{}
	for _, c := range capability.ListKnown() {
		if known.Get(capability.BOUNDING, c) || known.Get(capability.PERMITTED, c) || known.Get(capability.INHERITABLE, c) {
			p.capabilities = append(p.capabilities, capName(c.String()))
		}
	}
	status, err := os.ReadFile(of("status"))
	if err != nil {
		return p, err
	}
	p.noNewPrivs = strings.Contains(string(status), "\nNoNewPrivs:\t1\n")
	p.filtered = strings.Contains(string(status), "\nSeccomp:\t2\n")
	mounts, err := os.ReadFile(of("mountinfo"))
	if err != nil {
		return p, err
	}
	for line := range strings.Lines(string(mounts)) {
		if f := strings.Fields(line); len(f) > 5 && f[4] == "/" {
			p.readOnly = slices.Contains(strings.Split(f[5], ","), "ro") // the last one mounted is on top
		}
	}
	for name, differs := range map[string]*bool{"ns/user": &p.userns, "ns/net": &p.netns} {
		theirs, err := os.Readlink(of(name))
		if err != nil {
			return p, err
		}
		own, err := os.Readlink("/proc/self/" + name)
		if err != nil {
			return p, err
		}
		*differs = theirs != own
	}
	devices, err := os.ReadFile(of("net/dev"))
	for line := range strings.Lines(string(devices)) {
		if name, _, ok := strings.Cut(strings.TrimSpace(line), ":"); ok && name != "lo" {
			p.interfaces = append(p.interfaces, name)
		}
	}
	return p, err
}

// violations lists what isolates less than was asked for.
func (p process) violations(in *input, userns bool) []string {
	var bad []string
	for _, v := range []struct {
		wrong bool
		what  string
	}{
		{!p.noNewPrivs, "it may gain privileges"},
		{!p.filtered, "it may make any system call"},
		{in.ReadOnly && !p.readOnly, "its root is writable"},
		{userns && !p.userns, "it has no user namespace"},
		{!p.netns, "it has the host's network"},
		{len(p.interfaces) > 0, "it has network interfaces " + strings.Join(p.interfaces, ", ")},
	} {
		if v.wrong {
			bad = append(bad, v.what)
		}
	}
	for _, c := range p.capabilities {
		if !slices.Contains(in.capabilities(), c) {
			bad = append(bad, "it has the capability "+c)
		}
	}
	return bad
}
