package container

import (
	"context"
	"fmt"
	"math"
	"strconv"
	"strings"

	spec "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/containerpub/cpub/plugins/podman/internal/hostfs"
)

// The most open files and processes of one container, as far as the host allows so many. Processes are really limited by `pids`;
// maxProcs is what Podman lowers its own limit to.
const (
	softFiles = 1024
	maxFiles  = 1 << 20
	maxProcs  = 1 << 15
)

// rlimits are the container's resource limits. Podman's own defaults are more than a service without CAP_SYS_RESOURCE may give, and
// then no container starts; so these stay below what a process of ours, on the same host, has itself.
func rlimits(ctx context.Context, host hostfs.Host) ([]spec.POSIXRlimit, error) {
	b, err := hostfs.ReadFile(ctx, host, "/proc/self/limits")
	if err != nil {
		return nil, fmt.Errorf("reading the host's resource limits: %w", err)
	}
	files, err := hardLimit(string(b), "Max open files")
	if err != nil {
		return nil, err
	}
	procs, err := hardLimit(string(b), "Max processes")
	if err != nil {
		return nil, err
	}
	files, procs = min(files, maxFiles), min(procs, maxProcs)
	return []spec.POSIXRlimit{
		{Type: "nofile", Hard: files, Soft: min(files, softFiles)},
		{Type: "nproc", Hard: procs, Soft: procs},
	}, nil
}

// hardLimit reads the hard limit of that name in a text as /proc/PID/limits has it: the name, the soft and the hard limit, a unit.
func hardLimit(text, name string) (uint64, error) {
	for line := range strings.Lines(text) {
		rest, ok := strings.CutPrefix(line, name+" ")
		if !ok {
			continue
		}
		f := strings.Fields(rest)
		if len(f) < 2 {
			break
		}
		if f[1] == "unlimited" {
			return math.MaxUint64, nil
		}
		n, err := strconv.ParseUint(f[1], 10, 64)
		if err != nil {
			return 0, fmt.Errorf("reading the host's resource limits: %q: %w", strings.TrimSpace(line), err)
		}
		return n, nil
	}
	return 0, fmt.Errorf("reading the host's resource limits: there is no %q", name)
}
