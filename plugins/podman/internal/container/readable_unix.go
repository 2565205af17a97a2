//go:build unix

package container

import (
	"os"

	"github.com/containers/podman/v5/libpod/define"
)

// readableBy tells whether a Podman service on this machine can read this process's private files: it is root's, or the same user's.
func readableBy(info *define.Info) bool {
	if !info.Host.Security.Rootless {
		return true
	}
	ids := info.Host.IDMappings.UIDMap
	return len(ids) > 0 && ids[0].HostID == os.Geteuid()
}
