package pod

import (
	"context"
	"fmt"

	"github.com/containers/podman/v5/pkg/bindings/pods"
	"github.com/containers/podman/v5/pkg/domain/entities/types"

	"github.com/containerpub/cpub/plugins/podman/internal/client"
	"github.com/containerpub/cpub/plugins/podman/internal/owner"
	"github.com/containerpub/cpub/sdk"
)

// generations lists the pods that a name of ours has: one, or during a replacement two.
func (r *Runner) generations(ctx context.Context, name string) ([]*types.ListPodsReport, error) {
	call, cancel := r.Client.Context(ctx)
	defer cancel()
	label := owner.LabelPod
	if name != "" {
		label += "=" + name
	}
	found, err := pods.List(call, new(pods.ListOptions).WithFilters(map[string][]string{"label": {label}}))
	if err != nil {
		return nil, fmt.Errorf("looking for the pod %s: %w", name, err)
	}
	return found, nil
}

// refuseForeign refuses a name that a pod has which is not ours.
func (r *Runner) refuseForeign(ctx context.Context, name string) error {
	found, err := r.inspect(ctx, name)
	if client.NotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if found.Labels[owner.LabelPod] != "" {
		return nil
	}
	return sdk.Permanentf("there is a pod %q that no step made (it has no label %s), and it is not touched; give the step's pod another name, or remove that "+
		"one by hand: `podman pod rm --force %s`", name, owner.LabelPod, name)
}

// inspect finds a pod by its name or id; see client.NotFound.
func (r *Runner) inspect(ctx context.Context, nameOrID string) (*types.PodInspectReport, error) {
	call, cancel := r.Client.Context(ctx)
	defer cancel()
	found, err := pods.Inspect(call, nameOrID, nil)
	if err != nil {
		return nil, fmt.Errorf("looking for the pod %s: %w", nameOrID, err)
	}
	return found, nil
}
