package pod

import (
	"context"
	"fmt"
	"strings"
	"syscall"
	"time"

	"github.com/containers/podman/v5/libpod/define"
	"github.com/containers/podman/v5/pkg/bindings/pods"

	"github.com/containerpub/cpub/plugins/podman/internal/client"
	"github.com/containerpub/cpub/plugins/podman/internal/owner"
	"github.com/containerpub/cpub/sdk"
)

// remove carries out `state = "absent"`.
func (a *attempt) remove(ctx context.Context) (any, error) {
	all, err := a.generations(ctx, a.in.Name)
	if err != nil {
		return nil, err
	}
	for _, p := range all {
		a.changed = true
		a.req.Progress(sdk.Progress{Message: "removing the pod " + p.Name})
		if err := a.removePod(ctx, p.Id, a.in.Grace.Std()); err != nil {
			return nil, err
		}
	}
	return Output{Ports: []Port{}, Containers: map[string]string{}, Changed: a.changed}, nil
}

// removePod stops a pod and removes it with its containers and their anonymous volumes. That there is none is no error.
func (r *Runner) removePod(ctx context.Context, nameOrID string, grace time.Duration) error {
	found, err := r.inspect(ctx, nameOrID)
	if client.NotFound(err) {
		return nil
	}
	if err != nil {
		return err
	}
	if found.Labels[owner.LabelPod] == "" {
		return sdk.Permanentf("the pod %s is not ours (it has no label %s): it is not removed", nameOrID, owner.LabelPod)
	}
	call, cancel := r.Client.Context(ctx)
	defer cancel()
	if grace > 0 && found.State == define.PodStateRunning {
		// Removing kills at once, whatever it is told.
		if _, err := pods.Stop(call, found.ID, new(pods.StopOptions).WithTimeout(seconds(grace))); err != nil && !client.NotFound(err) {
			return fmt.Errorf("stopping the pod %s: %w", found.Name, err)
		}
	}
	err = removeStopped(call, found.ID, grace)
	for deadline := time.Now().Add(busyTime); busy(err) && time.Now().Before(deadline); {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(busyTime / 50):
		}
		err = removeStopped(call, found.ID, grace)
	}
	if err != nil && !client.NotFound(err) {
		return fmt.Errorf("removing the pod %s: %w", found.Name, err)
	}
	return nil
}

// busyTime is how long Podman's own clean-up of containers that have just ended may keep their mounts.
const busyTime = 10 * time.Second

// busy tells whether a removal failed since that clean-up was under way: Podman 4.3.1 does not wait for it.
func busy(err error) bool { return err != nil && strings.Contains(err.Error(), syscall.EBUSY.Error()) }

func removeStopped(call context.Context, id string, grace time.Duration) error {
	report, err := pods.Remove(call, id, new(pods.RemoveOptions).WithForce(true).WithTimeout(uint(seconds(grace))))
	if err == nil {
		err = report.Err
	}
	return err
}
