package build

import (
	"context"
	"errors"

	"github.com/containerpub/cpub/plugins/podman/internal/cgroup"
	"github.com/containerpub/cpub/plugins/podman/internal/container"
	"github.com/containerpub/cpub/plugins/podman/internal/owner"
	"github.com/containerpub/cpub/sdk"
)

// Items tells of the containers that builds of ours work in.
func (b *Builder) Items(ctx context.Context, usage bool) ([]sdk.Item, error) {
	host, err := b.Client.Host()
	if err != nil {
		return nil, nil //nolint:nilerr // their marks cannot be seen
	}
	all, err := b.leftovers(ctx, host)
	if err != nil {
		return nil, err
	}
	var items []sdk.Item
	for _, l := range all {
		i := l.item()
		if usage {
			if group, err := cgroup.At(ctx, host, groupOf(l.short)); err == nil {
				i.Usage = container.Usage(ctx, group)
			}
		}
		items = append(items, i)
	}
	return items, nil
}

func (l leftover) item() sdk.Item {
	return sdk.Item{
		Kind: sdk.ItemContainer, ID: l.id, Name: "build " + l.short[:min(len(l.short), 12)], Key: l.short, Created: l.created,
		Bytes: sdk.Unknown, Shared: sdk.Unknown, State: "building",
	}
}

// Prune is Sweep, and tells which containers that are. With dryRun nothing is removed.
func (b *Builder) Prune(ctx context.Context, sweep sdk.Sweep, dryRun bool) ([]sdk.Item, error) {
	live := owner.Live(sweep)
	unwanted := func(l leftover) bool { return !live(l.runHash) && sweep.Old(l.created) }
	var items []sdk.Item
	err := b.removeMarked(ctx, func(l leftover) bool {
		if unwanted(l) {
			items = append(items, l.item())
		}
		return unwanted(l) && !dryRun
	})
	if !dryRun {
		err = errors.Join(err, b.removeSecrets(ctx, unwanted))
	}
	return items, err
}
