//go:build linux

package container

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/moby/profiles/seccomp"
	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/containerpub/cpub/examples/providers/runc/image"
	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/schema"
)

// cpuPeriod is the length of the window, in µs, in which a container may use its share of CPU.
const cpuPeriod = 100_000

// initPath is where the container finds its first process, in a folder that is never an image's.
const initPath = "/dev/init"

// specification is the container as the runtime is asked for it.
func (a *run) specification(img image.Image) (*specs.Spec, error) {
	command, err := a.in.commandOf(img)
	if err != nil {
		return nil, err
	}
	user, home, err := a.in.userOf(img)
	if err != nil {
		return nil, err
	}
	cwd, err := a.in.workdirOf(img)
	if err != nil {
		return nil, err
	}
	caps := a.in.capabilities()
	process := &specs.Process{
		Args: append([]string{initPath, "--"}, command...), Env: environment(img.Config.Env, a.in.Env, home), Cwd: cwd, User: user,
		NoNewPrivileges: true, Rlimits: rlimits(),
		Capabilities: &specs.LinuxCapabilities{Bounding: caps, Permitted: caps, Effective: caps},
	}
	if user.UID != 0 { // what is no root keeps them over an exec in no other way
		process.Capabilities.Inheritable, process.Capabilities.Ambient = caps, caps
	}
	s := &specs.Spec{
		Version: "1.0.2", Hostname: a.name()[:12], Process: process,
		Root:        &specs.Root{Path: "root", Readonly: a.in.ReadOnly},
		Mounts:      a.mounts(),
		Annotations: a.annotations(),
		Linux: &specs.Linux{
			CgroupsPath: string(a.cgroup()), Resources: a.in.resources(), Namespaces: namespaces(),
			MaskedPaths: masked(), ReadonlyPaths: readonly(),
		},
	}
	a.mapIDs(s.Linux)
	if s.Linux.Seccomp, err = seccomp.GetDefaultProfile(s); err != nil {
		return nil, fmt.Errorf("making the filter of system calls: %w", err)
	}
	return s, nil
}

// mapIDs gives the container a user namespace where the host has ids for it.
func (a *run) mapIDs(l *specs.Linux) {
	shift := a.Images.Shift
	if shift == (image.Shift{}) {
		a.req.Logf("warning: the container has no user namespace, its root is the host's; give the host ids for containers: %s", image.SetAside)
		return
	}
	l.Namespaces = append(l.Namespaces, specs.LinuxNamespace{Type: specs.UserNamespace})
	l.UIDMappings = []specs.LinuxIDMapping{{ContainerID: 0, HostID: uint32(shift.UID), Size: image.SlotSize}}
	l.GIDMappings = []specs.LinuxIDMapping{{ContainerID: 0, HostID: uint32(shift.GID), Size: image.SlotSize}}
}

func (in *input) resources() *specs.LinuxResources {
	memory, swap := int64(in.Memory), int64(*in.MemorySwap)
	quota, period := int64(in.CPUs*cpuPeriod), uint64(cpuPeriod)
	return &specs.LinuxResources{
		Memory:  &specs.LinuxMemory{Limit: &memory, Swap: &swap},
		CPU:     &specs.LinuxCPU{Quota: &quota, Period: &period},
		Pids:    &specs.LinuxPids{Limit: in.Pids},
		Devices: []specs.LinuxDeviceCgroup{{Allow: false, Access: "rwm"}}, // the runtime adds /dev/null and its kin
	}
}

func namespaces() []specs.LinuxNamespace {
	return []specs.LinuxNamespace{
		{Type: specs.PIDNamespace},
		{Type: specs.NetworkNamespace}, // an empty one: with lo alone
		{Type: specs.IPCNamespace},
		{Type: specs.UTSNamespace},
		{Type: specs.MountNamespace},
		{Type: specs.CgroupNamespace},
	}
}

