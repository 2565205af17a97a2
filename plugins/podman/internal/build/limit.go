package build

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	"github.com/containers/podman/v5/libpod/define"

	"github.com/containerpub/cpub/plugins/podman/internal/cgroup"
	"github.com/containerpub/cpub/plugins/podman/internal/hostfs"
	"github.com/containerpub/cpub/plugins/podman/internal/owner"
	"github.com/containerpub/cpub/sdk"
)

// limit bounds the RUNs of a build before the first of them starts. Podman takes limits of memory and CPU, but none of processes, and tells
// nobody whether they hold: so all of them are set on the cgroup above those of the RUNs, which is ours, and read back from there. A
// rootless Podman has no such group; there the kernel's own limit of the processes of a user takes the place.
func (b *Builder) limit(ctx context.Context, req *sdk.Request, in Input, info *define.Info, query url.Values) error {
	host, err := b.Client.Host()
	switch {
	case err != nil:
	case b.ownGroup(info):
		memory := int64(*in.Memory)
		err = cgroup.Limit(ctx, host, groupOf(owner.Short(req.Key)), cgroup.Limits{Memory: memory, MemorySwap: memory, CPUs: *in.CPUs, Pids: *in.Pids})
	case info.Host.Security.Rootless:
		if info.Host.CgroupsVersion == "v1" { // only where that is allowed: see container.Enforceable
			req.Logf("warning: rootless Podman cannot limit memory and CPU of a build on a host with cgroups v1; allowed by allow_unenforced_limits")
			for _, name := range []string{"memory", "memswap", "cpuperiod", "cpuquota"} {
				query.Del(name)
			}
		}
		query.Set("ulimits", list([]string{fmt.Sprintf("nproc=%d:%d", *in.Pids, *in.Pids)}))
	}
	if err == nil || errors.Is(err, hostfs.ErrUnreachable) {
		return err
	}
	if in.AllowUnenforcedLimits {
		req.Logf("warning: a limit of the build is not enforced: %v; allowed by allow_unenforced_limits", err)
		return nil
	}
	return sdk.Permanentf("the build was not started: its limits cannot be enforced: %w; or accept it with `allow_unenforced_limits = true` "+
		"where the policy allows it", err)
}
