package doctor

import "golang.org/x/sys/unix"

// usageOf asks the kernel what the file system of a path has for a user without privileges.
func usageOf(path string) (space, error) {
	var s unix.Statfs_t
	if err := unix.Statfs(path, &s); err != nil {
		return space{}, err
	}
	size := uint64(s.Bsize) //nolint:gosec // a block's size is positive
	return space{free: s.Bavail * size, inodes: s.Files, freeInodes: s.Ffree}, nil
}
