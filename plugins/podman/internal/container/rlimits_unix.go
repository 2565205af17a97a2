//go:build unix

package container

import (
	"fmt"

	spec "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"
)

// The most open files and processes of one container, as far as the host allows so many. Processes are really limited by `pids`;
// maxProcs is what Podman lowers its own limit to.
const (
	softFiles = 1024
	maxFiles  = 1 << 20
	maxProcs  = 1 << 15
)

// rlimits are the container's resource limits. Podman's own defaults are more than a service without CAP_SYS_RESOURCE may give, and
// then no container starts; so these stay below what this process, on the same host, has itself.
func rlimits() ([]spec.POSIXRlimit, error) {
	var files, procs unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_NOFILE, &files); err != nil {
		return nil, fmt.Errorf("reading the limit of open files: %w", err)
	}
	if err := unix.Getrlimit(unix.RLIMIT_NPROC, &procs); err != nil {
		return nil, fmt.Errorf("reading the limit of processes: %w", err)
	}
	hard := min(files.Max, maxFiles)
	return []spec.POSIXRlimit{
		{Type: "nofile", Hard: hard, Soft: min(hard, softFiles)},
		{Type: "nproc", Hard: min(procs.Max, maxProcs), Soft: min(procs.Max, maxProcs)},
	}, nil
}
