package service

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/containers/podman/v5/pkg/bindings/containers"

	"github.com/containerpub/cpub/plugins/podman/internal/client"
	"github.com/containerpub/cpub/plugins/podman/internal/container"
	"github.com/containerpub/cpub/plugins/podman/internal/image"
	"github.com/containerpub/cpub/plugins/podman/internal/owner"
	"github.com/containerpub/cpub/plugins/podman/internal/pod"
	"github.com/containerpub/cpub/plugins/podman/steps"
	"github.com/containerpub/cpub/sdk"
)

// Runner makes services of one Podman. It is safe for concurrent use: one rollout after the other.
type Runner struct {
	Client     *client.Client
	Images     *image.Store
	Containers *container.Runner
	// Host is where services are made; nil: it is found.
	Host *Host

	rollout sync.Mutex // systemd reads all units again at each: they would disturb one another
}

// attempt is one attempt at one service.
type attempt struct {
	*Runner
	req       *sdk.Request
	in        Input
	host      Host
	container *container.Detached
	health    *pod.Health
	digest    string
	text      string
	changed   bool
}

// Output is podman_service's output.
type Output struct {
	Unit      string   `json:"unit"`
	State     string   `json:"state"`
	File      string   `json:"file"`
	Addresses []string `json:"addresses"`
	Changed   bool     `json:"changed"`
}

// Run carries out one attempt of podman_service. An attempt that was lost is gone on with: the file tells what was asked for, and the one that it
// replaced lies beside it until the rollout is over.
func (r *Runner) Run(ctx context.Context, req *sdk.Request) (any, error) {
	in, err := decode(req)
	if err != nil {
		return nil, err
	}
	a := &attempt{Runner: r, req: req, in: in}
	if r.Host != nil {
		a.host = *r.Host
	} else if a.host, err = Find(ctx, r.Client); err != nil {
		return nil, err
	}
	r.rollout.Lock()
	defer r.rollout.Unlock()
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
	if err := a.refuseForeign(ctx); err != nil {
		return nil, err
	}
	if a.in.State == steps.Absent {
		return a.remove(ctx)
	}
	if err := a.plan(ctx); err != nil {
		return nil, err
	}
	old, err := read(a.host.file(a.in.Name))
	if err != nil {
		return nil, fmt.Errorf("reading the service's file: %w", err)
	}
	if old == a.text {
		if out, err := a.asItIs(ctx); err != nil || out != nil {
			return out, err
		}
	}
	if err := a.prove(ctx); err != nil {
		return nil, err
	}
	if _, err := a.host.check(ctx, a.req.Scratch, a.in.Name, a.text); err != nil {
		return nil, err
	}
	return a.roll(ctx, old)
}

// plan plans the container and writes the file's text.
func (a *attempt) plan(ctx context.Context) (err error) {
	if a.health, err = pod.ReadHealth(a.req.Input); err != nil {
		return err
	}
	mounts, err := pod.ReadMounts(a.req.Input)
	if err != nil {
		return err
	}
	if a.container, err = a.Containers.Detach(ctx, a.req, a.in.Name, a.req.Input); err != nil {
		return err
	}
	spec := a.container.Specification(nil)
	u := &unit{
		name: a.in.Name, spec: spec, in: a.in, health: a.health, mounts: mounts, wantedBy: a.in.WantedBy,
		description: "ContainerPub's service " + a.in.Name,
	}
	u.in.Pids = a.container.Input().Pids
	if len(u.wantedBy) == 0 {
		u.wantedBy = []string{"multi-user.target"}
		if a.host.User {
			u.wantedBy = []string{"default.target"}
		}
	}
	// The text without what differs from run to run names what was asked for, and is what the same input gives again.
	u.image, u.labels = a.container.ImageID(), a.in.Labels
	plain, err := u.text()
	if err != nil {
		return err
	}
	if a.digest, err = pod.Digest(plain); err != nil {
		return err
	}
	u.image = image.ServiceImage(a.in.Name, a.digest)
	if a.in.AutoUpdate != "" {
		if err := json.Unmarshal(a.in.Image, &u.image); err != nil {
			return sdk.Invalidf("image", "reading the image: %w", err)
		}
	}
	u.labels = map[string]string{}
	for name, value := range a.in.Labels {
		u.labels[name] = value
	}
	u.labels[owner.LabelService], u.labels[owner.LabelSpec] = a.in.Name, a.digest
	a.text, err = u.text()
	return err
}

// prove makes a container of the same confinement, proves it, and removes it: so that no code ever runs as a service which the host does not confine.
func (a *attempt) prove(ctx context.Context) (err error) {
	a.req.Progress(sdk.Progress{Message: "proving the limits"})
	name := owner.Name(a.req.Key)
	defer func() {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		err = errors.Join(err, a.Containers.Remove(ctx, a.req.Key))
		a.container.As(a.in.Name)
	}()
	if err := a.Containers.Remove(ctx, a.req.Key); err != nil {
		return err
	}
	a.container.As(name)
	s := a.container.Specification(owner.Labels(a.req, nil))
	s.HealthConfig = a.health.Config(false)
	if err := a.container.Create(ctx, s); err != nil {
		return err
	}
	_, err = a.container.Prepare(ctx)
	return err
}

// unit is the service's unit.
func (a *attempt) unit() string { return a.in.Name + ".service" }

// refuseForeign refuses a name that a file, a unit or a container has which is not ours.
func (a *attempt) refuseForeign(ctx context.Context) error {
	file := a.host.file(a.in.Name)
	text, err := read(file)
	if err != nil {
		return fmt.Errorf("reading the service's file: %w", err)
	}
	if text != "" && !strings.HasPrefix(text, marker+a.in.Name+";") {
		return sdk.Permanentf("%s is there and no step made it: it is not touched; give the service another name, or remove the file by hand", file)
	}
	unit, err := a.host.Manager.Unit(ctx, a.unit())
	if err != nil {
		return err
	}
	if unit.Load != "not-found" && unit.Source != file {
		return sdk.Permanentf("there is a unit %s that no step made (of %q): it is not touched; give the service another name", a.unit(), unit.Source)
	}
	call, cancel := a.Client.Context(ctx)
	defer cancel()
	c, err := containers.Inspect(call, a.in.Name, nil)
	if client.NotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("looking for the container %s: %w", a.in.Name, err)
	}
	if c.Config.Labels[owner.LabelService] != a.in.Name {
		return sdk.Permanentf("there is a container %q that is no service's: it is not touched; give the service another name, or remove it by hand", a.in.Name)
	}
	return nil
}

func (a *attempt) output(state string) Output {
	out := Output{Unit: a.unit(), State: state, File: a.host.file(a.in.Name), Addresses: []string{}, Changed: a.changed}
	for _, p := range a.in.Ports {
		out.Addresses = append(out.Addresses, address(p))
	}
	return out
}
