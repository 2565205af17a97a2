//go:build linux

package runc

import (
	"context"
	"fmt"
	"os"

	"github.com/containerpub/cpub/examples/providers/runc/image"
	"github.com/containerpub/cpub/sdk"
)

// subIDs is the finding about user namespaces, without which containers run all the same.
const subIDs = "runc_subids"

// Check looks at what the provider needs of its host.
func (p *Provider) Check(context.Context) ([]sdk.Finding, error) {
	root := sdk.Finding{Name: "runc_root", OK: os.Geteuid() == 0, Detail: fmt.Sprintf("the worker runs as user %d", os.Geteuid())}
	if !root.OK {
		root.Remedy = "run the worker as root: this provider has no rootless mode (the provider podman has)"
	}
	ids := sdk.Finding{Name: subIDs, OK: true}
	switch shift, err := image.HostShift(); {
	case err != nil:
		ids.OK, ids.Detail, ids.Remedy = false, err.Error(), "mend the file"
	case shift == image.Shift{}:
		ids.OK, ids.Detail, ids.Remedy = false, "containers have no user namespace: no ids are set aside for them", image.SetAside
	default:
		ids.Detail = fmt.Sprintf("root of a container is user %d", shift.UID)
	}
	return []sdk.Finding{
		root, program("runc_runtime", p.settings.Runc, "runc"), program("runc_init", p.settings.Init, "catatonit"), ids,
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
