// Package sockdir makes private folders for sockets. A folder goes with its process: what one that was killed left, the next one removes.
package sockdir

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"
)

// prefix is what the folders' names begin with, and lockName the file in each that its process holds a lock of.
const (
	prefix   = "cpub-podman-"
	lockName = "lock"
)

// young is how old a folder must be before it counts as left: a younger one may be about to be locked.
const young = time.Minute

// Dir is a folder that only its user may enter. Close removes it with all that is in it.
type Dir struct {
	Path string
	lock *os.File
}

// New makes a folder in the system's temporary one, and removes those there that were left.
func New() (*Dir, error) {
	tmp := os.TempDir()
	sweep(tmp)
	path, err := os.MkdirTemp(tmp, prefix) // 0700
	if err != nil {
		return nil, fmt.Errorf("making the folder of Podman's socket: %w", err)
	}
	lock, err := os.OpenFile(filepath.Join(path, lockName), os.O_CREATE|os.O_RDWR, 0o600)
	if err == nil {
		_, err = take(lock)
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("making the folder of Podman's socket: %w", err), os.RemoveAll(path))
	}
	return &Dir{Path: path, lock: lock}, nil
}

// Close removes the folder. It may be called again.
func (d *Dir) Close() error {
	err := os.RemoveAll(d.Path)
	_ = d.lock.Close() // nothing was written
	return err
}

// sweep removes the folders of processes that are gone. Those of other users cannot be opened, and stay.
func sweep(tmp string) {
	left, err := filepath.Glob(filepath.Join(tmp, prefix+"*"))
	if err != nil {
		return // the pattern is fine
	}
	for _, dir := range left {
		info, err := os.Lstat(dir)
		if err != nil || !info.IsDir() || time.Since(info.ModTime()) < young {
			continue
		}
		lock, err := os.OpenFile(filepath.Join(dir, lockName), os.O_RDWR, 0)
		if err != nil {
			continue
		}
		if ours, err := take(lock); ours && err == nil {
			_ = os.RemoveAll(dir) // what cannot be removed is tried again the next time
		}
		_ = lock.Close()
	}
}
