//go:build !linux

package doctor

import (
	"errors"
	"net"
	"os"
)

// Podman runs on Linux: of other systems nothing is read.
func usage(string) (Usage, error) { return Usage{}, errors.ErrUnsupported }

func capable(string) bool { return false }

func credentials(*net.UnixConn) (uid, pid int) { return os.Getuid(), 0 }