// mounts are the container's file systems beside its root.
func (a *run) mounts() []specs.Mount {
	mounts := []specs.Mount{
		{Destination: "/proc", Type: "proc", Source: "proc", Options: []string{"nosuid", "noexec", "nodev"}},
		{Destination: "/dev", Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "strictatime", "mode=755", "size=64k"}},
		{Destination: "/dev/pts", Type: "devpts", Source: "devpts", Options: []string{"nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"}},
		{Destination: "/sys", Type: "sysfs", Source: "sysfs", Options: []string{"nosuid", "noexec", "nodev", "ro"}},
		{Destination: initPath, Type: "bind", Source: a.Init, Options: []string{"bind", "ro", "nosuid", "nodev"}},
	}
	if _, own := a.in.Tmpfs["/dev/shm"]; !own {
		mounts = append(mounts, specs.Mount{
			Destination: "/dev/shm", Type: "tmpfs", Source: "shm", Options: []string{"nosuid", "noexec", "nodev", "mode=1777", "size=64m"},
		})
	}
	for _, path := range slices.Sorted(maps.Keys(a.in.Tmpfs)) {
		size, _ := schema.ParseSize(a.in.Tmpfs[path]) // input.check has refused what is none
		mounts = append(mounts, specs.Mount{
			Destination: path, Type: "tmpfs", Source: "tmpfs", Options: []string{"nosuid", "nodev", "mode=1777", fmt.Sprintf("size=%d", int64(size))},
		})
	}
	return mounts
}

// annotations tell whose the container is, over what the author calls it.
func (a *run) annotations() map[string]string {
	all := maps.Clone(a.in.Labels)
	if all == nil {
		all = map[string]string{}
	}
	all["io.cpub.run"], all["io.cpub.step"], all["io.cpub.key"] = a.req.Run, a.req.Step, a.req.Key
	return all
}

// environment is the image's, under the author's.
func environment(images []string, authors map[string]string, home string) []string {
	all := map[string]string{"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": home}
	for _, variable := range images {
		name, value, _ := strings.Cut(variable, "=")
		all[name] = value
	}
	maps.Copy(all, authors)
	var env []string
	for _, name := range slices.Sorted(maps.Keys(all)) {
		env = append(env, name+"="+all[name])
	}
	return env
}

// rlimits keep a container's open files to what is usual, and to what this process may give.
func rlimits() []specs.POSIXRlimit {
	var files unix.Rlimit
	if unix.Getrlimit(unix.RLIMIT_NOFILE, &files) != nil {
		return nil
	}
	hard := min(files.Max, 1<<20)
	return []specs.POSIXRlimit{{Type: "RLIMIT_NOFILE", Hard: hard, Soft: min(hard, 1024)}}
}

// masked are the files of /proc and /sys that tell of the host, or let it be changed.
func masked() []string {
	return []string{
		"/proc/acpi", "/proc/asound", "/proc/interrupts", "/proc/kcore", "/proc/keys", "/proc/latency_stats", "/proc/sched_debug",
		"/proc/scsi", "/proc/timer_list", "/proc/timer_stats", "/sys/devices/virtual/powercap", "/sys/firmware",
	}
}

func readonly() []string {
	return []string{"/proc/bus", "/proc/fs", "/proc/irq", "/proc/sys", "/proc/sysrq-trigger"}
}

// commandOf is what runs: the author's script, or the author's command behind the image's entrypoint.
func (in *input) commandOf(img image.Image) ([]string, error) {
	if in.Script != nil {
		return []string{"/bin/sh", "-e", "-c", *in.Script}, nil
	}
	command := in.Command
	if len(command) == 0 {
		command = img.Config.Cmd
	}
	if command = append(slices.Clone(img.Config.Entrypoint), command...); len(command) == 0 {
		return nil, sdk.Invalidf("command", "the image has no command of its own: name one")
	}
	return command, nil
}
