package container

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/containers/podman/v5/libpod/define"

	"github.com/containerpub/cpub/plugins/podman/internal/cgroup"
	"github.com/containerpub/cpub/plugins/podman/internal/client"
	"github.com/containerpub/cpub/plugins/podman/internal/hostfs"
	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/contract"
)

// Enforceable refuses at once what the service's host is known not to enforce, before anything is pulled or created.
func Enforceable(ctx context.Context, c *client.Client, allowUnenforced bool) error {
	if allowUnenforced {
		return nil
	}
	if _, err := c.Host(); err != nil {
		return unenforced("its limits cannot be read back: %s", "run the worker on the machine that Podman runs on", err.Error())
	}
	info, err := c.Info(ctx)
	if err != nil {
		return err
	}
	if info.Host.Security.Rootless && info.Host.CgroupsVersion == "v1" {
		return unenforced("rootless Podman ignores limits of memory, CPU and processes on a host with cgroups v1",
			"use rootful Podman (`connection = \"unix:///run/podman/podman.sock\"`), or start the host with "+
				"`systemd.unified_cgroup_hierarchy=1` for cgroups v2")
	}
	return nil
}

// unenforced is the refusal of a container whose limits do not hold.
func unenforced(why, remedy string, args ...any) error {
	return sdk.Permanentf("the container was not started: "+why+"; "+remedy+
		"; or accept it with `allow_unenforced_limits = true` where the policy allows it", args...)
}

// readBack reads what holds for the container that is initialised but not started, and refuses what was not asked for.
func (a *run) readBack(ctx context.Context, state *inspected, info *define.Info) (contract.Limits, cgroup.Group, error) {
	in := a.in
	got := contract.Limits{
		Network: in.Network, TimeLimitMS: in.TimeLimit.Std().Milliseconds(), Memory: cgroup.Unlimited,
		MemorySwap: cgroup.Unlimited, CPUs: cgroup.Unlimited, Pids: cgroup.Unlimited,
	}
	host, err := a.Client.Host()
	if err != nil {
		return got, cgroup.Group{}, unenforced("its isolation cannot be read back: %s", "run the worker on the machine that Podman runs on", err.Error())
	}
	group, err := cgroup.Of(ctx, host, state.pid, state.id)
	var limits cgroup.Limits
	if err == nil {
		limits, err = group.Limits(ctx)
	}
	if err == nil {
		got.Memory, got.MemorySwap, got.CPUs, got.Pids = limits.Memory, limits.MemorySwap, limits.CPUs, limits.Pids
	}
	if bad := missing(in, got, info); err != nil || len(bad) > 0 {
		why := "this host does not enforce " + strings.Join(bad, ", ")
		if err != nil {
			why = "its limits cannot be read back: " + err.Error()
		}
		if !in.AllowUnenforcedLimits {
			return got, group, unenforced("%s", remedyFor(info), why)
		}
		a.req.Logf("warning: %s; allowed by allow_unenforced_limits", why)
	}
	process, err := readProcess(ctx, host, state.pid)
	if err != nil {
		return got, group, unenforced("its isolation cannot be read back: %s", remedyFor(info), err.Error())
	}
	got.Capabilities, got.NoNewPrivileges = process.capabilities, process.noNewPrivs
	got.ReadOnly, got.Userns = process.readOnly, process.userns
	if bad := process.violations(in); len(bad) > 0 {
		return got, group, sdk.Permanentf("the container was not started: Podman did not isolate it as asked: %s; "+
			"this is a fault of the host's Podman or runtime (%s)", strings.Join(bad, ", "), info.Host.OCIRuntime.Name)
	}
	return got, group, nil
}

// missing lists the limits that were asked for and do not hold. A stricter one is fine.
func missing(in Input, got contract.Limits, info *define.Info) []string {
	var bad []string
	add := func(name string, asked, have float64) {
		if have == cgroup.Unlimited || have > asked*1.001 {
			bad = append(bad, fmt.Sprintf("%s (asked %g, is %s)", name, asked, orNone(have)))
		}
	}
	add("memory", float64(in.Memory), float64(got.Memory))
	if info.Host.SwapTotal > 0 {
		add("memory_swap", float64(*in.MemorySwap), float64(got.MemorySwap))
	}
	add("cpus", in.CPUs, got.CPUs)
	add("pids", float64(in.Pids), float64(got.Pids))
	return bad
}

