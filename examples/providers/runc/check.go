//go:build linux

package runc

import (
	"context"
	"fmt"
	"os"

	"github.com/containerpub/cpub/examples/providers/runc/image"
	"github.com/containerpub/cpub/sdk"
)

// Check looks at what the provider needs of its host.
func (p *Provider) Check(context.Context) ([]sdk.Finding, error) {
	root := sdk.Finding{Name: "runc_root", OK: os.Geteuid() == 0, Detail: fmt.Sprintf("the worker runs as user %d", os.Geteuid())}
	if !root.OK {
		root.Remedy = "run the worker as root: this provider has no rootless mode (the provider podman has)"
	}
	return []sdk.Finding{
		root, program("runc_runtime", p.settings.Runc, "runc"), program("runc_init", p.settings.Init, "catatonit"), namespace(),
	}, nil
}

// program looks for a program that a Debian package has.
func program(name, path, pkg string) sdk.Finding {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() || info.Mode()&0o111 == 0 {
		return sdk.Finding{
			Name: name, Detail: path + " is not there, or no program",
			Remedy: fmt.Sprintf("apt-get install %s, or name another in the config block of worker.hcl", pkg),
		}
	}
	return sdk.Finding{Name: name, OK: true, Detail: path}
}

// namespace tells whether containers have user namespaces, without which they run with less protection.
func namespace() sdk.Finding {
	const name = "runc_subids"
	shift, err := image.HostShift()
	switch {
	case err != nil:
		return sdk.Finding{Name: name, Detail: err.Error(), Remedy: "write each line as USER:FIRST:COUNT"}
	case shift == image.Shift{}:
		return sdk.Finding{
			Name: name, Warning: true, Detail: "containers have no user namespace, their root is the host's: no ids are set aside for them",
			Remedy: "`" + image.SetAside + "`",
			Fixes: []sdk.Fix{
				{Kind: sdk.FixLine, Path: "/etc/subuid", Line: image.SubIDs}, {Kind: sdk.FixLine, Path: "/etc/subgid", Line: image.SubIDs},
			},
		}
	}
	return sdk.Finding{Name: name, OK: true, Detail: fmt.Sprintf("root of a container is user %d of the host", shift.UID)}
}
