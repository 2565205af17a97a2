//go:build linux

package container

import (
	"fmt"
	"os"
	"slices"
	"strings"

	"github.com/moby/sys/capability"
)

// process is what the kernel says of the container's first process.
type process struct {
	capabilities []string // in any of its sets
	noNewPrivs   bool
	filtered     bool // by seccomp
	readOnly     bool // its root
	rootOfHost   bool // the host's root is one of its users
	shared       []string
	interfaces   []string // beside lo
}

// look reads what the kernel says of a process.
func look(pid int) (p process, err error) {
	text := map[string]string{}
	for _, name := range []string{"status", "mountinfo", "uid_map", "net/dev"} {
		data, err := os.ReadFile(fmt.Sprintf("/proc/%d/%s", pid, name))
		if err != nil {
			return p, err
		}
		text[name] = string(data)
	}
	p.noNewPrivs = strings.Contains(text["status"], "\nNoNewPrivs:\t1\n")
	p.filtered = strings.Contains(text["status"], "\nSeccomp:\t2\n")
	for line := range strings.Lines(text["mountinfo"]) {
		if f := strings.Fields(line); len(f) > 5 && f[4] == "/" {
			p.readOnly = slices.Contains(strings.Split(f[5], ","), "ro") // the last one mounted is on top
		}
	}
	for line := range strings.Lines(text["uid_map"]) {
		f := strings.Fields(line)
		p.rootOfHost = p.rootOfHost || len(f) == 3 && f[1] == "0"
	}
	for line := range strings.Lines(text["net/dev"]) {
		if name, _, ok := strings.Cut(strings.TrimSpace(line), ":"); ok && name != "lo" {
			p.interfaces = append(p.interfaces, name)
		}
	}
	if p.capabilities, err = capabilitiesOf(pid); err != nil {
		return p, err
	}
	p.shared, err = sharedWith(pid)
	return p, err
}

// capabilitiesOf lists what is in any set of a process.
func capabilitiesOf(pid int) ([]string, error) {
	sets, err := capability.NewPid2(pid)
	if err == nil {
		err = sets.Load()
	}
	all := []string{}
	for _, c := range capability.ListKnown() {
		for _, set := range []capability.CapType{
			capability.BOUNDING, capability.EFFECTIVE, capability.PERMITTED, capability.INHERITABLE, capability.AMBIENT,
		} {
			if name := capName(c.String()); err == nil && sets.Get(set, c) && !slices.Contains(all, name) {
				all = append(all, name)
			}
		}
	}
	return all, err
}

// sharedWith lists the namespaces that a process shares with this one.
func sharedWith(pid int) (shared []string, err error) {
	for _, name := range []string{"user", "mnt", "pid", "net", "ipc", "uts"} {
		theirs, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/%s", pid, name))
		if err != nil {
			return nil, err
		}
		own, err := os.Readlink("/proc/self/ns/" + name)
		if err != nil {
			return nil, err
		}
		if theirs == own {
			shared = append(shared, name)
		}
	}
	return shared, nil
}

// violations lists what isolates less than was asked for.
func (p process) violations(in *input, userns bool) (bad []string) {
	add := func(wrong bool, format string, args ...any) {
		if wrong {
			bad = append(bad, fmt.Sprintf(format, args...))
		}
	}
	add(!p.noNewPrivs, "it may gain privileges")
	add(!p.filtered, "its system calls are not filtered")
	add(in.ReadOnly && !p.readOnly, "its root is writable")
	add(userns && p.rootOfHost, "the host's root is one of its users")
	add(len(p.interfaces) > 0, "it has the network interfaces %s", strings.Join(p.interfaces, ", "))
	for _, name := range p.shared {
		add(name != "user" || userns, "it has the %s namespace of the host", name)
	}
	for _, c := range p.capabilities {
		add(!slices.Contains(in.capabilities(), c), "it has the capability %s", c)
	}
	return bad
}
