package container

import (
	"context"
	"fmt"
	"time"

	"github.com/containers/podman/v5/pkg/bindings/containers"
	"github.com/containers/podman/v5/pkg/domain/entities/types"

	"github.com/containerpub/cpub/plugins/podman/internal/cgroup"
	"github.com/containerpub/cpub/plugins/podman/internal/client"
	"github.com/containerpub/cpub/plugins/podman/internal/owner"
	"github.com/containerpub/cpub/sdk"
)

// Items tells of our containers.
func (r *Runner) Items(ctx context.Context, q sdk.InventoryQuery) ([]sdk.Item, error) {
	all, err := r.list(ctx, q.Sizes)
	if err != nil {
		return nil, err
	}
	var items []sdk.Item
	for _, c := range all {
		i := item(c)
		if q.Usage && c.Pid > 0 && c.State == "running" {
			i.Usage = r.usage(ctx, c)
		}
		items = append(items, i)
	}
	volumes, err := r.listVolumes(ctx)
	return append(items, volumes...), err
}

// list lists our containers. One that goes while Podman looks at its size can fail the whole list: then it is asked again.
func (r *Runner) list(ctx context.Context, sizes bool) ([]types.ListContainer, error) {
	opts := new(containers.ListOptions).WithAll(true).WithSize(sizes).WithFilters(map[string][]string{"label": {owner.LabelKey}})
	for n := 0; ; n++ {
		call, cancel := r.Client.Context(ctx)
		all, err := containers.List(call, opts)
		cancel()
		if err == nil {
			return all, nil
		}
		if n >= 5 || ctx.Err() != nil || !client.Unreachable(err) && client.Status(err) < 400 {
			return nil, fmt.Errorf("listing containers: %w", err)
		}
		time.Sleep(poll)
	}
}

func item(c types.ListContainer) sdk.Item {
	i := sdk.Item{
		Kind: sdk.ItemContainer, ID: c.ID, Run: c.Labels[owner.LabelRun], Step: c.Labels[owner.LabelStep], Key: c.Labels[owner.LabelKey],
		Created: c.Created, Bytes: sdk.Unknown, Shared: sdk.Unknown, State: c.State,
	}
	if len(c.Names) > 0 {
		i.Name = c.Names[0]
	}
	if c.Size != nil { // the image's layers are the image's
		i.Bytes, i.Shared = c.Size.RwSize, c.Size.RootFsSize-c.Size.RwSize
	}
	return i
}

// usage reads what a container is using; nil where that cannot be read, as that of one that has just ended.
func (r *Runner) usage(ctx context.Context, c types.ListContainer) *sdk.Usage {
	host, err := r.Client.Host()
	if err != nil {
		return nil
	}
	group, err := cgroup.Of(ctx, host, c.Pid, "libpod-"+c.ID)
	if err != nil {
		return nil
	}
	u := Usage(ctx, group)
	if limit, err := time.ParseDuration(c.Labels[owner.LabelTimeLimit]); err == nil && u != nil && c.StartedAt > 0 {
		u.Until = time.Unix(c.StartedAt, 0).Add(limit)
	}
	return u
}

// Usage reads what a cgroup is using; nil where it has no counters.
func Usage(ctx context.Context, group cgroup.Group) *sdk.Usage {
	now, at := group.Now(ctx), time.Now()
	if now.Memory == nil && now.CPUTime == nil && now.Pids == nil {
		return nil
	}
	u := &sdk.Usage{At: at, Memory: orUnknown(now.Memory), Pids: orUnknown(now.Pids), CPUTime: sdk.Unknown}
	if now.CPUTime != nil {
		u.CPUTime = time.Duration(*now.CPUTime * float64(time.Second))
	}
	u.MemoryLimit, u.CPULimit, u.PidsLimit = sdk.Unknown, sdk.Unknown, sdk.Unknown
	if limits, err := group.Limits(ctx); err == nil {
		u.MemoryLimit, u.CPULimit, u.PidsLimit = limits.Memory, limits.CPUs, limits.Pids // cgroup.Unlimited is sdk.Unknown
	}
	return u
}

func orUnknown(n *int64) int64 {
	if n == nil {
		return sdk.Unknown
	}
	return *n
}
