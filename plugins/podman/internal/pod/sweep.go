package pod

import (
	"context"
	"errors"
	"slices"

	"github.com/containers/podman/v5/libpod/define"
	"github.com/containers/podman/v5/pkg/domain/entities/types"

	"github.com/containerpub/cpub/plugins/podman/internal/owner"
	"github.com/containerpub/cpub/sdk"
)

// Sweep ends what attempts left halfway whose run is over, or gone: a pod that was never started is removed, and so is one that has been
// replaced; one that was stopped for a new one which never got up is started again. Whole pods stay: they outlive their runs.
func (r *Runner) Sweep(ctx context.Context, sweep sdk.Sweep) (int, error) {
	removed, err := r.Prune(ctx, sweep, false)
	return len(removed), err
}

// Prune is Sweep, and tells which pods that are. With dryRun nothing is done.
func (r *Runner) Prune(ctx context.Context, sweep sdk.Sweep, dryRun bool) ([]sdk.Item, error) {
	all, err := r.generations(ctx, "")
	if err != nil {
		return nil, err
	}
	slices.SortFunc(all, func(a, b *types.ListPodsReport) int { return b.Created.Compare(a.Created) })
	byName := map[string][]*types.ListPodsReport{}
	var order []string
	for _, p := range all {
		name := p.Labels[owner.LabelPod]
		if byName[name] == nil {
			order = append(order, name)
		}
		byName[name] = append(byName[name], p)
	}
	var items []sdk.Item
	var errs []error
	for _, name := range order {
		removed, err := r.settle(ctx, sweep, byName[name], dryRun)
		for _, p := range removed {
			items = append(items, sdk.Item{
				Kind: sdk.ItemPod, ID: p.Id, Name: p.Name, Run: p.Labels[owner.LabelRun], Step: p.Labels[owner.LabelStep], Key: p.Labels[owner.LabelKey],
				Created: p.Created, State: p.Status,
			})
		}
		errs = append(errs, err)
	}
	return items, errors.Join(errs...)
}

// settle does so for the pods of one name, the newest first.
func (r *Runner) settle(ctx context.Context, sweep sdk.Sweep, pods []*types.ListPodsReport, dryRun bool) (removed []*types.ListPodsReport, err error) {
	for _, p := range pods {
		if sweep.Alive(p.Labels[owner.LabelRun]) || !sweep.Old(p.Created) {
			return nil, nil // somebody may be at it
		}
	}
	newest, unwanted := pods[0], pods[1:]
	halfMade := newest.Status == define.PodStateCreated || len(pods) > 1 && newest.Status != define.PodStateRunning
	if halfMade {
		unwanted = append([]*types.ListPodsReport{newest}, pods[min(2, len(pods)):]...)
	}
	for _, p := range unwanted {
		if !dryRun {
			if err := r.removePod(ctx, p.Id, 0); err != nil {
				return removed, err
			}
		}
		removed = append(removed, p)
	}
	if halfMade && len(pods) > 1 && pods[1].Status != define.PodStateRunning && !dryRun {
		err = r.startPod(ctx, pods[1].Id)
	}
	return removed, err
}
