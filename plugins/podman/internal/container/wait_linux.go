package container

import (
	"os"
	"time"

	"golang.org/x/sys/unix"
)

// exitOf gives a channel that is closed when the process has ended: at once, where Podman's own wait polls. It gives nil
// where the process cannot be watched. Call stop when done.
func exitOf(pid int) (ended <-chan struct{}, stop func()) {
	if pid <= 0 {
		return nil, func() {}
	}
	fd, err := unix.PidfdOpen(pid, unix.PIDFD_NONBLOCK)
	if err != nil {
		return nil, func() {}
	}
	file := os.NewFile(uintptr(fd), "pidfd")
	done, quit := make(chan struct{}), make(chan struct{})
	go func() {
		defer func() { _ = file.Close() }()
		for {
			fds := []unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}
			n, err := unix.Poll(fds, int((100 * time.Millisecond).Milliseconds()))
			if err != nil && err != unix.EINTR {
				return
			}
			if n > 0 {
				close(done)
				return
			}
			select {
			case <-quit:
				return
			default:
			}
		}
	}()
	return done, func() { close(quit) }
}
