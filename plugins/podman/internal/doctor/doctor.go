// Package doctor says what is wrong with a Podman service and the machine that it runs on. What it looks at is read first (Read), and then
// judged by pure functions, one a check, so that none of them hides another one and each is tested on facts that a test makes up.
package doctor

import (
	"fmt"

	"github.com/containerpub/cpub/sdk"
)

// check is one thing that is looked at. Judge gives nothing where it does not apply.
type check struct {
	name  string
	judge func(f *Facts) []sdk.Finding
}

// checks are all of them, in the order in which they are shown.
func checks() []check {
	return []check{
		{"podman_installed", installed},
		{"podman_socket", socket},
		{"podman_machine", machine},
		{"podman_api", api},
		{"podman_connection", connection},
		{"podman_host", host},
		{"podman_version", version},
		{"podman_database", database},
		{"podman_cgroups", cgroups},
		{"podman_cgroup_manager", cgroupManager},
		{"podman_controllers", controllers},
		{"podman_limits", limits},
		{"podman_swap", swap},
		{"podman_userns", userNamespaces},
		{"podman_kernel_userns", kernelNamespaces},
		{"podman_subuids", subIDs},
		{"podman_subid_overlap", subIDOverlap},
		{"podman_newuidmap", newIDMap},
		{"podman_idmap", idMap},
		{"podman_runtime", runtime},
		{"podman_conmon", conmon},
		{"podman_init", initProgram},
		{"podman_network_backend", networkBackend},
		{"podman_dns", dns},
		{"podman_rootless_network", rootlessNetwork},
		{"podman_seccomp", seccomp},
		{"podman_selinux", selinux},
		{"podman_storage_driver", storageDriver},
		{"podman_overlay", overlay},
		{"podman_space", space},
		{"podman_inodes", inodes},
		{"podman_tmp_space", tmpSpace},
		{"podman_locks", locks},
		{"podman_rlimits", rlimits},
		{"podman_runtime_dir", runtimeDir},
		{"podman_linger", linger},
		{"podman_leftovers", leftovers},
		{"podman_identity", identityVolume},
		{"podman_registry_ca", registryCAs},
	}
}

// Names are the names of all checks, in the order in which they are shown.
func Names() []string {
	var names []string
	for _, c := range checks() {
		names = append(names, c.name)
	}
	return names
}

// Judge gives a finding for everything that could be looked at.
func Judge(f *Facts) []sdk.Finding {
	var all []sdk.Finding
	for _, c := range checks() {
		all = append(all, c.run(f)...)
	}
	return all
}

// run has one check's own failure hide nothing else.
func (c check) run(f *Facts) (found []sdk.Finding) {
	defer func() {
		if p := recover(); p != nil {
			found = fault(fmt.Sprintf("it could not be looked at: %v", p), "report this as a fault of the podman provider")
			found[0].Name = c.name
		}
	}()
	found = c.judge(f)
	for i := range found {
		found[i].Name = c.name
	}
	return found
}

func fine(format string, args ...any) []sdk.Finding {
	return []sdk.Finding{{OK: true, Detail: fmt.Sprintf(format, args...)}}
}

func fault(detail, remedy string, fixes ...sdk.Fix) []sdk.Finding {
	return []sdk.Finding{{Detail: detail, Remedy: remedy, Fixes: fixes}}
}

func warning(detail, remedy string) []sdk.Finding {
	return []sdk.Finding{{Warning: true, Detail: detail, Remedy: remedy}}
}
