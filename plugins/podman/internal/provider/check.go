package provider

import (
	"context"
	"fmt"
	"strings"

	"github.com/containers/podman/v5/libpod/define"

	"github.com/containerpub/cpub/plugins/podman/internal/client"
	"github.com/containerpub/cpub/plugins/podman/internal/container"
	"github.com/containerpub/cpub/sdk"
)

// Check looks at Podman and its host.
func (p *Provider) Check(ctx context.Context) ([]sdk.Finding, error) {
	p.mu.Lock()
	s, settings := p.service, p.settings
	p.mu.Unlock()
	var c *client.Client
	if s != nil {
		c = s.client
	} else {
		opened, err := client.Open(ctx, settings)
		if err != nil {
			return []sdk.Finding{{
				Name: "podman_connection", Detail: err.Error(),
				Remedy: "install Podman (`apt-get install podman`), or set `connection` in the provider's configuration to a socket that answers",
			}}, nil
		}
		defer func() { _ = opened.Close() }() // nothing was changed
		c = opened
	}
	info, err := c.Info(ctx)
	if err != nil {
		return []sdk.Finding{{Name: "podman_connection", Detail: err.Error(), Remedy: "start the Podman service at " + c.URI}}, nil
	}
	findings := []sdk.Finding{
		{Name: "podman_connection", OK: true, Detail: fmt.Sprintf("Podman %s at %s (%s)", c.Version(), c.URI, c.Source)},
		version(c), limits(ctx, c), controllers(info), userNamespaces(ctx, c, info),
	}
	return append(findings, registries(c, settings.Registries)...), nil
}

// version tells whether the service may lack a fix that builds of strangers need.
func version(c *client.Client) sdk.Finding {
	f := sdk.Finding{Name: "podman_version", OK: true, Detail: "Podman " + c.Version()}
	if !c.AtLeast(4, 10) && !(c.AtLeast(4, 9) && !strings.HasPrefix(c.Version(), "4.9.0") && !strings.HasPrefix(c.Version(), "4.9.1") &&
		!strings.HasPrefix(c.Version(), "4.9.2") && !strings.HasPrefix(c.Version(), "4.9.3")) {
		f.OK = false
		f.Detail += " may lack the fix for CVE-2024-1753 (a hostile Containerfile can reach the host's files while it is built); " +
			"a distribution may have added it to an older version, which its API does not show"
		f.Remedy = "check the distribution's changelog, or upgrade to Podman 4.9.4 or newer"
	}
	return f
}

// limits tells whether limits can be enforced.
func limits(ctx context.Context, c *client.Client) sdk.Finding {
	f := sdk.Finding{Name: "podman_limits", OK: true, Detail: "limits of memory, CPU and processes can be enforced and read back"}
	if err := container.Enforceable(ctx, c, false); err != nil {
		why, remedy, _ := strings.Cut(strings.TrimPrefix(err.Error(), "the container was not started: "), "; ")
		f.OK, f.Detail, f.Remedy = false, why, remedy
	}
	return f
}

// controllers tells whether the cgroup controllers are there.
func controllers(info *define.Info) sdk.Finding {
	f := sdk.Finding{
		Name: "podman_controllers", OK: true,
		Detail: fmt.Sprintf("cgroups %s, manager %s: %s", info.Host.CgroupsVersion, info.Host.CgroupManager, strings.Join(info.Host.CgroupControllers, ", ")),
	}
	have := " " + strings.Join(info.Host.CgroupControllers, " ") + " "
	for _, want := range []string{"memory", "cpu", "pids"} {
		if !strings.Contains(have, " "+want+" ") {
			f.OK = false
			f.Remedy = "delegate the controllers to the user (`systemctl edit user@.service`: `[Service] Delegate=cpu cpuset io memory pids`), or use rootful Podman"
		}
	}
	return f
}

// userNamespaces tells whether containers get a user namespace.
func userNamespaces(ctx context.Context, c *client.Client, info *define.Info) sdk.Finding {
	f := sdk.Finding{Name: "podman_userns", OK: true, Detail: "containers run in user namespaces"}
	host, err := c.Host()
	switch {
	case info.Host.Security.Rootless:
		f.Detail = "Podman is rootless: containers run in the user's namespace"
		return f
	case err == nil:
		err = container.SubIDs(ctx, host)
	}
	if err != nil {
		f.OK, f.Detail = false, err.Error()
		f.Remedy = "set ids aside, or containers run as the host's root: `echo containers:1000000:1048576 | tee -a /etc/subuid /etc/subgid`"
	}
	return f
}
