package pod

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/containers/podman/v5/libpod/define"
	"github.com/containers/podman/v5/pkg/domain/entities/types"

	"github.com/containerpub/cpub/sdk"
)

// Output is podman_pod's output.
type Output struct {
	Pod        *sdk.Located      `json:"pod"`
	Name       string            `json:"name"`
	Ports      []Port            `json:"ports"`
	Containers map[string]string `json:"containers"`
	Changed    bool              `json:"changed"`
}

func (a *attempt) outputs(ctx context.Context) (any, error) {
	found, err := a.inspect(ctx, a.name)
	if err != nil {
		return nil, err
	}
	located := a.Images.Located(found.ID)
	out := Output{Pod: &located, Name: found.Name, Containers: a.ids(found), Changed: a.changed, Ports: []Port{}}
	if found.InfraConfig != nil {
		if out.Ports, err = Published(found.InfraConfig.PortBindings); err != nil {
			return nil, err
		}
	}
	return out, nil
}

// ids are the containers' ids, by their names in the step.
func (a *attempt) ids(p *types.PodInspectReport) map[string]string {
	ids := map[string]string{}
	for _, m := range a.members {
		if i := slices.IndexFunc(p.Containers, named(m.Name())); i >= 0 {
			ids[m.short] = p.Containers[i].ID
		}
	}
	return ids
}

// Published reads what Podman has published, sorted.
func Published(bindings map[string][]define.InspectHostPort) ([]Port, error) {
	ports := []Port{}
	for _, key := range slices.Sorted(maps.Keys(bindings)) {
		number, protocol, _ := strings.Cut(key, "/")
		inside, err := strconv.ParseUint(number, 10, 16)
		for _, b := range bindings[key] {
			outside, err2 := strconv.ParseUint(b.HostPort, 10, 16)
			if err := errors.Join(err, err2); err != nil {
				return nil, fmt.Errorf("reading the published port %s: %w", key, err)
			}
			ports = append(ports, Port{HostIP: b.HostIP, HostPort: uint16(outside), ContainerPort: uint16(inside), Protocol: protocol})
		}
	}
	return ports, nil
}
