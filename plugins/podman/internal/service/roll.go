package service

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/containerpub/cpub/plugins/podman/internal/pod"
	"github.com/containerpub/cpub/sdk"
)

// cleanupTime is how long putting back what there was may take, after the attempt's own context has ended.
const cleanupTime = 2 * time.Minute

// asItIs gives the outputs of the service that runs of the same file; nil where it does not, or not well.
func (a *attempt) asItIs(ctx context.Context) (any, error) {
	unit, err := a.host.Manager.Unit(ctx, a.unit())
	if err != nil {
		return nil, err
	}
	if unit.Active != "active" && unit.Active != "activating" {
		return nil, nil
	}
	if err := a.wait(ctx); err != nil {
		if ctx.Err() != nil {
			return nil, context.Cause(ctx)
		}
		a.req.Logf("the service is there, but %s: it is started again", err)
		return nil, nil
	}
	backup := a.host.backup(a.in.Name)
	if text, err := read(backup); err == nil && text != "" {
		a.changed = true // an attempt before this one was lost in its rollout
	}
	return a.done(ctx)
}

// done ends a rollout that has succeeded.
func (a *attempt) done(ctx context.Context) (any, error) {
	if err := remove(a.host.backup(a.in.Name)); err != nil {
		return nil, fmt.Errorf("removing the replaced file: %w", err)
	}
	if err := a.Images.DropForService(ctx, a.in.Name, a.digest); err != nil {
		a.req.Logf("warning: an image of the service before is still there: %s", err)
	}
	return a.output("active"), nil
}

// roll puts the file in its place and starts the service. If that fails, the old file comes back and the old service is started, if it was.
func (a *attempt) roll(ctx context.Context, old string) (any, error) {
	a.changed = true
	backup := a.host.backup(a.in.Name)
	// An attempt that was lost, or that could not put the old file back, has left it here: what lies in its place is what failed.
	kept, err := read(backup)
	if err != nil {
		return nil, fmt.Errorf("reading the replaced file: %w", err)
	}
	if kept != "" {
		old = kept
	} else if old == a.text {
		old = "" // it is the same, which did not run: there is nothing better to go back to
	}
	before, err := a.host.Manager.Unit(ctx, a.unit())
	if err != nil {
		return nil, err
	}
	if err := a.Images.KeepForService(ctx, a.container.ImageID(), a.in.Name, a.digest); err != nil {
		return nil, err
	}
	err = a.replace(ctx, old)
	if err == nil {
		err = a.wait(ctx)
	}
	if err == nil {
		_, err = a.container.Prove(ctx, true)
	}
	if err == nil {
		return a.done(ctx)
	}
	if errors.Is(context.Cause(ctx), sdk.ErrDetached) {
		return nil, err
	}
	back, cancel := context.WithTimeout(context.WithoutCancel(ctx), cleanupTime)
	defer cancel()
	pod.Tail(back, a.Client, a.in.Name, a.req)
	return nil, errors.Join(err, a.putBack(back, old, kept != "" || before.Active == "active"))
}

// replace lands the file, keeping the old one beside it, and has systemd start the service.
func (a *attempt) replace(ctx context.Context, old string) error {
	file, backup := a.host.file(a.in.Name), a.host.backup(a.in.Name)
	if old != "" {
		if err := write(backup, old); err != nil {
			return fmt.Errorf("keeping the service's file: %w", err)
		}
	}
	if err := write(file, a.text); err != nil {
		return fmt.Errorf("writing the service's file: %w", err)
	}
	if err := a.host.Manager.Reload(ctx); err != nil {
		return err
	}
	a.req.Progress(sdk.Progress{Message: "starting " + a.unit()})
	return a.host.Manager.Restart(ctx, a.unit())
}

// putBack puts the old file in its place again, or none, and starts what it is of if that ran.
func (a *attempt) putBack(ctx context.Context, old string, ran bool) error {
	if old == "" {
		_, err := a.take(ctx)
		return errors.Join(err, a.Images.DropForService(ctx, a.in.Name, ""))
	}
	if err := write(a.host.file(a.in.Name), old); err != nil {
		return fmt.Errorf("putting the service's file back: %w", err)
	}
	if err := a.host.Manager.Reload(ctx); err != nil {
		return err
	}
	if ran {
		if err := a.host.Manager.Restart(ctx, a.unit()); err != nil {
			return err
		}
		if err := a.settle(ctx, "active"); err != nil {
			return fmt.Errorf("starting the service that was to be replaced: %w", err)
		}
		a.req.Logf("the service runs again as it was")
	} else if err := a.stop(ctx); err != nil {
		return err
	}
	return remove(a.host.backup(a.in.Name))
}

// remove carries out `state = "absent"`.
func (a *attempt) remove(ctx context.Context) (any, error) {
	there, err := a.take(ctx)
	if err != nil {
		return nil, err
	}
	if err := a.Images.DropForService(ctx, a.in.Name, ""); err != nil {
		return nil, err
	}
	a.changed = there
	return a.output("inactive"), nil
}

// take stops the service and removes its files. It tells whether there was anything.
func (a *attempt) take(ctx context.Context) (there bool, err error) {
	file := a.host.file(a.in.Name)
	text, err := read(file)
	if err != nil {
		return false, fmt.Errorf("reading the service's file: %w", err)
	}
	unit, err := a.host.Manager.Unit(ctx, a.unit())
	if err != nil {
		return false, err
	}
	if text == "" && unit.Load == "not-found" {
		return false, remove(a.host.backup(a.in.Name))
	}
	a.req.Progress(sdk.Progress{Message: "stopping " + a.unit()})
	if unit.Load != "not-found" {
		if err := a.stop(ctx); err != nil {
			return true, err
		}
	}
	if err := errors.Join(remove(file), remove(a.host.backup(a.in.Name))); err != nil {
		return true, fmt.Errorf("removing the service's file: %w", err)
	}
	return true, errors.Join(a.host.Manager.Reload(ctx), a.host.Manager.ResetFailed(ctx, a.unit()))
}

func (a *attempt) stop(ctx context.Context) error {
	if err := a.host.Manager.Stop(ctx, a.unit()); err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, a.in.Grace.Std()+cleanupTime)
	defer cancel()
	return a.settle(ctx, "inactive", "failed")
}
