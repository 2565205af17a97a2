package doctor

import (
	"errors"
	"net"
	"os"

	"golang.org/x/sys/unix"
)

// usage asks the kernel for what a file system has.
func usage(path string) (Usage, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(path, &s); err != nil {
		return Usage{}, err
	}
	size := uint64(s.Bsize) //nolint:gosec // a block's size is positive
	return Usage{Free: s.Bavail * size, Size: s.Blocks * size, FreeInodes: s.Ffree, Inodes: s.Files}, nil
}

// capable tells whether a program has capabilities by its file.
func capable(path string) bool {
	n, err := unix.Getxattr(path, "security.capability", nil)
	return err == nil && n > 0 && !errors.Is(err, unix.ENODATA)
}

// credentials are the user and the process that listen at the other end of a connection.
func credentials(conn *net.UnixConn) (uid, pid int) {
	raw, err := conn.SyscallConn()
	if err != nil {
		return os.Getuid(), 0
	}
	uid = os.Getuid()
	_ = raw.Control(func(fd uintptr) { // it fails for a closed connection, which this one is not
		if c, err := unix.GetsockoptUcred(int(fd), unix.SOL_SOCKET, unix.SO_PEERCRED); err == nil {
			uid, pid = int(c.Uid), int(c.Pid)
		}
	})
	return uid, pid
}
