package container

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"sync"

	"github.com/containers/podman/v5/libpod/define"
	"github.com/containers/podman/v5/pkg/specgen"

	"github.com/containerpub/cpub/plugins/podman/internal/client"
	"github.com/containerpub/cpub/plugins/podman/internal/owner"
	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/contract"
	"github.com/containerpub/cpub/sdk/schema"
)

// Sidecars are containers that join the namespaces of the first of them, as does the step's own: its network, and its user namespace, which
// the network belongs to. That needs no pod, and so no image for a pod's infra container, which an offline host may not have and which nobody
// would have allowed; and what holds the namespaces is one of those that the step cannot do without anyway.

// sidecar is a sidecar under way. Its container is made and followed by the same code as the step's own, as a run with a name.
type sidecar struct {
	*run

	state  *inspected
	logs   *follower
	output *tail
}

// isSidecarName tells what a sidecar may be called: it becomes a part of its container's name.
var isSidecarName = regexp.MustCompile(`^[a-z0-9]([a-z0-9_-]{0,30}[a-z0-9])?$`).MatchString

// settleSidecars reads the sidecars' inputs over their defaults. What they share with the step's container is as it is there.
func (in *Input) settleSidecars() error {
	in.sidecars = map[string]Input{}
	for _, name := range slices.Sorted(maps.Keys(in.Sidecar)) {
		path := "sidecar." + name
		if !isSidecarName(name) {
			return sdk.Invalidf(path, "a sidecar's name has at most 32 lower-case letters, digits, - and _, and begins and ends with a letter or digit")
		}
		side, err := decodeInput(in.Sidecar[name])
		if err != nil {
			return ofSidecar(name, err)
		}
		side.Network, side.Userns, side.Grace, side.AllowUnenforcedLimits = in.Network, in.Userns, in.Grace, in.AllowUnenforcedLimits
		// They end with the step's container; this is for the case that nobody is left to end them.
		side.TimeLimit = in.TimeLimit
		for _, h := range in.healthchecks() {
			side.TimeLimit += schema.Duration(h.patience())
		}
		in.sidecars[name] = side
	}
	return nil
}

// ofSidecar says of an error that it is about a sidecar: an author's mistake is in its block.
func ofSidecar(name string, err error) error {
	var e *sdk.Error
	if errors.As(err, &e) && e.Kind == sdk.KindInvalid {
		return sdk.Invalidf("sidecar."+name+"."+e.Attr, "sidecar %q: %w", name, e.Err)
	}
	return fmt.Errorf("sidecar %q: %w", name, err)
}

// healthchecks are those of the sidecars.
func (in *Input) healthchecks() []*Healthcheck {
	var all []*Healthcheck
	for _, raw := range in.Sidecar {
		var s struct{ Healthcheck *Healthcheck }
		if json.Unmarshal(raw, &s) == nil && s.Healthcheck != nil && s.Healthcheck.settle("") == nil {
			all = append(all, s.Healthcheck)
		}
	}
	return all
}

// joined is what the containers of a step share: the namespaces of its first sidecar.
type joined struct {
	container string // by name; empty: there is none
	net       string // as /proc has it
	user      bool   // a user namespace too
}

// userns is the user namespace of a container that joins.
func (j joined) userns() specgen.Namespace {
	if j.user {
		return specgen.Namespace{NSMode: specgen.FromContainer, Value: j.container}
	}
	return specgen.Namespace{NSMode: specgen.Host}
}

// join puts a container into the network.
func (j joined) join(s *specgen.SpecGenerator) {
	if j.container != "" && s.NetNS.NSMode != specgen.Host {
		s.NetNS, s.Networks = specgen.Namespace{NSMode: specgen.FromContainer, Value: j.container}, nil
	}
}

// sidecarOf is a sidecar that is not made yet.
func (a *run) sidecarOf(name string) *sidecar {
	side := &run{Runner: a.Runner, req: a.req, in: a.in.sidecars[name], sidecar: name, freeIDs: func() {}}
	return &sidecar{run: side, output: newTail(a.req, name)}
}

// pullSidecars finds the images of all sidecars before the first one starts.
func (a *run) pullSidecars(ctx context.Context) error {
	for _, name := range slices.Sorted(maps.Keys(a.in.sidecars)) {
		s := a.sidecarOf(name)
		var err error
		if s.imageID, err = s.resolveImage(ctx); err != nil {
			return ofSidecar(name, err)
		}
		a.times.pull += s.times.pull
		a.sidecars = append(a.sidecars, s)
	}
	return nil
}

