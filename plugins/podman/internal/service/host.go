package service

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/containerpub/cpub/plugins/podman/internal/client"
	"github.com/containerpub/cpub/plugins/podman/internal/pod"
	"github.com/containerpub/cpub/sdk"
)

// Host is where services are made: a systemd, and the folder that Podman's generator reads for it.
type Host struct {
	Manager   Manager
	Folder    string
	Generator string // Podman's generator, Quadlet
	User      bool   // the systemd is a user's
}

// generators are where distributions put Quadlet.
func generators() []string {
	return []string{"/usr/libexec/podman/quadlet", "/usr/lib/podman/quadlet", "/usr/lib/systemd/system-generators/podman-system-generator"}
}

// without is the refusal where services cannot be made.
func without(format string, args ...any) error {
	return sdk.Permanentf("no service can be made: %w; a podman_pod with `restart = \"always\"` runs without it", fmt.Errorf(format, args...))
}

// Find finds the systemd of the user whose Podman it is, or says why there can be no services.
func Find(ctx context.Context, c *client.Client) (Host, error) {
	host, err := c.Host()
	if err != nil || !host.Local() {
		return Host{}, without("Podman (%s) is on another machine than the worker, which cannot write its Quadlet files", c.URI)
	}
	if !c.AtLeast(4, 4) {
		return Host{}, without("Podman %s has no Quadlet, which came with 4.4", c.Version())
	}
	if !pod.Timers(ctx, c) {
		return Host{}, without("systemd does not run on this host (there is no /run/systemd/system)")
	}
	info, err := c.Info(ctx)
	if err != nil {
		return Host{}, err
	}
	rootless, uid := info.Host.Security.Rootless, os.Getuid()
	switch {
	case rootless && uid == 0:
		return Host{}, without("Podman is a user's and the worker is root: run the worker as that user")
	case !rootless && uid != 0:
		return Host{}, without("Podman is root's and the worker is not: run the worker as root, or use the user's own Podman")
	}
	h := Host{Manager: Manager{Socket: "/run/systemd/private"}, Folder: "/etc/containers/systemd"}
	if rootless {
		home, err := os.UserHomeDir()
		if err != nil {
			return Host{}, without("the user's home is not known: %w", err)
		}
		h = Host{
			Manager: Manager{Socket: fmt.Sprintf("/run/user/%d/systemd/private", uid)},
			Folder:  filepath.Join(home, ".config", "containers", "systemd"), User: true,
		}
		if _, err := os.Stat(h.Manager.Socket); err != nil {
			return Host{}, without("the user has no systemd of its own (%w): `loginctl enable-linger` starts one", err)
		}
	}
	for _, g := range generators() {
		if _, err := os.Stat(g); err == nil {
			h.Generator = g
			return h, nil
		}
	}
	return Host{}, without("Podman's generator (Quadlet) is not installed: looked for %v", generators())
}
