package remote

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// giveUp has the kernel end a connection whose packets nobody acknowledges: keep-alive alone sees that only while nothing is under way.
func giveUp(_, _ string, raw syscall.RawConn) error {
	var serr error
	err := raw.Control(func(fd uintptr) {
		serr = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, int((aliveInterval + aliveTimeout).Milliseconds()))
	})
	if err != nil {
		return err
	}
	return serr
}
