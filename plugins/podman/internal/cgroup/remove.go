package cgroup

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// Remove removes the group at a path of every hierarchy, with the groups below it. There must be no process left in them;
// what the kernel still holds on to for a moment is tried again. A group that is not there is no error.
func Remove(path string) error {
	mounts, err := readMounts("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	var errs []error
	for _, m := range mounts {
		dir := m.node(path, "").dir
		if dir == m.point {
			return fmt.Errorf("refusing to remove the root of the cgroups at %s", m.point)
		}
		errs = append(errs, removeTree(dir))
	}
	return errors.Join(errs...)
}

// maxTries is how often a busy group is tried, every 10 ms: a container's monitor lives on for a moment.
const maxTries = 500

func removeTree(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.IsDir() {
			if err := removeTree(filepath.Join(dir, e.Name())); err != nil {
				return err
			}
		}
	}
	for tries := 0; ; tries++ {
		// Not RemoveAll: the files of a cgroup cannot be removed, the directory goes with them.
		err := os.Remove(dir)
		if err == nil || errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if tries == maxTries {
			return fmt.Errorf("removing the cgroup %s: %w", dir, err)
		}
		time.Sleep(10 * time.Millisecond)
	}
}

// Kill kills every process in the group at a path, and in those below it, with SIGKILL.
func Kill(path string) error {
	mounts, err := readMounts("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	var errs []error
	for _, m := range mounts {
		dir := m.node(path, "").dir
		if dir == m.point {
			return fmt.Errorf("refusing to kill everything at %s", m.point)
		}
		for tries := 0; tries < maxTries && !empty(dir); tries++ {
			if err := killTree(dir); err != nil {
				errs = append(errs, err)
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
	}
	return errors.Join(errs...)
}

func killTree(dir string) error {
	return filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if err != nil || d.Name() != "cgroup.procs" {
			return err
		}
		b, err := os.ReadFile(path)
		if err != nil {
			return nil //nolint:nilerr // the group went, and its processes with it
		}
		for _, pid := range strings.Fields(string(b)) {
			n, err := strconv.Atoi(pid)
			if err != nil || n <= 1 {
				continue // 0 is a process of another pid namespace
			}
			p, err := os.FindProcess(n)
			if err == nil {
				err = p.Kill()
			}
			if err != nil && !errors.Is(err, os.ErrProcessDone) {
				return fmt.Errorf("killing process %d: %w", n, err)
			}
		}
		return nil
	})
}

// Sweep removes the groups below a path that no process is in and that are older than the age, apart from those that keep
// tells.
func Sweep(path string, age time.Duration, keep func(name string) bool) error {
	mounts, err := readMounts("/proc/self/mountinfo")
	if err != nil {
		return err
	}
	var errs []error
	for _, m := range mounts {
		entries, err := os.ReadDir(m.node(path, "").dir)
		if err != nil {
			continue // nothing of ours in this hierarchy
		}
		for _, e := range entries {
			info, err := e.Info()
			if err != nil || !e.IsDir() || keep(e.Name()) || time.Since(info.ModTime()) < age {
				continue
			}
			if dir := m.node(filepath.Join(path, e.Name()), "").dir; empty(dir) {
				errs = append(errs, removeTree(dir))
			}
		}
	}
	return errors.Join(errs...)
}

// empty tells whether no process is in a group or in those below it.
func empty(dir string) bool {
	b, err := os.ReadFile(filepath.Join(dir, "cgroup.procs"))
	if errors.Is(err, fs.ErrNotExist) {
		return true
	}
	if err != nil || len(b) > 0 {
		return false
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return false
	}
	for _, e := range entries {
		if e.IsDir() && !empty(filepath.Join(dir, e.Name())) {
			return false
		}
	}
	return true
}
