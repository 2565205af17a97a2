package cgroup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/containerpub/cpub/plugins/podman/internal/hostfs"
)

// maxTries is how often a busy group is tried, and pause the time between: a container's monitor lives on for a moment.
const (
	maxTries = 500
	pause    = 10 * time.Millisecond
)

// Remove removes the group at a path of every hierarchy of the host, with the groups below it. There must be no process left in them;
// what the kernel still holds on to for a moment is tried again. A group that is not there is no error.
func Remove(ctx context.Context, host hostfs.Host, group string) error {
	return each(ctx, host, group, func(dir string) error { return removeTree(ctx, host, dir) })
}

// each calls f for a group's directory in every hierarchy, for all at the same time. The root is refused.
func each(ctx context.Context, host hostfs.Host, group string, f func(dir string) error) error {
	mounts, err := readMounts(ctx, host, mountinfo)
	if err != nil {
		return err
	}
	for _, m := range mounts {
		if m.node(group, "").dir == m.point {
			return fmt.Errorf("refusing to touch the root of the cgroups at %s", m.point)
		}
	}
	var wait sync.WaitGroup
	errs := make([]error, len(mounts))
	for i, m := range mounts {
		wait.Go(func() { errs[i] = f(m.node(group, "").dir) })
	}
	wait.Wait()
	return errors.Join(errs...)
}

func removeTree(ctx context.Context, host hostfs.Host, dir string) error {
	entries, err := host.ReadDir(ctx, dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Dir {
			if err := removeTree(ctx, host, path.Join(dir, e.Name)); err != nil {
				return err
			}
		}
	}
	for tries := 0; ; tries++ {
		// Not a whole tree: the files of a cgroup cannot be removed, the directory goes with them.
		err := host.RemoveDir(ctx, dir)
		if err == nil || errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		if tries == maxTries || !sleep(ctx) {
			return fmt.Errorf("removing the cgroup %s: %w", dir, err)
		}
	}
}

// sleep waits a moment. It is false when the context has ended.
func sleep(ctx context.Context) bool {
	select {
	case <-ctx.Done():
		return false
	case <-time.After(pause):
		return true
	}
}

// Kill kills every process in the group at a path, and in those below it, with SIGKILL.
func Kill(ctx context.Context, host hostfs.Host, group string) error {
	return each(ctx, host, group, func(dir string) error {
		for range maxTries {
			pids, err := processes(ctx, host, dir)
			if err != nil || len(pids) == 0 {
				return err
			}
			for _, pid := range pids {
				if err := host.Kill(ctx, pid); err != nil {
					return fmt.Errorf("killing process %d: %w", pid, err)
				}
			}
			if !sleep(ctx) {
				return context.Cause(ctx)
			}
		}
		return nil
	})
}

// processes lists those in a group and in the groups below it. Those of another pid namespace have no number here, and are left out.
func processes(ctx context.Context, host hostfs.Host, dir string) ([]int, error) {
	b, err := hostfs.ReadFile(ctx, host, path.Join(dir, "cgroup.procs"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var pids []int
	for _, text := range strings.Fields(string(b)) {
		if pid, err := strconv.Atoi(text); err == nil && pid > 1 {
			pids = append(pids, pid)
		}
	}
	entries, err := host.ReadDir(ctx, dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for _, e := range entries {
		if !e.Dir {
			continue
		}
		below, err := processes(ctx, host, path.Join(dir, e.Name))
		if err != nil {
			return nil, err
		}
		pids = append(pids, below...)
	}
	return pids, nil
}

// Sweep removes the groups below a path that no process is in and that are older than the age, apart from those that keep
// tells.
func Sweep(ctx context.Context, host hostfs.Host, group string, age time.Duration, keep func(name string) bool) error {
	return each(ctx, host, group, func(dir string) error {
		entries, err := host.ReadDir(ctx, dir)
		if err != nil {
			return nil //nolint:nilerr // nothing of ours in this hierarchy
		}
		var errs []error
		for _, e := range entries {
			if !e.Dir || keep(e.Name) || time.Since(e.Modified) < age {
				continue
			}
			if below := path.Join(dir, e.Name); empty(ctx, host, below) {
				errs = append(errs, removeTree(ctx, host, below))
			}
		}
		return errors.Join(errs...)
	})
}

// empty tells whether no process is in a group or in those below it.
func empty(ctx context.Context, host hostfs.Host, dir string) bool {
	b, err := hostfs.ReadFile(ctx, host, path.Join(dir, "cgroup.procs"))
	if errors.Is(err, fs.ErrNotExist) {
		return true
	}
	if err != nil || len(b) > 0 {
		return false
	}
	entries, err := host.ReadDir(ctx, dir)
	if err != nil {
		return false
	}
	for _, e := range entries {
		if e.Dir && !empty(ctx, host, path.Join(dir, e.Name)) {
			return false
		}
	}
	return true
}
