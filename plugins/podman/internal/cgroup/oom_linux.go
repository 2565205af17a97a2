package cgroup

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"golang.org/x/sys/unix"
)

// OOMWatch notices when the kernel kills for memory in a group of cgroups v1, where the counter vanishes together with the
// group. The zero value notices nothing.
type OOMWatch struct {
	event *os.File
	oom   *os.File
	group string
}

// WatchOOM watches the group. In v2 the parent counts too, so there is nothing to watch, and on another machine it cannot be. Close it.
func (g Group) WatchOOM() (*OOMWatch, error) {
	if g.memory.dir == "" || g.memory.v2 || !g.host.Local() {
		return &OOMWatch{}, nil
	}
	fd, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, fmt.Errorf("watching for out-of-memory kills: %w", err)
	}
	w := &OOMWatch{event: os.NewFile(uintptr(fd), "eventfd"), group: g.memory.dir}
	if w.oom, err = os.Open(filepath.Join(g.memory.dir, "memory.oom_control")); err == nil {
		err = os.WriteFile(filepath.Join(g.memory.dir, "cgroup.event_control"), fmt.Appendf(nil, "%d %d", fd, w.oom.Fd()), 0)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("watching for out-of-memory kills: %w", err), w.Close())
	}
	return w, nil
}

// Seen tells whether there was a kill. The kernel also signals when the group is removed: that one is not counted.
func (w *OOMWatch) Seen() bool {
	if w.event == nil {
		return false
	}
	var buf [8]byte
	n, err := unix.Read(int(w.event.Fd()), buf[:])
	if err != nil || n != len(buf) {
		return false
	}
	events := binary.NativeEndian.Uint64(buf[:])
	if _, err := os.Stat(w.group); err != nil {
		events--
	}
	return events > 0
}

// Close stops watching.
func (w *OOMWatch) Close() error {
	var errs []error
	for _, f := range []*os.File{w.oom, w.event} {
		if f != nil {
			errs = append(errs, f.Close())
		}
	}
	return errors.Join(errs...)
}
