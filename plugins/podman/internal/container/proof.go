package container

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/containers/podman/v5/pkg/specgen"
	spec "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/containerpub/cpub/plugins/podman/internal/hostfs"
	"github.com/containerpub/cpub/sdk/contract"
)

// expected is what was asked for and does not stand in the input.
type expected struct {
	userns  bool // a user namespace, in which root is not the host's
	seccomp bool // a filter of system calls
	// started tells that the process runs already: the runtime filters its system calls at the last moment, so that the kernel tells of the
	// filter only then. Before, the runtime's orders tell.
	started bool
	net     string // the network namespace to be in, as /proc has it; empty: one of its own
}

// expects is what a container that is made by the plan must be proven to have.
func (p plan) expects() expected {
	return expected{userns: p.userns.NSMode != specgen.Host, seccomp: !p.unconfined, net: p.joined.net}
}

// expectsAdopted is what a container has that an earlier attempt proved, and started.
func (in Input) expectsAdopted(proven contract.Limits) expected {
	return expected{userns: proven.Userns == "private", seccomp: in.Seccomp != seccompUnconfined, started: true}
}

// Modes of seccomp, as /proc/PID/status has them.
const (
	seccompNone   = 0
	seccompFilter = 2
)

// sets are the sets of capabilities of a process, by their names in /proc/PID/status.
func sets() []struct{ field, name string } {
	return []struct{ field, name string }{
		{"CapBnd", "bounding"}, {"CapEff", "effective"}, {"CapPrm", "permitted"}, {"CapInh", "inheritable"}, {"CapAmb", "ambient"},
	}
}

// namespaces are those that a container has for itself in any case, by their names in /proc/PID/ns.
func namespaces() []string { return []string{"mnt", "pid", "ipc", "uts"} }

// process is what the kernel says of the container's first process.
type process struct {
	caps       map[string][]string // by set
	noNewPrivs bool
	seccomp    int
	readOnly   bool
	userns     string   // "host" or "private"
	rootIsHost bool     // its root is the host's, though in a namespace
	shared     []string // namespaces that are the host's
	interfaces []string
	net        string
}

// capabilities are those that the process may have or get.
func (p process) capabilities() []string { return p.caps["bounding"] }

func readProcess(ctx context.Context, host hostfs.Host, pid int) (process, error) {
	dir := fmt.Sprintf("/proc/%d/", pid)
	got := host.ReadFiles(ctx, dir+"status", dir+"mountinfo", dir+"uid_map", dir+"net/dev")
	for _, c := range got {
		if c.Err != nil {
			return process{}, c.Err
		}
	}
	p, err := parseStatus(string(got[0].Data))
	if err != nil {
		return p, err
	}
	p.readOnly, p.rootIsHost, p.interfaces = rootReadOnly(string(got[1].Data)), rootIsHost(string(got[2].Data)), interfaces(string(got[3].Data))
	return p, p.readNamespaces(ctx, host, dir+"ns/")
}

// parseStatus reads /proc/PID/status. A line that is not there is an error: nobody knows what it would have said.
func parseStatus(status string) (process, error) {
	p, fields := process{caps: map[string][]string{}}, map[string]string{}
	for line := range strings.Lines(status) {
		name, value, _ := strings.Cut(line, ":")
		fields[name] = strings.TrimSpace(value)
	}
	for _, set := range sets() {
		mask, ok := fields[set.field]
		if !ok {
			return p, fmt.Errorf("the kernel does not tell the %s capabilities", set.name)
		}
		p.caps[set.name] = capabilities(mask)
	}
	p.noNewPrivs = fields["NoNewPrivs"] == "1"
	var err error
	if p.seccomp, err = strconv.Atoi(fields["Seccomp"]); err != nil {
		return p, fmt.Errorf("the kernel does not tell the mode of seccomp: %w", err)
	}
	return p, nil
}

// rootReadOnly tells from /proc/PID/mountinfo whether / is mounted read-only.
func rootReadOnly(mountinfo string) bool {
	ro := false
	for line := range strings.Lines(mountinfo) {
		if f := strings.Fields(line); len(f) > 5 && f[4] == "/" {
			ro = slices.Contains(strings.Split(f[5], ","), "ro") // the last one mounted is on top
		}
	}
	return ro
}

// rootIsHost tells from /proc/PID/uid_map whether an id of the namespace is the host's root.
func rootIsHost(uidMap string) bool {
	for line := range strings.Lines(uidMap) {
		if f := strings.Fields(line); len(f) == 3 && f[1] == "0" {
			return true
		}
	}
	return false
}

// interfaces lists what /proc/PID/net/dev has.
func interfaces(dev string) (names []string) {
	for line := range strings.Lines(dev) {
		if name, _, ok := strings.Cut(strings.TrimSpace(line), ":"); ok {
			names = append(names, name)
		}
	}
	return names
}

