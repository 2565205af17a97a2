package pod

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"github.com/containers/podman/v5/pkg/bindings/containers"
	"github.com/containers/podman/v5/pkg/bindings/pods"
	"github.com/containers/podman/v5/pkg/domain/entities/types"
	"github.com/containers/podman/v5/pkg/specgen"
	spec "github.com/opencontainers/runtime-spec/specs-go"
	nettypes "go.podman.io/common/libnetwork/types"

	"github.com/containerpub/cpub/plugins/podman/internal/client"
	"github.com/containerpub/cpub/plugins/podman/internal/container"
	"github.com/containerpub/cpub/sdk"
)

// create makes the pod and its containers, and proves what confines each before any code of theirs runs. Nothing that was there before is
// touched: what cannot be made costs nobody a running pod.
func (a *attempt) create(ctx context.Context) error {
	a.req.Progress(sdk.Progress{Message: "creating the pod " + a.name})
	call, cancel := a.Client.Context(ctx)
	defer cancel()
	if _, err := pods.CreatePodFromSpec(call, &types.PodSpec{PodSpecGen: *a.specification()}); err != nil {
		return a.classify(fmt.Errorf("creating the pod: %w", err))
	}
	for _, m := range a.members {
		if err := m.Create(ctx, a.container(m)); err != nil {
			return Within("container."+m.short, err)
		}
	}
	return nil
}

// prepare brings each container up to the point before its code, and proves what confines it.
func (a *attempt) prepare(ctx context.Context) error {
	for _, m := range a.members {
		if _, err := m.Prepare(ctx); err != nil {
			return Within("container."+m.short, a.classify(err))
		}
	}
	return nil
}

// specification is the pod as Podman is asked for it.
func (a *attempt) specification() *specgen.PodSpecGenerator {
	s := specgen.NewPodSpecGenerator()
	s.Name, s.Hostname, s.Labels = a.name, a.in.Name, a.labels()
	s.SharedNamespaces = a.in.Share
	// The limits are each container's own. A cgroup of the pod's Podman could not make where a hierarchy of cgroups v1 is missing.
	own := false
	s.ShareParent = &own
	// The containers of a pod have one user namespace.
	s.Userns, s.IDMappings = a.members[0].Userns()
	s.NetNS, s.Networks = container.Network(a.in.Network)
	for name, options := range s.Networks {
		options.Aliases = []string{a.in.Name}
		s.Networks[name] = options
	}
	for _, p := range a.in.Ports {
		s.PortMappings = append(s.PortMappings, nettypes.PortMapping{
			HostIP: p.HostIP, HostPort: p.HostPort, ContainerPort: p.ContainerPort, Protocol: p.Protocol,
		})
	}
	return s
}

// container is one container as Podman is asked for it.
func (a *attempt) container(m *member) *specgen.SpecGenerator {
	s := m.Specification(a.labels())
	s.Name, s.Pod = m.Name(), a.name
	s.Volumes = volumes(m.mounts)
	s.HealthConfig = m.health.Config(a.timers)
	s.RestartPolicy, s.RestartRetries, _ = ParseRestart(a.in.Restart) // decode has refused what it cannot read
	grace := uint(a.in.Grace.Std().Seconds())
	s.StopTimeout = &grace
	s.Networks = nil
	shared := specgen.Namespace{NSMode: specgen.FromPod}
	if s.IDMappings = nil; s.UserNS.NSMode != specgen.Host {
		s.UserNS = shared
	}
	s.NetNS = specgen.Namespace{NSMode: specgen.NoNetwork}
	for _, ns := range a.in.Share {
		switch ns {
		case "net":
			s.NetNS = shared
		case "ipc":
			s.IpcNS = shared
			s.Mounts = slices.DeleteFunc(s.Mounts, func(m spec.Mount) bool { return m.Destination == "/dev/shm" && m.Source == "shm" }) // the pod has one
		case "uts":
			s.UtsNS = shared
		}
	}
	return s
}

// start starts the containers' code.
func (a *attempt) start(ctx context.Context) error {
	a.req.Progress(sdk.Progress{Message: "starting the pod " + a.name})
	for _, m := range a.members {
		call, cancel := a.Client.Context(ctx)
		err := containers.Start(call, m.Name(), nil)
		cancel()
		if err != nil && client.Status(err) != http.StatusNotModified {
			return Within("container."+m.short, m.Classify(fmt.Errorf("starting the container %s: %w", m.Name(), err)))
		}
	}
	return nil
}

// classify says of an error whether it is the author's.
func (a *attempt) classify(err error) error {
	text := err.Error()
	for _, c := range []struct{ sign, attr string }{
		{"address already in use", "port"},
		{"port is already allocated", "port"},
		{"cannot assign requested address", "port"},
		{"network not found", "network"},
		{"unable to find network", "network"},
	} {
		if strings.Contains(text, c.sign) {
			return sdk.Invalidf(c.attr, "%w", err)
		}
	}
	return err
}
