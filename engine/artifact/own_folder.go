package artifact

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// OwnFolder is a private folder of one process, beside a lock file that the process holds as long as it lives. Whoever makes the
// next one in the same parent sweeps those whose processes are gone.
type OwnFolder struct {
	dir  string
	lock *os.File
}

const lockSuffix = ".lock"

// NewOwnFolder makes one in parent, which must be there and be the user's own.
func NewOwnFolder(parent string) (*OwnFolder, error) {
	// The gate keeps a sweep away from a folder that is being made.
	gate, err := os.OpenFile(filepath.Join(parent, "gate"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	defer gate.Close()
	if err := syscall.Flock(int(gate.Fd()), syscall.LOCK_EX); err != nil { //nolint:gosec // a descriptor fits
		return nil, fmt.Errorf("locking %s: %w", gate.Name(), err)
	}
	if err := sweepFolders(parent); err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp(parent, "own-")
	if err != nil {
		return nil, err
	}
	lock, err := os.OpenFile(dir+lockSuffix, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return nil, err
	}
	if err := syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil { //nolint:gosec // a descriptor fits
		return nil, errors.Join(fmt.Errorf("locking %s: %w", lock.Name(), err), lock.Close())
	}
	return &OwnFolder{dir: dir, lock: lock}, nil
}

// Dir is its absolute path.
func (o *OwnFolder) Dir() string { return o.dir }

// Close removes it.
func (o *OwnFolder) Close() error {
	return errors.Join(RemoveAll(o.dir), os.Remove(o.lock.Name()), o.lock.Close())
}

// sweepFolders removes the folders of processes that are gone.
func sweepFolders(parent string) error {
	entries, err := os.ReadDir(parent)
	if err != nil {
		return err
	}
	for _, e := range entries {
		if !e.IsDir() || !strings.HasPrefix(e.Name(), "own-") {
			continue
		}
		if err := sweepFolder(filepath.Join(parent, e.Name())); err != nil {
			return fmt.Errorf("sweeping %s: %w", e.Name(), err)
		}
	}
	return nil
}

func sweepFolder(dir string) error {
	lock, err := os.OpenFile(dir+lockSuffix, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer lock.Close()
	if syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil { //nolint:gosec // a descriptor fits
		return nil // its process lives
	}
	return errors.Join(RemoveAll(dir), os.Remove(lock.Name()))
}
