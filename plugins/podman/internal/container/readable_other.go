//go:build !unix

package container

import "github.com/containers/podman/v5/libpod/define"

// readableBy tells whether a Podman service can read this process's files: there is none on such a machine.
func readableBy(*define.Info) bool { return false }
