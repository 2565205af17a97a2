//go:build linux

package image

import (
	"errors"
	"fmt"
	"io/fs"

	"github.com/moby/sys/user"
)

// SlotSize is how many ids a container's user namespace has.
const SlotSize = 1 << 16

// subIDUser is whom the ids belong to in /etc/subuid and /etc/subgid, as rootful Podman has it too.
const subIDUser = "containers"

// SubIDs is a line that sets ids aside for containers, and SetAside the command that adds it to both files.
const (
	SubIDs   = subIDUser + ":1000000:65536"
	SetAside = "echo " + SubIDs + " | tee -a /etc/subuid /etc/subgid"
)

// Shift is the host's user and group that root is in a container: id n of a container is id UID+n of the host. The zero value is no
// user namespace.
type Shift struct{ UID, GID int }

// HostShift is the shift of this host's containers. All of them have the same one, so that they can share an image's files.
func HostShift() (Shift, error) {
	uid, uerr := first("/etc/subuid")
	gid, gerr := first("/etc/subgid")
	if err := errors.Join(uerr, gerr); err != nil || uid == 0 || gid == 0 {
		return Shift{}, err
	}
	return Shift{UID: uid, GID: gid}, nil
}

// first is the first of enough ids that a file sets aside; 0 if there are none.
func first(path string) (int, error) {
	ranges, err := user.ParseSubIDFileFilter(path, func(s user.SubID) bool { return s.Name == subIDUser && s.Count >= SlotSize })
	if errors.Is(err, fs.ErrNotExist) || err == nil && len(ranges) == 0 {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("finding ids for user namespaces in %s: %w", path, err)
	}
	return int(ranges[0].SubID), nil
}

// ids are the host's ids of a file's owner in an image.
func (s Shift) ids(uid, gid int) (int, int, error) {
	if s == (Shift{}) {
		return uid, gid, nil
	}
	if uid < 0 || gid < 0 || uid >= SlotSize || gid >= SlotSize {
		return 0, 0, fmt.Errorf("a file belongs to %d:%d, and a user namespace of this provider has %d ids", uid, gid, SlotSize)
	}
	return s.UID + uid, s.GID + gid, nil
}