func orNone(v float64) string {
	if v == cgroup.Unlimited {
		return "none"
	}
	return fmt.Sprintf("%g", v)
}

func remedyFor(info *define.Info) string {
	if info.Host.Security.Rootless {
		return "delegate the controllers to the user (`systemctl edit user@.service`: `[Service] Delegate=cpu cpuset io memory pids`), " +
			"or use rootful Podman"
	}
	return "check that the host has the memory, cpu and pids controllers (`podman info`: cgroupControllers)"
}

// process is what the kernel says of the container's first process.
type process struct {
	capabilities []string
	noNewPrivs   bool
	readOnly     bool
	userns       string
	interfaces   []string
	sameNet      bool
}

func readProcess(ctx context.Context, host hostfs.Host, pid int) (process, error) {
	p := process{}
	dir := fmt.Sprintf("/proc/%d/", pid)
	got := host.ReadFiles(ctx, dir+"status", dir+"mountinfo", dir+"net/dev")
	for _, c := range got {
		if c.Err != nil {
			return p, c.Err
		}
	}
	for line := range strings.Lines(string(got[0].Data)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		switch name {
		case "CapBnd":
			p.capabilities = capabilities(strings.TrimSpace(value))
		case "NoNewPrivs":
			p.noNewPrivs = strings.TrimSpace(value) == "1"
		}
	}
	p.readOnly, p.interfaces = rootReadOnly(string(got[1].Data)), interfaces(string(got[2].Data))
	sameUser, err := sharesNamespace(ctx, host, pid, "user")
	if err != nil {
		return p, err
	}
	p.userns = "private"
	if sameUser {
		p.userns = "host"
	}
	p.sameNet, err = sharesNamespace(ctx, host, pid, "net")
	return p, err
}

// rootReadOnly tells whether / is mounted read-only, by the text of a process's mountinfo.
func rootReadOnly(mountinfo string) bool {
	ro := false
	for line := range strings.Lines(mountinfo) {
		if f := strings.Fields(line); len(f) > 5 && f[4] == "/" {
			ro = slices.Contains(strings.Split(f[5], ","), "ro") // the last one mounted is on top
		}
	}
	return ro
}

// interfaces lists network interfaces, by the text of a process's net/dev.
func interfaces(dev string) []string {
	var list []string
	for line := range strings.Lines(dev) {
		if name, _, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			list = append(list, name)
		}
	}
	return list
}

// sharesNamespace tells whether a process is in the host's namespace of a kind: that of our own process there.
func sharesNamespace(ctx context.Context, host hostfs.Host, pid int, kind string) (bool, error) {
	theirs, err := host.Readlink(ctx, fmt.Sprintf("/proc/%d/ns/%s", pid, kind))
	if err != nil {
		return false, err
	}
	own, err := host.Readlink(ctx, "/proc/self/ns/"+kind)
	return theirs == own, err
}

// violations lists what isolates less than was asked for.
func (p process) violations(in Input) []string {
	var bad []string
	if !p.noNewPrivs {
		bad = append(bad, "it may gain privileges")
	}
	if in.ReadOnly && !p.readOnly {
		bad = append(bad, "its root is writable")
	}
	if in.Userns == "auto" && p.userns == "host" {
		bad = append(bad, "it has no user namespace")
	}
	if p.sameNet && in.Network != "host" {
		bad = append(bad, "it has the host's network")
	}
	if extra := slices.DeleteFunc(slices.Clone(p.interfaces), func(i string) bool { return i == "lo" }); in.Network == "none" && len(extra) > 0 {
		bad = append(bad, "it has network interfaces "+strings.Join(extra, ", "))
	}
	for _, c := range p.capabilities {
		if !slices.Contains(in.added(), c) {
			bad = append(bad, "it has the capability "+c)
		}
	}
	return bad
}
