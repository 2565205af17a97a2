package container

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/containers/podman/v5/pkg/domain/entities/types"

	"github.com/containerpub/cpub/plugins/podman/internal/cgroup"
	"github.com/containerpub/cpub/plugins/podman/internal/owner"
	"github.com/containerpub/cpub/sdk"
)

// starting is how old a cgroup without processes must be: younger, its container may be about to start.
const starting = time.Minute

// Sweep removes the containers and volumes of runs that are not alive, and cgroups of ours that no container needs, unless they are
// younger than the grace.
func (r *Runner) Sweep(ctx context.Context, sweep sdk.Sweep) (int, error) {
	removed, err := r.Prune(ctx, sweep, false)
	return len(removed), err
}

// Prune is Sweep, and tells which containers and volumes that are. With dryRun nothing is removed.
func (r *Runner) Prune(ctx context.Context, sweep sdk.Sweep, dryRun bool) ([]sdk.Item, error) {
	all, err := r.list(ctx, dryRun)
	if err != nil {
		return nil, err
	}
	var removed []sdk.Item
	needed, gone := map[string]bool{}, map[string]bool{}
	var errs []error
	for _, c := range all {
		key := c.Labels[owner.LabelKey]
		if owner.Outlives(c.Labels) {
			continue
		}
		if needs(c, sweep) {
			needed[owner.Short(key)] = true
			continue
		}
		if !dryRun && !gone[key] {
			if err := r.Remove(ctx, key); err != nil {
				errs = append(errs, err)
				continue
			}
			gone[key] = true
		}
		removed = append(removed, item(c))
	}
	volumes, err := r.pruneVolumes(ctx, sweep, needed, dryRun)
	removed, errs = append(removed, volumes...), append(errs, err)
	if host, err := r.Client.Host(); err == nil && !dryRun {
		errs = append(errs, cgroup.Sweep(ctx, host, "/cpub", max(sweep.Grace.Std(), starting), func(name string) bool {
			return needed[strings.TrimSuffix(name, sidecarsOf)]
		}))
	}
	return removed, errors.Join(errs...)
}

// needs tells that a container is still needed, or may be.
func needs(c types.ListContainer, sweep sdk.Sweep) bool {
	return sweep.Alive(c.Labels[owner.LabelRun]) || ofShell(c.Labels) || !sweep.Old(c.Created)
}