// readNamespaces tells which namespaces in a folder such as /proc/PID/ns are the host's: those of our own process there.
func (p *process) readNamespaces(ctx context.Context, host hostfs.Host, dir string) error {
	names := append(namespaces(), "user", "net")
	theirs, own, errs := make([]string, len(names)), make([]string, len(names)), make([]error, 2*len(names))
	var all sync.WaitGroup
	for i, name := range names {
		all.Go(func() { theirs[i], errs[2*i] = host.Readlink(ctx, dir+name) })
		all.Go(func() { own[i], errs[2*i+1] = host.Readlink(ctx, "/proc/self/ns/"+name) })
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	p.userns = "private"
	for i, name := range names {
		if name == "net" {
			p.net = theirs[i]
		}
		switch {
		case theirs[i] != own[i]:
		case name == "user":
			p.userns = "host"
		default:
			p.shared = append(p.shared, name)
		}
	}
	return nil
}

// orders reads what the OCI runtime was told. A worker in a container of its own, which sees the host's processes but not its files, reads it
// where the container's monitor has it.
func orders(ctx context.Context, host hostfs.Host, state *inspected) ([]byte, error) {
	data, err := hostfs.ReadFile(ctx, host, state.config)
	if errors.Is(err, fs.ErrNotExist) && state.conmon > 0 {
		data, err = hostfs.ReadFile(ctx, host, fmt.Sprintf("/proc/%d/root%s", state.conmon, state.config))
	}
	if err != nil {
		return nil, fmt.Errorf("reading what the OCI runtime was told: %w", err)
	}
	return data, nil
}

// seccompOf tells from the runtime's orders which mode it is about to set.
func seccompOf(ctx context.Context, host hostfs.Host, state *inspected) (int, error) {
	data, err := orders(ctx, host, state)
	if err != nil {
		return seccompNone, err
	}
	return parseSeccomp(data)
}

func parseSeccomp(config []byte) (int, error) {
	var s struct {
		Linux struct{ Seccomp *spec.LinuxSeccomp }
	}
	if err := json.Unmarshal(config, &s); err != nil {
		return seccompNone, fmt.Errorf("reading what the OCI runtime was told: %w", err)
	}
	filter := s.Linux.Seccomp
	if filter == nil {
		return seccompNone, nil
	}
	allowed := func(a spec.LinuxSeccompAction) bool { return a == spec.ActAllow || a == spec.ActLog }
	if allowed(filter.DefaultAction) && !slices.ContainsFunc(filter.Syscalls, func(c spec.LinuxSyscall) bool { return !allowed(c.Action) }) {
		return seccompNone, nil // it lets everything through
	}
	return seccompFilter, nil
}

// violations lists what isolates less than was asked for, with what was asked and what is.
func (p process) violations(in Input, want expected) []string {
	var bad []string
	add := func(what, asked, is string) { bad = append(bad, fmt.Sprintf("%s (asked %s, is %s)", what, asked, is)) }
	if !p.noNewPrivs {
		add("no_new_privileges", "true", "false")
	}
	if in.ReadOnly && !p.readOnly {
		add("read_only", "true", "false")
	}
	if want.userns && p.userns == "host" {
		add("userns", "one of its own", "the host's")
	} else if want.userns && p.rootIsHost {
		add("userns", "ids of its own", "one with the host's root in it")
	}
	if want.seccomp && p.seccomp != seccompFilter {
		add("seccomp", "a filter", "none that filters")
	}
	for _, name := range p.shared {
		if name != "net" {
			add(name+" namespace", "one of its own", "the host's")
		}
	}
	for _, set := range sets() {
		extra := slices.DeleteFunc(slices.Clone(p.caps[set.name]), func(c string) bool { return slices.Contains(in.added(), c) })
		if len(extra) > 0 {
			add(set.name+" capabilities", orNothing(in.added()), strings.Join(p.caps[set.name], ", "))
		}
	}
	return append(bad, p.networkViolations(in, want)...)
}

func (p process) networkViolations(in Input, want expected) []string {
	other := slices.DeleteFunc(slices.Clone(p.interfaces), func(i string) bool { return i == "lo" })
	switch {
	case in.Network == "host":
		return nil
	case slices.Contains(p.shared, "net"):
		return []string{fmt.Sprintf("network (asked %s, is the host's)", in.Network)}
	case want.net != "" && p.net != want.net:
		return []string{fmt.Sprintf("network (asked the sidecars' %s, is %s)", want.net, p.net)}
	case in.Network == "none" && len(other) > 0:
		return []string{fmt.Sprintf("network (asked none, has the interfaces %s)", strings.Join(other, ", "))}
	default:
		return nil
	}
}

func orNothing(list []string) string {
	if len(list) == 0 {
		return "none"
	}
	return strings.Join(list, ", ")
}
