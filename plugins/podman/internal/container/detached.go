package container

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/containers/podman/v5/pkg/bindings/containers"
	"github.com/containers/podman/v5/pkg/specgen"
	nettypes "go.podman.io/common/libnetwork/types"
	"go.podman.io/storage/types"

	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/contract"
)

// Detached is a container that outlives its step: one of a pod, or of a service. It is confined as container_run's are, and proven to be; only
// its end is nobody's business here. It is not safe for concurrent use.
type Detached struct {
	run  *run
	plan plan
}

// Detach plans a container under a name that is unique in the store. The input is JSON with the attributes of container_run; those that are about
// a container's end have no effect. The image is pulled where needed, and a host that is known not to enforce limits is refused.
func (r *Runner) Detach(ctx context.Context, req *sdk.Request, name string, input json.RawMessage) (*Detached, error) {
	sub := *req
	sub.Input = input
	in, err := Decode(&sub)
	if err != nil {
		return nil, err
	}
	if err := Enforceable(ctx, r.Client, in.AllowUnenforcedLimits); err != nil {
		return nil, err
	}
	d := &Detached{run: &run{Runner: r, req: req, in: in, detached: name, freeIDs: func() {}}}
	imageID, err := d.run.resolveImage(ctx)
	if err != nil {
		return nil, err
	}
	info, err := r.Client.Info(ctx)
	if err != nil {
		return nil, err
	}
	if d.plan, err = d.run.plan(ctx, imageID, info); err != nil {
		return nil, err
	}
	d.plan.name, d.plan.cgroupParent = name, ""
	return d, nil
}

// As gives the container another name; which ids it has goes on to depend on the first one.
func (d *Detached) As(name string) { d.plan.name = name }

// Name is the container's name.
func (d *Detached) Name() string { return d.plan.name }

// ImageID is the image's id.
func (d *Detached) ImageID() string { return d.plan.imageID }

// Userns is the container's user namespace, with the host's ids that it has.
func (d *Detached) Userns() (specgen.Namespace, *types.IDMappingOptions) {
	return d.plan.userns, d.plan.idMappings
}

// Input is what was asked for, with the defaults of what was left out.
func (d *Detached) Input() Input { return d.run.in }

// Specification is the container as Podman is asked for it: in no pod, without a healthcheck, not restarted.
func (d *Detached) Specification(labels map[string]string) *specgen.SpecGenerator {
	s := specification(d.run.req, d.run.in, d.plan)
	s.Timeout = 0
	s.Labels = labels
	return s
}

// Create creates the container, without an init where the host has none.
func (d *Detached) Create(ctx context.Context, s *specgen.SpecGenerator) error {
	call, cancel := d.run.Client.Context(ctx)
	defer cancel()
	_, err := containers.CreateWithSpec(call, s, nil)
	if err != nil && strings.Contains(err.Error(), "container-init binary not found") {
		d.run.req.Logf("warning: the host has no init for containers (install catatonit): zombies are not reaped")
		no := false
		s.Init = &no
		_, err = containers.CreateWithSpec(call, s, nil)
	}
	if err != nil {
		return d.run.classify(fmt.Errorf("creating the container %s: %w", d.plan.name, err))
	}
	return nil
}

// Prepare brings the container up to the point before its code, and proves what confines it.
func (d *Detached) Prepare(ctx context.Context) (contract.Limits, error) {
	call, cancel := d.run.Client.Context(ctx)
	defer cancel()
	if err := containers.ContainerInit(call, d.plan.name, nil); err != nil {
		return contract.Limits{}, d.run.classify(fmt.Errorf("preparing the container %s: %w", d.plan.name, err))
	}
	return d.Prove(ctx, false)
}

// Prove reads back what confines the container, and refuses what was not asked for. started tells that its code runs.
func (d *Detached) Prove(ctx context.Context, started bool) (contract.Limits, error) {
	info, err := d.run.Client.Info(ctx)
	if err != nil {
		return contract.Limits{}, err
	}
	call, cancel := d.run.Client.Context(ctx)
	defer cancel()
	state, err := containers.Inspect(call, d.plan.name, new(containers.InspectOptions).WithSize(false))
	if err != nil {
		return contract.Limits{}, fmt.Errorf("inspecting the container %s: %w", d.plan.name, err)
	}
	want := d.plan.expects()
	want.started = started
	limits, _, err := d.run.readBack(ctx, want, stateOf(state), info)
	return limits, err
}

// Classify says of an error of starting the container whether it is the author's.
func (d *Detached) Classify(err error) error { return d.run.classify(err) }

// Network is the namespace, and the networks, that a value of the attribute `network` means.
func Network(value string) (specgen.Namespace, map[string]nettypes.PerNetworkOptions) {
	return network(value)
}
