package container

import (
	"context"
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/containers/podman/v5/libpod/define"

	"github.com/containerpub/cpub/plugins/podman/internal/cgroup"
	"github.com/containerpub/cpub/plugins/podman/internal/client"
	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/contract"
)

// Enforceable refuses at once what the service's host is known not to enforce, before anything is pulled or created.
func Enforceable(ctx context.Context, c *client.Client, allowUnenforced bool) error {
	if allowUnenforced {
		return nil
	}
	if !c.Local() {
		return unenforced("its limits cannot be read back from this machine, because Podman (%s) is on another",
			"run the worker on the machine that Podman runs on", c.URI)
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
func readBack(req *sdk.Request, in Input, state *inspected, info *define.Info) (contract.Limits, cgroup.Group, error) {
	got := contract.Limits{
		Network: in.Network, TimeLimitMS: in.TimeLimit.Std().Milliseconds(), Memory: cgroup.Unlimited,
		MemorySwap: cgroup.Unlimited, CPUs: cgroup.Unlimited, Pids: cgroup.Unlimited,
	}
	group, err := cgroup.Of(state.pid, state.id)
	var limits cgroup.Limits
	if err == nil {
		limits, err = group.Limits()
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
		req.Logf("warning: %s; allowed by allow_unenforced_limits", why)
	}
	process, err := readProcess(state.pid)
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

func readProcess(pid int) (process, error) {
	p := process{}
	status, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
	if err != nil {
		return p, err
	}
	for line := range strings.Lines(string(status)) {
		name, value, _ := strings.Cut(strings.TrimSpace(line), ":")
		switch name {
		case "CapBnd":
			p.capabilities = capabilities(strings.TrimSpace(value))
		case "NoNewPrivs":
			p.noNewPrivs = strings.TrimSpace(value) == "1"
		}
	}
	if p.readOnly, err = rootReadOnly(pid); err != nil {
		return p, err
	}
	if p.userns, err = userns(pid); err != nil {
		return p, err
	}
	p.interfaces, p.sameNet, err = networkOf(pid)
	return p, err
}

// rootReadOnly tells whether / is mounted read-only for the process.
func rootReadOnly(pid int) (bool, error) {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/mountinfo", pid))
	if err != nil {
		return false, err
	}
	ro := false
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) > 5 && f[4] == "/" {
			ro = slices.Contains(strings.Split(f[5], ","), "ro") // the last one mounted is on top
		}
	}
	return ro, nil
}

// userns tells "host" or "private".
func userns(pid int) (string, error) {
	theirs, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/user", pid))
	if err != nil {
		return "", err
	}
	own, err := os.Readlink("/proc/self/ns/user")
	if err != nil {
		return "", err
	}
	if theirs == own {
		return "host", nil
	}
	return "private", nil
}

// networkOf lists the process's network interfaces, and whether its network is ours.
func networkOf(pid int) (interfaces []string, same bool, err error) {
	theirs, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", pid))
	if err != nil {
		return nil, false, err
	}
	own, err := os.Readlink("/proc/self/ns/net")
	if err != nil {
		return nil, false, err
	}
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/dev", pid))
	if err != nil {
		return nil, false, err
	}
	for line := range strings.Lines(string(b)) {
		if name, _, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			interfaces = append(interfaces, name)
		}
	}
	return interfaces, theirs == own, nil
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
