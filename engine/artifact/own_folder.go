package artifact

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// ownFolder is a folder of one process, beside a lock file that the process holds as long as it lives. Whoever makes the next one
// sweeps those whose lock is free.
type ownFolder struct {
	dir  string
	lock *os.File
}

const lockSuffix = ".lock"

func newOwnFolder(parent string) (*ownFolder, error) {
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
	return &ownFolder{dir: dir, lock: lock}, nil
}

func (o *ownFolder) close() error {
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
