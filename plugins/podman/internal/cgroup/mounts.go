package cgroup

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// mount is one mounted hierarchy.
type mount struct {
	point       string
	root        string // the path in the hierarchy that is mounted there
	v2          bool
	controllers []string
}

// readMounts reads the cgroup mounts from a mountinfo file.
func readMounts(path string) ([]mount, error) {
	b, err := os.ReadFile(path)
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
			c, err := os.ReadFile(filepath.Join(m.point, "cgroup.controllers"))
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
func (m mount) node(path, name string) node {
	if name != "" {
		parts := strings.Split(path, "/")
		for i, p := range parts {
			if strings.Contains(p, name) {
				path = strings.Join(parts[:i+1], "/")
				break
			}
		}
	}
	if rest, ok := strings.CutPrefix(path, m.root); ok && m.root != "/" {
		path = rest
	}
	return node{dir: filepath.Join(m.point, path), root: m.point, v2: m.v2}
}
