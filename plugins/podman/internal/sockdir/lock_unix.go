//go:build unix

package sockdir

import (
	"errors"
	"os"

	"golang.org/x/sys/unix"
)

// take takes the lock of a file, which goes with the process. It is false where another process has it.
func take(f *os.File) (bool, error) {
	err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
	if errors.Is(err, unix.EWOULDBLOCK) {
		return false, nil
	}
	return err == nil, err
}
