package cgroup

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/containerpub/cpub/plugins/podman/internal/hostfs"
)

// mount is one mounted hierarchy.
type mount struct {
	point       string
	root        string // the path in the hierarchy that is mounted there
	v2          bool
	controllers []string
}

// mountinfo is the file that names the mounts.
const mountinfo = "/proc/self/mountinfo"

// readMounts reads the cgroup mounts from a mountinfo file.
func readMounts(ctx context.Context, host hostfs.Host, name string) ([]mount, error) {
	b, err := hostfs.ReadFile(ctx, host, name)
	if err != nil {
		return nil, fmt.Errorf("finding the cgroup mounts: %w", err)
	}
	var mounts []mount
	for line := range strings.Lines(string(b)) {
		before, after, ok := strings.Cut(strings.TrimSpace(line), " - ")
		left, right := strings.Fields(before), strings.Fields(after)
		if !ok || len(left) < 5 || len(right) < 3 {
			continue
		}
		m := mount{root: left[3], point: left[4]}
		switch right[0] {
		case "cgroup":
			m.controllers = strings.Split(right[2], ",")
		case "cgroup2":
			m.v2 = true
			// Only what is enabled here can hold a limit; with the hybrid layout that is nothing.
			c, err := hostfs.ReadFile(ctx, host, path.Join(m.point, "cgroup.controllers"))
			if err != nil {
				continue
			}
			m.controllers = strings.Fields(string(c))
			if slices.Contains(m.controllers, "cpu") {
				m.controllers = append(m.controllers, "cpuacct")
			}
		default:
			continue
		}
		mounts = append(mounts, m)
	}
	return mounts, nil
}

// has tells whether the hierarchy holds the controller.
func (m mount) has(controller string) bool { return slices.Contains(m.controllers, controller) }

// serves tells whether a line of /proc/PID/cgroup with these controllers is about this hierarchy.
func (m mount) serves(controllers string) bool {
	if m.v2 || controllers == "" {
		return m.v2 && controllers == ""
	}
	first, _, _ := strings.Cut(controllers, ",")
	return slices.Contains(m.controllers, first)
}

// node is the directory of a path in the hierarchy; of the part of it that ends with the container's own group if name is given.
func (m mount) node(group, name string) node {
	if name != "" {
		parts := strings.Split(group, "/")
		for i, p := range parts {
			if strings.Contains(p, name) {
				group = strings.Join(parts[:i+1], "/")
				break
			}
		}
	}
	if rest, ok := strings.CutPrefix(group, m.root); ok && m.root != "/" {
		group = rest
	}
	return node{dir: path.Join(m.point, group), root: m.point, v2: m.v2}
}
