package container

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
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
		return unenforced("its limits cannot be read back: %s", sameMachine, err.Error())
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

// sameMachine is the remedy where nothing of Podman's host can be seen.
const sameMachine = "run the worker on the machine that Podman runs on, or reach it by ssh (`connection = \"ssh://USER@HOST/run/podman/podman.sock\"`) " +
	"as a user with a shell"

// unenforced is the refusal of a container whose limits do not hold.
func unenforced(why, remedy string, args ...any) error {
	return sdk.Permanentf("the container was not started: "+why+"; "+remedy+
		"; or accept it with `allow_unenforced_limits = true` where the policy allows it", args...)
}

// readBack reads what holds for the container that is initialised but not started, or was started by an earlier attempt, and refuses what was
// not asked for.
func (a *run) readBack(ctx context.Context, want expected, state *inspected, info *define.Info) (contract.Limits, cgroup.Group, error) {
	in := a.in
	got := contract.Limits{
		Network: in.Network, TimeLimitMS: in.TimeLimit.Std().Milliseconds(), Memory: cgroup.Unlimited,
		MemorySwap: cgroup.Unlimited, CPUs: cgroup.Unlimited, Pids: cgroup.Unlimited,
	}
	host, err := a.Client.Host()
	if err != nil && in.AllowUnenforcedLimits {
		a.req.Logf("warning: neither limits nor isolation can be read back: %s; allowed by allow_unenforced_limits", err)
		return got, cgroup.Group{}, nil
	}
	if err != nil {
		return got, cgroup.Group{}, unenforced("its limits and isolation cannot be read back: %s", sameMachine, err.Error())
	}
	if err := isThere(ctx, host, state); err != nil {
		return got, cgroup.Group{}, err
	}
	group, err := cgroup.Of(ctx, host, state.pid, state.id)
	var limits cgroup.Limits
	if err == nil {
		limits, err = group.Limits(ctx)
	}
	if err == nil {
		got.Memory, got.MemorySwap, got.CPUs, got.Pids = limits.Memory, limits.MemorySwap, limits.CPUs, limits.Pids
	}
	if bad := missing(in, got, info.Host.SwapTotal > 0 || limits.SwapCounted); err != nil || len(bad) > 0 {
		why := "this host does not enforce " + strings.Join(bad, ", ")
		if err != nil {
			why = "its limits cannot be read back: " + err.Error()
		}
		if errors.Is(err, hostfs.ErrUnreachable) {
			return got, group, err
		}
		if !in.AllowUnenforcedLimits {
			return got, group, unenforced("%s", remedyFor(info), why)
		}
		a.req.Logf("warning: %s; allowed by allow_unenforced_limits", why)
	}
	process, err := readProcess(ctx, host, state.pid)
	if err == nil && !want.started {
		process.seccomp, err = seccompOf(ctx, host, state)
	}
	if errors.Is(err, hostfs.ErrUnreachable) {
		return got, group, err
	}
	if errors.Is(err, fs.ErrPermission) {
		return got, group, sdk.Permanentf("the container was not started: its isolation cannot be read back: %w; use another `userns`, a newer Podman, "+
			"or a worker whose user may read what Podman keeps of its containers", err)
	}
	if err != nil {
		return got, group, unenforced("its isolation cannot be read back: %s", remedyFor(info), err.Error())
	}
	got.Capabilities, got.NoNewPrivileges = process.capabilities(), process.noNewPrivs
	got.ReadOnly, got.Userns = process.readOnly, process.userns
	if bad := process.violations(in, want); len(bad) > 0 {
		return got, group, notIsolated(bad, info)
	}
	return got, group, nil
}

// notIsolated is the refusal of a container that is not isolated as was asked.
func notIsolated(bad []string, info *define.Info) error {
	runtime := info.Host.OCIRuntime
	return sdk.Permanentf("the container was not started: it is not isolated as asked: %s; this is a fault of the host's Podman or its OCI "+
		"runtime %s (%s): see what `engine.runtime` in containers.conf names, and update or replace it", strings.Join(bad, ", "), runtime.Name, runtime.Path)
}

// missing lists the limits that were asked for and do not hold. A stricter one is fine. swap tells whether there is swap, or may be: where
// the kernel does not count it, a host that has none keeps it from everybody.
func missing(in Input, got contract.Limits, swap bool) []string {
	var bad []string
	add := func(name string, asked, have float64) {
		if have == cgroup.Unlimited || have > asked*1.001 {
			bad = append(bad, fmt.Sprintf("%s (asked %g, is %s)", name, asked, orNone(have)))
		}
	}
	add("memory", float64(in.Memory), float64(got.Memory))
	if swap {
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
