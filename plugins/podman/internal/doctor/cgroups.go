package doctor

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"

	"github.com/containerpub/cpub/sdk"
)

const (
	unified  = "start the host with `systemd.unified_cgroup_hierarchy=1` on the kernel's command line, for cgroups v2"
	delegate = "delegate the controllers to the user (`systemctl edit user@.service`: `[Service] Delegate=cpu cpuset io memory pids`), or use rootful Podman"
)

// cgroups tells which layout the host has.
func cgroups(f *Facts) []sdk.Finding {
	if f.Info == nil {
		return nil
	}
	if v := f.Info.Host.CgroupsVersion; v != "v2" {
		return warning(fmt.Sprintf("the host has cgroups %s: rootless Podman enforces no limits there, and Podman 6 does not run", v), unified)
	}
	return fine("cgroups v2")
}

// cgroupManager tells whether what makes the groups of containers is there.
func cgroupManager(f *Facts) []sdk.Finding {
	if f.Info == nil {
		return nil
	}
	const cgroupfs = "write `cgroup_manager = \"cgroupfs\"` into the section [engine] of containers.conf"
	manager := f.Info.Host.CgroupManager
	switch {
	case manager != "systemd" || f.Host == nil:
		return fine("%s makes the cgroups of containers", manager)
	case !f.systemd():
		return fault("Podman asks systemd for the cgroups of containers, and the host does not run it", cgroupfs+", and start the service again")
	case f.rootless() && !f.Host.Exists(f.runtimeFolder()+"/bus"):
		return fault(fmt.Sprintf("Podman asks the user's systemd for the cgroups of containers, and %s/bus is not there", f.runtimeFolder()),
			fmt.Sprintf("give the user a session that lasts: `loginctl enable-linger %s`; or %s", f.User, cgroupfs))
	}
	return fine("systemd makes the cgroups of containers")
}

// controllers tells whether the controllers of the limits are there.
func controllers(f *Facts) []sdk.Finding {
	if f.Info == nil || f.rootless() && f.Info.Host.CgroupsVersion == "v1" { // there they are never
		return nil
	}
	have, missing := f.Info.Host.CgroupControllers, []string(nil)
	for _, want := range []string{"memory", "cpu", "pids"} {
		if !slices.Contains(have, want) {
			missing = append(missing, want)
		}
	}
	if len(missing) == 0 {
		return fine("Podman has the controllers %s", strings.Join(have, ", "))
	}
	detail := fmt.Sprintf("Podman lacks the controllers %s: steps with such limits do not start", strings.Join(missing, ", "))
	if f.rootless() {
		return fault(detail, delegate)
	}
	return fault(detail, "enable them on the kernel's command line (`cgroup_enable=memory`), and in the container or machine that Podman runs in")
}

// limits tells whether limits can be enforced and read back.
func limits(f *Facts) []sdk.Finding {
	switch {
	case f.Info == nil:
		return nil
	case f.Unenforced == nil:
		return fine("limits of memory, CPU and processes can be enforced and read back")
	}
	why, remedy, _ := strings.Cut(strings.TrimPrefix(f.Unenforced.Error(), "the container was not started: "), "; ")
	return fault(why, remedy)
}

// swap tells whether the kernel counts swap, where there is some.
func swap(f *Facts) []sdk.Finding {
	switch {
	case f.Info == nil:
		return nil
	case f.Info.Host.SwapTotal == 0:
		return fine("the host has no swap")
	case f.Host == nil || f.rootless() && f.Info.Host.CgroupsVersion == "v1":
		return nil
	}
	counted := f.Host.Exists("/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes")
	if f.Info.Host.CgroupsVersion == "v2" {
		found, err := filepath.Glob(f.Host.path("/sys/fs/cgroup/*/memory.swap.max")) // the root group has none
		counted = err == nil && len(found) > 0
	}
	if counted {
		return fine("the kernel counts swap")
	}
	return fault("the host has swap that the kernel does not count: no limit holds for memory and swap together, and steps do not start",
		"start the host with `swapaccount=1` on the kernel's command line, or turn swap off: `swapoff -a`")
}
