package cgroup

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strconv"

	"github.com/containerpub/cpub/plugins/podman/internal/hostfs"
)

// limitPeriod is the length of the window, in µs, in which a group may use its share of CPU.
const limitPeriod = 100_000

// Limit makes the group at a path of the host and sets its limits, which hold for all groups that are made below it, together. It reads them
// back, and fails where one of them does not hold. Limits that are Unlimited are left alone; MemorySwap is set where the kernel counts swap.
func Limit(ctx context.Context, host hostfs.Host, group string, l Limits) error {
	w, ok := host.(hostfs.Writer)
	if !ok {
		return fmt.Errorf("limiting the cgroup %s: the host that Podman runs on can only be looked at from here", group)
	}
	mounts, err := readMounts(ctx, host, mountinfo)
	if err != nil {
		return err
	}
	var errs []error
	for _, m := range mounts {
		n := m.node(group, "")
		if n.dir == m.point {
			return fmt.Errorf("refusing to limit the root of the cgroups at %s", m.point)
		}
		errs = append(errs, n.limit(ctx, w, n.limitFiles(m, l)))
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("setting limits of the cgroup %s: %w", group, err)
	}
	g, err := At(ctx, host, group)
	if err != nil {
		return err
	}
	got, err := g.Limits(ctx)
	if err != nil {
		return err
	}
	return l.hold(group, got)
}

// hold checks that limits are at least as strict as these.
func (l Limits) hold(group string, got Limits) error {
	for _, c := range []struct {
		name       string
		have, want float64
	}{
		{"memory", float64(got.Memory), float64(l.Memory)}, {"cpus", got.CPUs, l.CPUs}, {"pids", float64(got.Pids), float64(l.Pids)},
	} {
		if c.want != Unlimited && (c.have == Unlimited || c.have > c.want*1.001) {
			return fmt.Errorf("the cgroup %s does not limit %s: set %g, read back %g", group, c.name, c.want, c.have)
		}
	}
	return nil
}

// limitFile is one file of a group that holds a limit.
type limitFile struct {
	name, value string
	optional    bool // it may not be there
}

// limitFiles are the files of one hierarchy, in the order in which they are written.
func (n node) limitFiles(m mount, l Limits) (files []limitFile) {
	add := func(controller string, limit float64, v1, v2 limitFile) {
		f := v1
		if m.v2 {
			f = v2
		}
		if m.has(controller) && limit != Unlimited && f.name != "" {
			files = append(files, f)
		}
	}
	number := func(v int64) string { return strconv.FormatInt(v, 10) }
	memory, quota := number(l.Memory), number(int64(l.CPUs*limitPeriod))
	add("memory", float64(l.Memory), limitFile{name: "memory.limit_in_bytes", value: memory}, limitFile{name: "memory.max", value: memory})
	add("memory", float64(l.MemorySwap), limitFile{name: "memory.memsw.limit_in_bytes", value: number(l.MemorySwap), optional: true},
		limitFile{name: "memory.swap.max", value: number(max(l.MemorySwap-l.Memory, 0)), optional: true})
	add("cpu", l.CPUs, limitFile{name: "cpu.cfs_period_us", value: number(limitPeriod)}, limitFile{})
	add("cpu", l.CPUs, limitFile{name: "cpu.cfs_quota_us", value: quota}, limitFile{name: "cpu.max", value: quota + " " + number(limitPeriod)})
	add("pids", float64(l.Pids), limitFile{name: "pids.max", value: number(l.Pids)}, limitFile{name: "pids.max", value: number(l.Pids)})
	return files
}

// limit makes the group in one hierarchy, where that holds a limit, and writes the files.
func (n node) limit(ctx context.Context, w hostfs.Writer, files []limitFile) error {
	if len(files) == 0 {
		return nil
	}
	if err := w.MakeDirs(ctx, n.dir); err != nil {
		return err
	}
	if n.v2 {
		n.handDown(ctx, w)
	}
	for _, f := range files {
		err := w.WriteFile(ctx, path.Join(n.dir, f.name), []byte(f.value))
		if err != nil && (!f.optional || !errors.Is(err, fs.ErrNotExist)) {
			return err
		}
	}
	return nil
}

// handDown lets the group and those below it have controllers, where they can be had: a limit that does not hold is noticed later.
func (n node) handDown(ctx context.Context, w hostfs.Writer) {
	dirs := n.upwards()
	for i := len(dirs) - 1; i >= 0; i-- {
		for _, c := range []string{"+memory", "+cpu", "+pids"} {
			_ = w.WriteFile(ctx, path.Join(dirs[i], "cgroup.subtree_control"), []byte(c))
		}
	}
}