// startSidecars starts the sidecars, and waits until all of them are well. On failure those that were made are there.
func (a *run) startSidecars(ctx context.Context, info *define.Info) error {
	for _, s := range a.sidecars {
		a.req.Progress(sdk.Progress{Message: "starting the sidecar " + s.sidecar})
		s.joined = a.joined
		if err := s.begin(ctx, info); err != nil {
			return ofSidecar(s.sidecar, err)
		}
		a.joined = s.joined
	}
	a.watchSidecars(ctx)
	return a.awaitSidecars(ctx)
}

// begin makes the sidecar, proves its limits and starts it, as create does the step's own container.
func (s *sidecar) begin(ctx context.Context, info *define.Info) error {
	p, err := s.plan(ctx, s.imageID, info)
	if err != nil {
		return err
	}
	if err := s.createWith(ctx, p); err != nil {
		return err
	}
	if err := s.initialise(ctx); err != nil {
		return err
	}
	if s.state, err = s.inspect(ctx); err != nil {
		return err
	}
	if _, _, err := s.readBack(ctx, p.expects(), s.state, info); err != nil {
		return err
	}
	if s.joined.container == "" {
		if err := s.hold(ctx, p); err != nil {
			return err
		}
	}
	s.state, err = s.start(ctx, s.state.pid, info)
	return err
}

// hold makes this sidecar the one whose namespaces the others join.
func (s *sidecar) hold(ctx context.Context, p plan) error {
	s.joined = joined{container: s.name(), user: p.userns.NSMode != specgen.Host}
	host, err := s.Client.Host()
	if err != nil || s.in.Network == "host" {
		return nil //nolint:nilerr // readBack has said so, and was overruled
	}
	s.joined.net, err = host.Readlink(ctx, fmt.Sprintf("/proc/%d/ns/net", s.state.pid))
	return err
}

// adoptSidecars takes over the sidecars of an earlier attempt.
func (a *run) adoptSidecars(ctx context.Context) error {
	for _, name := range slices.Sorted(maps.Keys(a.in.sidecars)) {
		s := a.sidecarOf(name)
		state, err := s.inspect(ctx)
		switch {
		case client.NotFound(err):
			s.state = &inspected{status: "removing"}
			a.raise(contract.EndedBySidecar, s.failed(ctx, "its container was removed"))
		case err != nil:
			return ofSidecar(name, err)
		default:
			s.state = state
		}
		a.sidecars = append(a.sidecars, s)
	}
	a.watchSidecars(ctx)
	return nil
}

// endSidecars stops the sidecars, unless they shall go on without this attempt: SIGTERM, and SIGKILL when the grace is over. They stay until
// their step's container is removed, which their namespaces belong to as well.
func (a *run) endSidecars(ctx context.Context) error {
	a.unwatch()
	if errors.Is(context.Cause(ctx), sdk.ErrDetached) {
		return nil
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), a.in.Grace.Std()+cleanupTime)
	defer cancel()
	errs := make([]error, len(a.sidecars))
	var all sync.WaitGroup
	for i, s := range a.sidecars {
		all.Go(func() { errs[i] = s.stop(ctx) })
	}
	all.Wait()
	return errors.Join(errs...)
}

// stop stops one sidecar, and takes the rest of its log.
func (s *sidecar) stop(ctx context.Context) error {
	gone, stop := s.exitOf(s.state.pid)
	defer stop()
	if !s.state.ended() {
		if _, err := s.halt(ctx, gone); err != nil && !client.NotFound(err) {
			return fmt.Errorf("stopping the sidecar %q: %w", s.sidecar, err)
		}
	}
	_ = s.logs.finish(ctx, false)
	_ = s.logs.read(ctx, false, s.logs.tell) // what is not there any more is of nobody's interest
	s.output.flush()
	return nil
}

// closeSidecars ends what this attempt does with its sidecars.
func (a *run) closeSidecars() {
	a.unwatch()
	for _, s := range a.sidecars {
		if s.logs != nil {
			s.logs.cancel()
			<-s.logs.done
		}
		s.freeIDs()
	}
}

// parent is the cgroup that the run's container lies in.
func (a *run) parent(manager string) string {
	if a.sidecar != "" {
		return sidecarParent(a.req.Key, manager)
	}
	return parent(a.req.Key, manager)
}

// sidecarParent is the cgroup that the sidecars of a key lie in: beside the one of its container, so that this one's counters are the
// container's alone.
func sidecarParent(key, manager string) string {
	if manager == "systemd" {
		return "cpub-" + owner.Short(key) + sidecarsOf + ".slice"
	}
	return "/cpub/" + owner.Short(key) + sidecarsOf
}

// sidecarsOf ends the name of that cgroup.
const sidecarsOf = "_sidecars"
