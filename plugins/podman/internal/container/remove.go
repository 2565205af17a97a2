package container

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/containers/podman/v5/pkg/bindings/containers"

	"github.com/containerpub/cpub/plugins/podman/internal/cgroup"
	"github.com/containerpub/cpub/plugins/podman/internal/client"
	"github.com/containerpub/cpub/plugins/podman/internal/owner"
)

// Remove removes the containers of a key, running or not, and their cgroups. That there are none is no error.
func (r *Runner) Remove(ctx context.Context, key string) error {
	names, err := r.sidecarsOf(ctx, key)
	if err != nil {
		return err
	}
	// The step's own first, and that whose namespaces the others joined last: Podman removes none that another one needs.
	for _, name := range append([]string{owner.Name(key)}, names...) {
		if err := r.removeContainer(ctx, name); err != nil {
			return err
		}
	}
	host, err := r.Client.Host()
	if err != nil {
		return nil //nolint:nilerr // what cannot be seen is Podman's to remove
	}
	info, err := r.Client.Info(ctx)
	if err != nil {
		return err
	}
	manager := info.Host.CgroupManager
	if manager == "systemd" || info.Host.Security.Rootless {
		return nil // systemd removes its own; rootless containers have no parent of ours
	}
	return errors.Join(cgroup.Remove(ctx, host, parent(key, manager)), cgroup.Remove(ctx, host, sidecarParent(key, manager)))
}

func (r *Runner) removeContainer(ctx context.Context, name string) error {
	call, cancel := r.Client.Context(ctx)
	defer cancel()
	_, err := containers.Remove(call, name, new(containers.RemoveOptions).WithForce(true).WithVolumes(true).WithTimeout(0))
	if err != nil && !client.NotFound(err) {
		return fmt.Errorf("removing the container: %w", err)
	}
	return nil
}

// sidecarsOf lists the names of a key's sidecars in the order in which they can be removed.
func (r *Runner) sidecarsOf(ctx context.Context, key string) ([]string, error) {
	call, cancel := r.Client.Context(ctx)
	defer cancel()
	filters := map[string][]string{"label": {owner.LabelKey + "=" + key, owner.LabelSidecar}}
	all, err := containers.List(call, new(containers.ListOptions).WithAll(true).WithFilters(filters))
	if err != nil {
		return nil, fmt.Errorf("listing sidecars: %w", err)
	}
	var names []string
	for _, c := range all {
		names = append(names, owner.Name(key)+"-"+c.Labels[owner.LabelSidecar])
	}
	slices.SortFunc(names, func(a, b string) int { return cmp.Compare(b, a) }) // the first holds the namespaces
	return names, nil
}
