package pod

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/containers/podman/v5/libpod/define"
	"github.com/containers/podman/v5/pkg/bindings/pods"
	"github.com/containers/podman/v5/pkg/domain/entities/types"

	"github.com/containerpub/cpub/plugins/podman/internal/client"
	"github.com/containerpub/cpub/plugins/podman/internal/owner"
	"github.com/containerpub/cpub/sdk"
)

// asItIs gives the outputs of the pod that is there already, made of the same input by a step before, or by an attempt that was lost. It gives nil
// if there is none that is whole.
func (a *attempt) asItIs(ctx context.Context) (any, error) {
	found, err := a.inspect(ctx, a.name)
	if client.NotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	if found.Labels[owner.LabelSpec] != a.digest || !a.allRun(found) {
		return nil, nil
	}
	if err := a.wait(ctx); err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		a.req.Logf("the pod %s is there, but %s: it is made again", a.name, err)
		return nil, nil
	}
	a.changed = found.Labels[owner.LabelKey] == a.req.Key
	old, err := a.others(ctx)
	if err != nil {
		return nil, err
	}
	a.removeOld(ctx, old)
	return a.outputs(ctx)
}

// allRun tells whether the pod has all its containers, and all run.
func (a *attempt) allRun(p *types.PodInspectReport) bool {
	for _, m := range a.members {
		i := slices.IndexFunc(p.Containers, named(m.Name()))
		if i < 0 || p.Containers[i].State != define.ContainerStateRunning.String() {
			return false
		}
	}
	return true
}

func named(name string) func(define.InspectPodContainerInfo) bool {
	return func(c define.InspectPodContainerInfo) bool { return c.Name == name }
}

// others are the pods of this name that were made of other inputs.
func (a *attempt) others(ctx context.Context) ([]*types.ListPodsReport, error) {
	all, err := a.generations(ctx, a.in.Name)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(p *types.ListPodsReport) bool { return p.Name == a.name }), nil
}

// replaced are the pods that the new one takes the place of. What an attempt left half-made under the new one's name is removed.
func (a *attempt) replaced(ctx context.Context) ([]*types.ListPodsReport, error) {
	if err := a.removePod(ctx, a.name, 0); err != nil {
		return nil, err
	}
	return a.others(ctx)
}

// replace makes the new pod, stops the old, and starts the new one. The old goes when all is well with the new.
func (a *attempt) replace(ctx context.Context, old []*types.ListPodsReport) (any, error) {
	a.changed = true
	if err := a.create(ctx); err != nil {
		return nil, err
	}
	for _, p := range old {
		a.req.Progress(sdk.Progress{Message: "stopping the pod " + p.Name})
		if err := a.stop(ctx, p.Id); err != nil {
			return nil, err
		}
	}
	if err := a.prepare(ctx); err != nil {
		return nil, err
	}
	if err := a.start(ctx); err != nil {
		return nil, err
	}
	if err := a.wait(ctx); err != nil {
		return nil, err
	}
	for _, m := range a.members {
		if _, err := m.Prove(ctx, true); err != nil {
			return nil, Within("container."+m.short, err)
		}
	}
	a.removeOld(ctx, old)
	return a.outputs(ctx)
}

// removeOld removes what has been replaced. A failure is no failure of the step, whose pod is up: the next one about this name, or a sweep, does it.
func (a *attempt) removeOld(ctx context.Context, old []*types.ListPodsReport) {
	for _, p := range old {
		a.changed = true
		if err := a.removePod(ctx, p.Id, a.in.Grace.Std()); err != nil {
			a.req.Logf("warning: the replaced pod %s is still there: %s", p.Name, err)
		}
	}
}

// undo removes the pod that did not get up, and starts what it was to replace.
func (a *attempt) undo(ctx context.Context, old []*types.ListPodsReport) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
	defer cancel()
	errs := []error{client.Retry(ctx, cleanupTime, func() error { return a.removePod(ctx, a.name, 0) })}
	for _, p := range old {
		if p.Status != define.PodStateRunning && p.Status != define.PodStateDegraded {
			continue // it did not run before either
		}
		err := client.Retry(ctx, cleanupTime, func() error { return a.startPod(ctx, p.Id) })
		if err != nil {
			errs = append(errs, fmt.Errorf("starting the pod %s again, which was to be replaced: %w", p.Name, err))
			continue
		}
		a.req.Logf("the pod %s runs again", p.Name)
	}
	return errors.Join(errs...)
}

func (a *attempt) stop(ctx context.Context, id string) error {
	call, cancel := a.Client.Context(ctx)
	defer cancel()
	report, err := pods.Stop(call, id, new(pods.StopOptions).WithTimeout(seconds(a.in.Grace.Std())))
	if err == nil {
		err = errors.Join(report.Errs...)
	}
	if err != nil && !client.NotFound(err) {
		return fmt.Errorf("stopping the pod: %w", err)
	}
	return nil
}

func (r *Runner) startPod(ctx context.Context, id string) error {
	call, cancel := r.Client.Context(ctx)
	defer cancel()
	report, err := pods.Start(call, id, nil)
	if err != nil {
		return err
	}
	return errors.Join(report.Errs...)
}

func seconds(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }
