package pod

import (
	"context"
	"encoding/json"
	"errors"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/containers/podman/v5/pkg/specgen"

	"github.com/containerpub/cpub/plugins/podman/internal/client"
	"github.com/containerpub/cpub/plugins/podman/internal/container"
	"github.com/containerpub/cpub/plugins/podman/internal/image"
	"github.com/containerpub/cpub/plugins/podman/internal/owner"
	"github.com/containerpub/cpub/plugins/podman/steps"
	"github.com/containerpub/cpub/sdk"
)

// cleanupTime is how long removing what an attempt made, and starting what it replaced, may take after its own context has ended.
const cleanupTime = time.Minute

// Runner runs pods on one Podman service. It is safe for concurrent use: steps about one name wait for one another.
type Runner struct {
	Client     *client.Client
	Images     *image.Store
	Containers *container.Runner

	names names
}

// attempt is one attempt at one pod.
type attempt struct {
	*Runner
	req     *sdk.Request
	in      Input
	name    string // in Podman
	digest  string
	timers  bool // whether Podman can run healthchecks by itself
	members []*member
	changed bool
}

// member is one container of a pod.
type member struct {
	*container.Detached
	short  string // its name in the step
	health *Health
	mounts []Mount
}

// Run carries out one attempt of podman_pod. What an attempt that was lost had come to is gone on with: the pod's name tells what was asked for. A
// failure and a cancel remove what was made, and start again what was replaced; when the host detaches, all stays as it is.
func (r *Runner) Run(ctx context.Context, req *sdk.Request) (any, error) {
	in, err := decode(req)
	if err != nil {
		return nil, err
	}
	done, err := r.names.take(ctx, in.Name)
	if err != nil {
		return nil, err
	}
	defer done()
	a := &attempt{Runner: r, req: req, in: in}
	out, err := a.do(ctx)
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return nil, err
	}
	return out, nil
}

func (a *attempt) do(ctx context.Context) (any, error) {
	if err := a.refuseForeign(ctx, a.in.Name); err != nil {
		return nil, err
	}
	if a.in.State == steps.Absent {
		return a.remove(ctx)
	}
	if err := a.plan(ctx); err != nil {
		return nil, err
	}
	if out, err := a.asItIs(ctx); err != nil || out != nil {
		return out, err
	}
	old, err := a.replaced(ctx)
	if err != nil {
		return nil, err
	}
	out, err := a.replace(ctx, old)
	if err != nil && !errors.Is(context.Cause(ctx), sdk.ErrDetached) {
		err = errors.Join(err, a.undo(ctx, old))
	}
	return out, err
}

// plan plans the pod's containers, pulling their images, and names the pod by what was asked for.
func (a *attempt) plan(ctx context.Context) error {
	parts := []any{a.in.Network, a.in.Share, a.in.Userns, a.in.Restart, a.in.Grace, a.in.Labels, a.in.Ports}
	for _, short := range slices.Sorted(maps.Keys(a.in.Containers)) {
		m, err := a.member(ctx, short)
		if err != nil {
			return Within("container."+short, err)
		}
		a.members = append(a.members, m)
		in := m.Input()
		in.Image = nil // by its id: what a reference means changes
		parts = append(parts, short, m.ImageID(), in, m.health, m.mounts)
	}
	if ns, _ := a.members[0].Userns(); slices.Contains(a.in.Share, "ipc") && ns.NSMode != specgen.Host && !a.Client.AtLeast(5, 0) {
		return sdk.Invalidf("share", "Podman %s cannot remove a pod that shares ipc in a user namespace (it leaves a mount behind): leave ipc out, or use Podman 5",
			a.Client.Version())
	}
	var err error
	if a.digest, err = Digest(parts...); err != nil {
		return err
	}
	a.name = a.in.Name + "-" + a.digest[:8]
	for _, m := range a.members {
		m.As(a.name + "-" + m.short)
	}
	a.timers = Timers(ctx, a.Client)
	return nil
}

func (a *attempt) member(ctx context.Context, short string) (*member, error) {
	var fields map[string]any
	if err := json.Unmarshal(a.in.Containers[short], &fields); err != nil {
		return nil, sdk.Invalidf("", "reading the container: %w", err)
	}
	// What the pod says of all.
	fields["network"], fields["allow_unenforced_limits"] = a.in.Network, a.in.AllowUnenforcedLimits
	if a.in.Userns != "" {
		fields["userns"] = a.in.Userns
	}
	input, err := json.Marshal(fields)
	if err != nil {
		return nil, sdk.Invalidf("", "reading the container: %w", err)
	}
	health, err := ReadHealth(input)
	if err != nil {
		return nil, err
	}
	mounts, err := ReadMounts(input)
	if err != nil {
		return nil, err
	}
	d, err := a.Containers.Detach(ctx, a.req, a.in.Name, input)
	if err != nil {
		return nil, err
	}
	return &member{Detached: d, short: short, health: health, mounts: mounts}, nil
}

// Within puts the path of a block in front of the attribute that an error is about.
func Within(path string, err error) error {
	var e *sdk.Error
	if !errors.As(err, &e) || e.Kind != sdk.KindInvalid {
		return err
	}
	inner := *e
	inner.Attr = path
	if e.Attr != "" {
		inner.Attr += "." + e.Attr
	}
	return &inner
}

// Timers tells whether systemd runs on the service's host, so that Podman can run healthchecks by itself.
func Timers(ctx context.Context, c *client.Client) bool {
	host, err := c.Host()
	if err != nil {
		return false
	}
	_, err = host.ReadDir(ctx, "/run/systemd/system")
	return err == nil
}

// labels are those of the pod and of its containers.
func (a *attempt) labels() map[string]string {
	labels := owner.Labels(a.req, a.in.Labels)
	labels[owner.LabelPod], labels[owner.LabelSpec] = a.in.Name, a.digest
	return labels
}

// names lets one step at a time work on a name. The zero value is ready.
type names struct {
	mu    sync.Mutex
	taken map[string]chan struct{}
}

// take waits for a name and takes it. Call done to give it back.
func (n *names) take(ctx context.Context, name string) (done func(), err error) {
	for {
		n.mu.Lock()
		busy, ok := n.taken[name]
		if !ok {
			if n.taken == nil {
				n.taken = map[string]chan struct{}{}
			}
			mine := make(chan struct{})
			n.taken[name] = mine
			n.mu.Unlock()
			return func() {
				n.mu.Lock()
				defer n.mu.Unlock()
				delete(n.taken, name)
				close(mine)
			}, nil
		}
		n.mu.Unlock()
		select {
		case <-busy:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}
