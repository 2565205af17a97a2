//go:build unix

// Command tamper is an OCI runtime that does not do what it is told: it takes runc's place, and changes the configuration of a container in
// whose environment TAMPER names a way, before runc makes it. Tests show with it that what is asked for is also looked at.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	specs "github.com/opencontainers/runtime-spec/specs-go"
)

// ways are what can be changed, by name.
func ways() map[string]func(*specs.Spec) {
	return map[string]func(*specs.Spec){
		"memory":        func(s *specs.Spec) { s.Linux.Resources.Memory = nil },
		"memory_higher": func(s *specs.Spec) { double(s.Linux.Resources.Memory.Limit, s.Linux.Resources.Memory.Swap) },
		"memory_swap":   func(s *specs.Spec) { s.Linux.Resources.Memory.Swap = nil },
		"cpus":          func(s *specs.Spec) { s.Linux.Resources.CPU = nil },
		"cpus_higher":   func(s *specs.Spec) { double(s.Linux.Resources.CPU.Quota) },
		"pids":          func(s *specs.Spec) { s.Linux.Resources.Pids = nil },

		"no_new_privileges": func(s *specs.Spec) { s.Process.NoNewPrivileges = false },
		"read_only":         func(s *specs.Spec) { s.Root.Readonly = false },
		"seccomp":           func(s *specs.Spec) { s.Linux.Seccomp = nil },
		"seccomp_allow":     func(s *specs.Spec) { s.Linux.Seccomp.DefaultAction, s.Linux.Seccomp.Syscalls = specs.ActAllow, nil },

		"bounding":  func(s *specs.Spec) { add(&s.Process.Capabilities.Bounding) },
		"effective": func(s *specs.Spec) { add(&s.Process.Capabilities.Permitted, &s.Process.Capabilities.Effective) },
		"permitted": func(s *specs.Spec) { add(&s.Process.Capabilities.Permitted) },
		// The kernel lets nobody inherit what is not in the bounding set.
		"inheritable": func(s *specs.Spec) { add(&s.Process.Capabilities.Bounding, &s.Process.Capabilities.Inheritable) },
		"ambient": func(s *specs.Spec) {
			c := s.Process.Capabilities
			add(&c.Bounding, &c.Permitted, &c.Inheritable, &c.Ambient)
		},

		"user_namespace": func(s *specs.Spec) {
			without(s, specs.UserNamespace)
			s.Linux.UIDMappings, s.Linux.GIDMappings = nil, nil
		},
		"user_of_host": func(s *specs.Spec) {
			s.Linux.UIDMappings = append(s.Linux.UIDMappings, specs.LinuxIDMapping{ContainerID: 1 << 20, HostID: 0, Size: 1})
		},
		"network_namespace": func(s *specs.Spec) {
			without(s, specs.NetworkNamespace)
			hostMount(s, "sysfs", "/sys")
		},
		"pid_namespace": func(s *specs.Spec) {
			without(s, specs.PIDNamespace)
			hostMount(s, "proc", "/proc")
		},
		"ipc_namespace": func(s *specs.Spec) {
			without(s, specs.IPCNamespace)
			s.Mounts = slices.DeleteFunc(s.Mounts, func(m specs.Mount) bool { return m.Type == "mqueue" })
		},
		"uts_namespace": func(s *specs.Spec) {
			without(s, specs.UTSNamespace)
			s.Hostname = ""
		},
	}
}

// interfaceAdded leaves the container a second network interface: its network is one that TAMPER_NETNS names.
func interfaceAdded(s *specs.Spec) {
	hostMount(s, "sysfs", "/sys")
	for i := range s.Linux.Namespaces {
		if s.Linux.Namespaces[i].Type == specs.NetworkNamespace {
			s.Linux.Namespaces[i].Path = variable(s, "TAMPER_NETNS")
		}
	}
}

// hostMount puts the host's mount in the place of a container's own, which takes a namespace of its own to make.
func hostMount(s *specs.Spec, kind, path string) {
	for i := range s.Mounts {
		if s.Mounts[i].Type == kind {
			s.Mounts[i] = specs.Mount{Destination: path, Type: "bind", Source: path, Options: []string{"rbind", "ro"}}
		}
	}
}

func double(limits ...*int64) {
	for _, l := range limits {
		*l *= 2
	}
}

// add adds a capability to sets.
func add(sets ...*[]string) {
	for _, set := range sets {
		*set = append(*set, "CAP_NET_BIND_SERVICE")
	}
}

func without(s *specs.Spec, kind specs.LinuxNamespaceType) {
	s.Linux.Namespaces = slices.DeleteFunc(s.Linux.Namespaces, func(n specs.LinuxNamespace) bool { return n.Type == kind })
}

func main() {
	err := tamper(os.Args[1:])
	if os.Getenv("PATH") == "" { // as conmon leaves it
		err = errors.Join(err, os.Setenv("PATH", "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"))
	}
	if err == nil {
		var runc string
		if runc, err = exec.LookPath("runc"); err == nil {
			err = syscall.Exec(runc, append([]string{"runc"}, os.Args[1:]...), os.Environ())
		}
	}
	fmt.Fprintln(os.Stderr, "tamper:", err)
	os.Exit(1)
}

// tamper changes the bundle that a container is about to be made of.
func tamper(args []string) error {
	at := slices.IndexFunc(args, func(a string) bool { return a == "--bundle" || a == "-b" })
	if !slices.Contains(args, "create") || at < 0 || at+1 >= len(args) {
		return nil
	}
	file := filepath.Join(args[at+1], "config.json")
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	var s specs.Spec
	if err := json.Unmarshal(data, &s); err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	way := variable(&s, "TAMPER")
	change, known := ways()[way]
	switch {
	case way == "":
		return nil
	case way == "interface":
		change = interfaceAdded
	case !known:
		return fmt.Errorf("there is no way %q", way)
	}
	change(&s)
	if data, err = json.Marshal(s); err != nil {
		return err
	}
	return os.WriteFile(file, data, 0o600)
}

func variable(s *specs.Spec, name string) string {
	for _, v := range s.Process.Env {
		if value, ok := strings.CutPrefix(v, name+"="); ok {
			return value
		}
	}
	return ""
}
