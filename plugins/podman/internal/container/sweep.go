package container

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/containers/podman/v5/pkg/bindings/containers"

	"github.com/containerpub/cpub/plugins/podman/internal/cgroup"
	"github.com/containerpub/cpub/plugins/podman/internal/owner"
	"github.com/containerpub/cpub/sdk"
)

// starting is how old a cgroup without processes must be: younger, its container may be about to start.
const starting = time.Minute

// Sweep removes the containers of runs that are not alive, and cgroups of ours that no container needs, unless they are
// younger than the grace.
func (r *Runner) Sweep(ctx context.Context, sweep sdk.Sweep) (int, error) {
	call, cancel := r.Client.Context(ctx)
	defer cancel()
	all, err := containers.List(call, new(containers.ListOptions).WithAll(true).WithFilters(map[string][]string{"label": {owner.LabelKey}}))
	if err != nil {
		return 0, fmt.Errorf("listing containers: %w", err)
	}
	removed, needed := 0, map[string]bool{}
	var errs []error
	for _, c := range all {
		key := c.Labels[owner.LabelKey]
		if slices.Contains(sweep.LiveRuns, c.Labels[owner.LabelRun]) || time.Since(c.Created) < sweep.Grace.Std() {
			needed[owner.Short(key)] = true
			continue
		}
		if err := r.Remove(ctx, key); err != nil {
			errs = append(errs, err)
			continue
		}
		removed++
	}
	if host, err := r.Client.Host(); err == nil {
		errs = append(errs, cgroup.Sweep(ctx, host, "/cpub", max(sweep.Grace.Std(), starting), func(name string) bool { return needed[name] }))
	}
	return removed, errors.Join(errs...)
}
