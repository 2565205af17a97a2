package doctor

import (
	"go.podman.io/common/pkg/config"

	"github.com/containerpub/cpub/plugins/podman/internal/client"
)

// machineOf is the `podman machine` that a connection leads to; empty for none. Podman keeps a connection for each one it makes.
func machineOf(t client.Target) string {
	c, err := config.New(nil)
	if err != nil {
		return ""
	}
	all, err := c.GetAllConnections()
	if err != nil {
		return ""
	}
	for _, each := range all {
		if each.IsMachine && each.URI == t.URI {
			return each.Name
		}
	}
	return ""
}
