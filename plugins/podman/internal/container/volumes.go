package container

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/containers/podman/v5/pkg/bindings/volumes"
	"github.com/containers/podman/v5/pkg/domain/entities/types"

	"github.com/containerpub/cpub/plugins/podman/internal/client"
	"github.com/containerpub/cpub/plugins/podman/internal/owner"
	"github.com/containerpub/cpub/sdk"
)

// makeVolumes makes the volumes of the step's own, and those that it names and that do not exist. What is left of its own from an attempt that
// was lost is made anew.
func (a *run) makeVolumes(ctx context.Context, m mounted) error {
	for _, v := range m.volumes {
		if err := a.makeNamed(ctx, v.Name); err != nil {
			return err
		}
	}
	for _, v := range m.own {
		labels := owner.Labels(a.req, nil)
		err := a.makeVolume(ctx, v.name, labels)
		if err != nil {
			if rerr := a.removeVolume(ctx, v.name); rerr != nil {
				return errors.Join(err, rerr)
			}
			err = a.makeVolume(ctx, v.name, labels)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// makeNamed makes a volume that stays. It has no key, by which Release and Sweep would find it.
func (a *run) makeNamed(ctx context.Context, name string) error {
	call, cancel := a.Client.Context(ctx)
	defer cancel()
	there, err := volumes.Exists(call, name, nil)
	if err != nil {
		return fmt.Errorf("looking for volume %s: %w", name, err)
	}
	if there {
		return nil
	}
	labels := owner.Labels(a.req, nil)
	delete(labels, owner.LabelKey)
	delete(labels, owner.LabelAttempt)
	if err = a.makeVolume(ctx, name, labels); err == nil {
		return nil
	}
	// Another step may have been first.
	if there, eerr := volumes.Exists(call, name, nil); eerr != nil || !there {
		return err
	}
	return nil
}

func (a *run) makeVolume(ctx context.Context, name string, labels map[string]string) error {
	call, cancel := a.Client.Context(ctx)
	defer cancel()
	if _, err := volumes.Create(call, types.VolumeCreateOptions{Name: name, Label: labels}, nil); err != nil {
		return fmt.Errorf("making volume %s: %w", name, err)
	}
	return nil
}

// removeVolume removes a volume. That there is none is no error.
func (r *Runner) removeVolume(ctx context.Context, name string) error {
	call, cancel := r.Client.Context(ctx)
	defer cancel()
	if err := volumes.Remove(call, name, nil); err != nil && !client.NotFound(err) {
		return fmt.Errorf("removing volume %s: %w", name, err)
	}
	return nil
}

// removeOwn removes the container of the request, and its volumes.
func (a *run) removeOwn(ctx context.Context) error {
	err := a.Remove(ctx, a.req.Key)
	for n := range a.in.mayOwn() {
		err = errors.Join(err, a.removeVolume(ctx, volumeName(a.req.Key, n)))
	}
	return err
}

// mayOwn is the most volumes of its own that a step has.
func (in Input) mayOwn() int { return len(in.Collect) + len(in.Mount) }

// Release removes the containers and volumes of the keys.
func (r *Runner) Release(ctx context.Context, keys []string) error {
	var errs []error
	for _, key := range keys {
		errs = append(errs, r.Remove(ctx, key))
	}
	_, err := r.removeVolumes(ctx, func(v sdk.Item) bool { return slices.Contains(keys, v.Key) }, false)
	return errors.Join(append(errs, err)...)
}

// removeVolumes removes those that match, of all that steps own, and tells which. With dryRun nothing is removed.
func (r *Runner) removeVolumes(ctx context.Context, match func(sdk.Item) bool, dryRun bool) (removed []sdk.Item, err error) {
	all, err := r.listVolumes(ctx)
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, v := range all {
		if !match(v) {
			continue
		}
		if !dryRun {
			if err := r.removeVolume(ctx, v.Name); err != nil {
				errs = append(errs, err)
				continue
			}
		}
		removed = append(removed, v)
	}
	return removed, errors.Join(errs...)
}

// listVolumes lists the volumes that steps own.
func (r *Runner) listVolumes(ctx context.Context) ([]sdk.Item, error) {
	call, cancel := r.Client.Context(ctx)
	defer cancel()
	all, err := volumes.List(call, new(volumes.ListOptions).WithFilters(map[string][]string{"label": {owner.LabelKey}}))
	if err != nil {
		return nil, fmt.Errorf("listing volumes: %w", err)
	}
	var items []sdk.Item
	for _, v := range all {
		items = append(items, sdk.Item{
			Kind: sdk.ItemVolume, Name: v.Name, Run: v.Labels[owner.LabelRun], Step: v.Labels[owner.LabelStep], Key: v.Labels[owner.LabelKey],
			Created: v.CreatedAt, Bytes: sdk.Unknown, Shared: sdk.Unknown,
		})
	}
	return items, nil
}

// pruneVolumes removes the volumes of runs that are not alive, unless they are younger than the grace, or of a key that is needed.
func (r *Runner) pruneVolumes(ctx context.Context, sweep sdk.Sweep, needed map[string]bool, dryRun bool) ([]sdk.Item, error) {
	return r.removeVolumes(ctx, func(v sdk.Item) bool {
		return !sweep.Alive(v.Run) && !needed[owner.Short(v.Key)] && sweep.Old(v.Created)
	}, dryRun)
}
