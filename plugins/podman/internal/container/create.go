package container

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/containers/podman/v5/libpod/define"
	"github.com/containers/podman/v5/pkg/bindings/containers"

	"github.com/containerpub/cpub/plugins/podman/internal/cgroup"
	"github.com/containerpub/cpub/plugins/podman/internal/client"
	"github.com/containerpub/cpub/plugins/podman/internal/owner"
	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/contract"
)

// create makes the container, proves its limits, and starts it. Where that fails since a sidecar is gone, it tells of the sidecar.
func (a *run) create(ctx context.Context) (*inspected, error) {
	state, info, err := a.prepare(ctx)
	if err == nil {
		state, err = a.start(ctx, state.pid, info)
	}
	if known := new(sdk.Error); err == nil || errors.As(err, &known) && known.Code == sdk.CodeSidecar || ctx.Err() != nil {
		return state, err
	}
	if dead := a.endedBefore(ctx, time.Now()); dead != nil {
		return nil, dead
	}
	return nil, err
}

// prepare makes the container and proves its limits: all but its code's start. Its sidecars run then.
func (a *run) prepare(ctx context.Context) (*inspected, *define.Info, error) {
	imageID, err := a.resolveImage(ctx)
	if err != nil {
		return nil, nil, err
	}
	if err := a.pullSidecars(ctx); err != nil {
		return nil, nil, err
	}
	a.req.Progress(sdk.Progress{Message: "creating the container"})
	info, err := a.Client.Info(ctx)
	if err != nil {
		return nil, nil, err
	}
	if err := a.startSidecars(ctx, info); err != nil {
		return nil, nil, err
	}
	p, err := a.plan(ctx, imageID, info)
	if err != nil {
		return nil, nil, err
	}
	if err := a.make(ctx, p); err != nil {
		return nil, nil, err
	}
	if err := a.initialise(ctx); err != nil {
		return nil, nil, err
	}
	state, err := a.inspect(ctx)
	if err != nil {
		return nil, nil, err
	}
	var limits contract.Limits
	var group cgroup.Group
	err = client.Retry(ctx, outage, func() (err error) {
		limits, group, err = a.readBack(ctx, p.expects(), state, info)
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	if err := a.proveExtras(ctx, state, info); err != nil {
		return nil, nil, err
	}
	a.watch = newWatch(ctx, limits, group)
	if err := a.save(func(c *checkpoint) {
		a.times.save(c)
		c.Limits, c.CPUTime, c.CPUThrottled = limits, a.watch.start.CPUTime, a.watch.start.CPUThrottled
	}); err != nil {
		return nil, nil, err
	}
	return state, info, nil
}

// resolveImage gives the id of the image to run, pulling it where needed.
func (a *run) resolveImage(ctx context.Context) (string, error) {
	located, reference, err := a.in.image()
	if err != nil {
		return "", err
	}
	if located != nil {
		return a.Images.Local(ctx, "image", *located)
	}
	begin := time.Now()
	got, err := a.Images.Pull(ctx, a.req, "image", reference, "missing")
	a.times.pull = time.Since(begin)
	return got.ID, err
}

func (a *run) plan(ctx context.Context, imageID string, info *define.Info) (p plan, err error) {
	p = plan{
		name: a.name(), imageID: imageID, init: true, unconfined: a.in.Seccomp == seccompUnconfined, sidecar: a.sidecar, joined: a.joined,
	}
	if a.joined.container != "" {
		p.userns = a.joined.userns()
	} else if p.userns, p.idMappings, err = a.userNamespace(ctx, info.Host.Security.Rootless); err != nil {
		return p, err
	}
	host, err := a.Client.Host()
	if err != nil {
		return p, nil //nolint:nilerr // a group that nobody of us could remove is not made
	}
	if p.rlimits, err = rlimits(ctx, host); err != nil {
		return p, err
	}
	asked, err := a.in.ulimits()
	if err != nil {
		return p, err
	}
	p.rlimits = withUlimits(p.rlimits, asked)
	if err := a.in.checkSELinux(info); err != nil {
		return p, err
	}
	if p.mounted, err = a.fileSystem(ctx, info); err != nil {
		return p, err
	}
	if !info.Host.Security.Rootless {
		p.cgroupParent = a.parent(info.Host.CgroupManager)
	}
	return p, nil
}

// parent is the cgroup that a key's container lies in: ours, so that its counters can be read after the container's own
// group is gone. Its path is the same in every hierarchy.
func parent(key, manager string) string {
	if manager == "systemd" {
		return "cpub-" + owner.Short(key) + ".slice"
	}
	return "/cpub/" + owner.Short(key)
}

// make makes the container with its volumes and the files in it.
func (a *run) make(ctx context.Context, p plan) (err error) {
	if err := a.makeVolumes(ctx, p.mounted); err != nil {
		return err
	}
	profile, remove, err := a.profile()
	if err != nil {
		return err
	}
	p.seccomp = profile
	if err := errors.Join(a.createWith(ctx, p), remove()); err != nil {
		return err
	}
	return a.putFiles(ctx, p.mounted.puts)
}

// createWith creates the container, without an init where the host has none. A container under that name, which only another
// attempt of the same key can have made, is an error that is tried again.
func (a *run) createWith(ctx context.Context, p plan) error {
	err := a.tryCreate(ctx, p)
	if err != nil && strings.Contains(err.Error(), "container-init binary not found") {
		a.req.Logf("warning: the host has no init for containers (install catatonit): zombies are not reaped")
		p.init = false
		err = a.tryCreate(ctx, p)
	}
	return err
}

func (a *run) tryCreate(ctx context.Context, p plan) error {
	call, cancel := a.Client.Context(ctx)
	defer cancel()
	s := specification(a.req, a.in, p)
	if a.shell != nil {
		asShell(s, a.shell)
	}
	if _, err := containers.CreateWithSpec(call, s, nil); err != nil {
		return a.classify(fmt.Errorf("creating the container: %w", err))
	}
	return nil
}

// initialise brings the container up to the point before its code: its namespaces and cgroups are there.
func (a *run) initialise(ctx context.Context) error {
	call, cancel := a.Client.Context(ctx)
	defer cancel()
	if err := containers.ContainerInit(call, a.name(), nil); err != nil {
		return a.classify(fmt.Errorf("preparing the container: %w", err))
	}
	return nil
}

// classify says of an error of create, init or start whether it is the author's: then no retry can help.
func (a *run) classify(err error) error {
	text := err.Error()
	for _, c := range []struct{ sign, attr string }{
		{"executable file not found", "command"},
		{"no command or entrypoint provided", "command"},
		{"no such file or directory: OCI runtime attempted to invoke a command", "command"},
		{"OCI runtime attempted to invoke a command that was not found", "command"},
		{"permission denied: OCI permission denied", "command"},
		{"unable to find user", "user"},
		{"no matching entries in passwd", "user"},
		{"invalid capability", "cap_add"},
		{"unknown capability", "cap_add"},
		{"workdir", "workdir"},
		{"network not found", "network"},
		{"unable to find network", "network"},
		{"minimum memory limit allowed", "memory"},
		{"cannot find mappings for user", "userns"},
		{"not enough unused IDs in user namespace", "userns"},
		{"setting rlimit", "ulimits"},
		{"seccomp", "seccomp"},
	} {
		if strings.Contains(text, c.sign) {
			if c.attr == "ulimits" {
				err = fmt.Errorf("a limit is more than Podman's service may give on this host (%s): %w", a.in.ulimitText(), err)
			}
			return sdk.Invalidf(c.attr, "%w", err)
		}
	}
	return err
}
