package doctor

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/containers/podman/v5/libpod/define"
	nettypes "go.podman.io/common/libnetwork/types"
	"go.podman.io/storage/pkg/idtools"

	"github.com/containerpub/cpub/plugins/podman/internal/client"
	"github.com/containerpub/cpub/plugins/podman/internal/hostfs"
	"github.com/containerpub/cpub/plugins/podman/internal/identity"
	"github.com/containerpub/cpub/sdk"
)

// made is a machine that a test makes up: facts, and files below a folder.
type made struct {
	*Facts
	t     *testing.T
	usage Usage
}

// write writes a file of the machine.
func (m *made) write(path, text string, mode fs.FileMode) {
	m.t.Helper()
	name := m.Host.path(path)
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		m.t.Fatal(err)
	}
	m.chmod(path, mode)
}

func (m *made) chmod(path string, mode fs.FileMode) {
	m.t.Helper()
	if err := os.Chmod(m.Host.path(path), mode); err != nil {
		m.t.Fatal(err)
	}
}

func (m *made) remove(path string) {
	m.t.Helper()
	if err := os.RemoveAll(m.Host.path(path)); err != nil {
		m.t.Fatal(err)
	}
}

// add adds a line to a file, as `tee -a` does.
func (m *made) add(path, line string) { m.write(path, m.Host.Read(path)+"\n"+line+"\n", 0o644) }

// healthy is a machine on which nothing is wrong.
func healthy(t *testing.T, rootless bool) *made {
	t.Helper()
	locks := uint32(2000)
	m := &made{t: t, usage: Usage{Free: 100 << 30, Size: 200 << 30, FreeInodes: 1 << 20, Inodes: 1 << 21}}
	m.Facts = &Facts{
		Target: client.Target{URI: "unix:///run/podman/podman.sock", Source: "the user's socket"}, Local: true,
		Host: &Host{Root: t.TempDir(), Usage: func(string) (Usage, error) { return m.usage, nil }},
		User: User{Name: "root", Home: "/root"}, Env: map[string]string{}, Now: time.Now(),
		Rlimits: "Limit Soft Hard Units\nMax processes 1024 96364 processes\nMax open files 1024 1048576 files\n",
		Info: &define.Info{
			Host: &define.HostInfo{
				CgroupManager: "systemd", CgroupsVersion: "v2", CgroupControllers: []string{"cpu", "io", "memory", "pids"},
				Conmon: &define.ConmonInfo{Path: "/usr/bin/conmon"}, DatabaseBackend: "sqlite", FreeLocks: &locks, Kernel: "6.1.0-18-amd64",
				OCIRuntime:     &define.OCIRuntimeInfo{Name: "crun", Path: "/usr/bin/crun", Version: "crun version 1.19\ncommit: x"},
				NetworkBackend: "netavark", RootlessNetworkCmd: "pasta", Pasta: define.PastaInfo{Executable: "/usr/bin/pasta"},
				NetworkBackendInfo: nettypes.NetworkInfo{Path: "/usr/lib/podman/netavark", DNS: nettypes.DNSNetworkInfo{Path: "/usr/lib/podman/aardvark-dns"}},
				Security:           define.SecurityInfo{Rootless: rootless, SECCOMPEnabled: true, SECCOMPProfilePath: "/usr/share/containers/seccomp.json", SELinuxEnabled: true},
			},
			Store:   &define.StoreInfo{GraphDriverName: "overlay", GraphRoot: "/var/lib/containers/storage", ImageCopyTmpDir: "/var/tmp"},
			Version: define.Version{Version: "5.8.2", APIVersion: "5.8.2"},
		},
	}
	m.Files = m.Host
	for _, program := range []string{"/usr/bin/conmon", "/usr/bin/crun", "/usr/bin/runc", "/usr/bin/pasta", "/usr/bin/slirp4netns", "/usr/bin/catatonit", "/usr/lib/podman/netavark", "/usr/lib/podman/aardvark-dns"} {
		m.write(program, "", 0o755)
	}
	m.write("/usr/share/containers/seccomp.json", "{}", 0o644)
	m.write("/sys/fs/selinux/enforce", "1", 0o644)
	m.write("/run/systemd/system/x", "", 0o644)
	m.write("/proc/sys/user/max_user_namespaces", "15000\n", 0o644)
	m.write("/etc/passwd", "root:x:0:0:root:/root:/bin/sh\nada:x:1000:1000::/home/ada:/bin/sh\n", 0o644)
	for _, file := range idFiles() {
		m.write(file, "ada:100000:65536\ncontainers:1000000:1048576\n", 0o644)
	}
	if rootless {
		m.makeRootless()
	}
	return m
}

func (m *made) makeRootless() {
	m.User = User{Name: "ada", Home: "/home/ada", UID: os.Getuid()} // the user's folder must be the test's own
	dir := fmt.Sprintf("/run/user/%d", m.User.UID)
	m.write(dir+"/bus", "", 0o600)
	m.chmod(dir, 0o700)
	m.write("/var/lib/systemd/linger/ada", "", 0o644)
	m.write("/usr/bin/newuidmap", "", 0o755|fs.ModeSetuid)
	m.write("/usr/bin/newgidmap", "", 0o755|fs.ModeSetuid)
	m.Info.Host.IDMappings.UIDMap = []idtools.IDMap{{Size: 1}, {ContainerID: 1, HostID: 100000, Size: 65536}}
}

// named are the findings of one check.
func named(found []sdk.Finding, name string) []sdk.Finding {
	return slices.DeleteFunc(slices.Clone(found), func(f sdk.Finding) bool { return f.Name != name })
}

func TestNothingIsWrong(t *testing.T) {
	for _, rootless := range []bool{false, true} {
		for _, f := range Judge(healthy(t, rootless).Facts) {
			if !f.OK || f.Remedy != "" || f.Detail == "" {
				t.Errorf("rootless %v: %+v", rootless, f)
			}
		}
	}
}

// wrong is one thing that can be wrong: how it comes, how it is told, and what the remedy says, done.
type wrong struct {
	check, name string
	rootless    bool
	cause       func(m *made)
	warning     bool
	detail      string // part of it
	remedy      string // part of it: what cure does
	cure        func(m *made)
}

// TestEachFault causes everything that the doctor knows, does what its remedy says, and finds nothing wrong afterwards.
func TestEachFault(t *testing.T) {
	caused := map[string]bool{}
	for _, w := range slices.Concat(connectionFaults(), hostFaults(), idFaults(), programFaults(), storeFaults(), sessionFaults()) {
		caused[w.check] = true
		t.Run(w.check+" "+w.name, func(t *testing.T) {
			m := healthy(t, w.rootless)
			w.cause(m)
			found := named(Judge(m.Facts), w.check)
			if len(found) != 1 || found[0].OK || found[0].Warning != w.warning {
				t.Fatalf("caused, it is found as %+v", found)
			}
			if !strings.Contains(found[0].Detail, w.detail) || !strings.Contains(found[0].Remedy, w.remedy) || w.remedy == "" {
				t.Errorf("it says %q, and to do %q", found[0].Detail, found[0].Remedy)
			}
			w.cure(m)
			for _, f := range named(Judge(m.Facts), w.check) {
				if !f.OK {
					t.Errorf("after the remedy: %+v", f)
				}
			}
		})
	}
	for _, name := range Names() {
		if !caused[name] {
			t.Errorf("no test causes %s", name)
		}
	}
}

// unreachable has nobody answer.
func unreachable(m *made, err error) { m.Info, m.Err = nil, err }

// answers is the service that answers again, as the healthy machine's does.
func answers(m *made) { m.Info, m.Err, m.Socket = healthy(m.t, m.rootless()).Info, nil, nil }

func connectionFaults() []wrong {
	refused := errors.New("connecting to Podman: connection refused")
	dead := func(socket error) func(m *made) {
		return func(m *made) { unreachable(m, refused); m.Socket = socket }
	}
	return []wrong{
		{check: "podman_installed", detail: "no Podman service was found", remedy: "apt-get install podman", cause: func(m *made) {
			m.Target = client.Target{Source: "a service of its own"}
			unreachable(m, fmt.Errorf("starting: %w", &exec.Error{Name: "podman", Err: exec.ErrNotFound}))
		}, cure: func(m *made) { answers(m); m.Own = true }},
		{check: "podman_socket", name: "missing", detail: "there is no socket", remedy: "systemctl enable --now podman.socket", cause: dead(fs.ErrNotExist), cure: answers},
		{check: "podman_socket", name: "of a user", rootless: true, detail: "there is no socket", remedy: "systemctl --user enable --now podman.socket", cause: func(m *made) {
			dead(fs.ErrNotExist)(m)
			m.User.UID = 1000
		}, cure: answers},
		{check: "podman_socket", name: "stale", detail: "a service that is gone left the socket", remedy: "podman system service --time=0", cause: dead(syscall.ECONNREFUSED), cure: answers},
		{check: "podman_socket", name: "forbidden", detail: "may not be used by uid", remedy: "run the worker as the user", cause: dead(fs.ErrPermission), cure: answers},
		{check: "podman_socket", name: "a file", detail: "is no socket", remedy: "name Podman's socket", cause: dead(errNoSocket), cure: answers},
		{check: "podman_socket", name: "else", detail: "cannot be reached", remedy: "start the service", cause: dead(syscall.EIO), cure: answers},
		{check: "podman_machine", detail: "does not answer", remedy: "podman machine start default", cause: func(m *made) {
			unreachable(m, refused)
			m.Target, m.Machine = client.Target{URI: "ssh://core@127.0.0.1:1/run/podman.sock", Source: "Podman's default connection"}, "default"
			m.Local, m.Host, m.Files = false, nil, nil
		}, cure: answers},
		{check: "podman_api", detail: "too old", remedy: "upgrade Podman", cause: func(m *made) {
			unreachable(m, errors.New(`server API version is too old. Client "4.0.0" server "3.4.4"`))
		}, cure: answers},
		{check: "podman_connection", detail: "not Podman", remedy: "set `connection`", cause: func(m *made) { unreachable(m, errors.New("it is not Podman")) }, cure: answers},
		{check: "podman_connection", name: "own", detail: "ended at once", remedy: "podman info", cause: func(m *made) {
			m.Own = true
			unreachable(m, errors.New("podman system service ended at once"))
		}, cure: answers},
		{check: "podman_connection", name: "ssh", detail: "unknown key", remedy: "`host_key` or `known_hosts`", cause: func(m *made) {
			m.Target.URI = "ssh://root@host/run/podman/podman.sock"
			unreachable(m, errors.New("unknown key"))
		}, cure: answers},
		{check: "podman_connection", name: "tcp", detail: "no certificate", remedy: "`tls_ca`", cause: func(m *made) {
			m.Target.URI = "tcp://host:1234"
			unreachable(m, errors.New("no certificate"))
		}, cure: answers},
		{check: "podman_host", warning: true, detail: "cannot be seen from here", remedy: "there too", cause: func(m *made) { m.Host, m.Files, m.Local = nil, nil, false }, cure: func(m *made) {
			m.Facts = healthy(m.t, false).Facts // looked at there
		}},
		{check: "podman_host", name: "machine", warning: true, detail: "in a virtual machine", remedy: "podman machine ssh", cause: func(m *made) { m.Host, m.Files = nil, nil }, cure: func(m *made) {
			m.Facts = healthy(m.t, false).Facts
		}},
		{check: "podman_version", warning: true, detail: "CVE-2024-1753", remedy: "upgrade to Podman 4.9.4", cause: func(m *made) { m.Info.Version.Version = "4.9.3" }, cure: func(m *made) {
			m.Info.Version.Version = "4.9.4"
		}},
		{check: "podman_version", name: "candidate", warning: true, detail: "CVE-2024-1753", remedy: "upgrade", cause: func(m *made) { m.Info.Version.Version = "4.9.0-rc1" }, cure: func(m *made) {
			m.Info.Version.Version = "5.0.0-dev"
		}},
		{check: "podman_database", warning: true, detail: "BoltDB", remedy: "database_backend", cause: func(m *made) { m.Info.Host.DatabaseBackend = "boltdb" }, cure: func(m *made) {
			m.Info.Host.DatabaseBackend = "sqlite"
		}},
	}
}

func hostFaults() []wrong {
	return []wrong{
		{check: "podman_cgroups", warning: true, detail: "cgroups v1", remedy: "systemd.unified_cgroup_hierarchy=1", cause: func(m *made) { m.Info.Host.CgroupsVersion = "v1" }, cure: func(m *made) {
			m.Info.Host.CgroupsVersion = "v2"
		}},
		{check: "podman_cgroup_manager", detail: "does not run it", remedy: "cgroup_manager = \"cgroupfs\"", cause: func(m *made) { m.remove("/run/systemd") }, cure: func(m *made) {
			m.Info.Host.CgroupManager = "cgroupfs"
		}},
		{check: "podman_cgroup_manager", name: "without a session", rootless: true, detail: "/bus is not there", remedy: "loginctl enable-linger ada", cause: func(m *made) {
			m.remove(m.runtimeFolder() + "/bus")
		}, cure: func(m *made) { m.write(m.runtimeFolder()+"/bus", "", 0o600) }},
		{check: "podman_controllers", rootless: true, detail: "lacks the controllers cpu", remedy: "Delegate=cpu", cause: func(m *made) { m.Info.Host.CgroupControllers = []string{"memory", "pids"} }, cure: func(m *made) {
			m.Info.Host.CgroupControllers = []string{"cpu", "cpuset", "io", "memory", "pids"}
		}},
		{check: "podman_controllers", name: "rootful", detail: "lacks the controllers memory", remedy: "cgroup_enable=memory", cause: func(m *made) { m.Info.Host.CgroupControllers = []string{"cpu", "pids"} }, cure: func(m *made) {
			m.Info.Host.CgroupControllers = append(m.Info.Host.CgroupControllers, "memory")
		}},
		{check: "podman_limits", rootless: true, detail: "ignores limits", remedy: "use rootful Podman", cause: func(m *made) {
			m.Unenforced = errors.New("the container was not started: rootless Podman ignores limits; use rootful Podman; or accept it")
		}, cure: func(m *made) { m.Unenforced = nil }},
		{check: "podman_swap", detail: "does not count", remedy: "swapoff", cause: func(m *made) { m.Info.Host.SwapTotal = 1 << 30 }, cure: func(m *made) { m.Info.Host.SwapTotal = 0 }},
		{check: "podman_swap", name: "v2", detail: "does not count", remedy: "swapaccount=1", cause: func(m *made) { m.Info.Host.SwapTotal = 1 << 30 }, cure: func(m *made) {
			m.write("/sys/fs/cgroup/system.slice/memory.swap.max", "max", 0o644)
		}},
		{check: "podman_swap", name: "v1", detail: "does not count", remedy: "swapaccount=1", cause: func(m *made) { m.Info.Host.SwapTotal, m.Info.Host.CgroupsVersion = 1<<30, "v1" }, cure: func(m *made) {
			m.write("/sys/fs/cgroup/memory/memory.memsw.limit_in_bytes", "1", 0o644)
		}},
		{check: "podman_seccomp", detail: "not filtered", remedy: "built with seccomp", cause: func(m *made) { m.Info.Host.Security.SECCOMPEnabled = false }, cure: func(m *made) {
			m.Info.Host.Security.SECCOMPEnabled = true
		}},
		{check: "podman_seccomp", name: "unconfined", detail: "unconfined", remedy: "correct `seccomp_profile`", cause: func(m *made) { m.Info.Host.Security.SECCOMPProfilePath = "unconfined" }, cure: func(m *made) {
			m.Info.Host.Security.SECCOMPProfilePath = "default"
		}},
		{check: "podman_seccomp", name: "no profile", detail: "is not there", remedy: "install the profile", cause: func(m *made) { m.remove("/usr/share/containers") }, cure: func(m *made) {
			m.write("/usr/share/containers/seccomp.json", "{}", 0o644)
		}},
		{check: "podman_selinux", warning: true, detail: "permissive", remedy: "setenforce 1", cause: func(m *made) { m.write("/sys/fs/selinux/enforce", "0", 0o644) }, cure: func(m *made) {
			m.write("/sys/fs/selinux/enforce", "1", 0o644)
		}},
		{check: "podman_selinux", name: "no labels", warning: true, detail: "no labels", remedy: "remove `label = false`", cause: func(m *made) { m.Info.Host.Security.SELinuxEnabled = false }, cure: func(m *made) {
			m.Info.Host.Security.SELinuxEnabled = true
		}},
	}
}

func idFaults() []wrong {
	return []wrong{
		{check: "podman_userns", detail: "the root of a container is the host's", remedy: "`echo containers:1000000:1048576 | tee -a /etc/subuid /etc/subgid`", cause: func(m *made) {
			m.write("/etc/subuid", "ada:100000:65536\n", 0o644)
			m.remove("/etc/subgid")
		}, cure: func(m *made) {
			for _, file := range idFiles() {
				m.add(file, "containers:1000000:1048576")
			}
		}},
		{check: "podman_subuids", rootless: true, detail: "ada has 1000 in /etc/subuid", remedy: "`echo ada:2097152:65536 | tee -a /etc/subuid`", cause: func(m *made) {
			m.write("/etc/subuid", "ada:100000:1000\ncontainers:1000000:1048576\n", 0o644)
		}, cure: func(m *made) { m.add("/etc/subuid", "ada:2097152:65536") }},
		{check: "podman_subuids", name: "not read", rootless: true, detail: `the line "ada:100000" is not`, remedy: "correct that line", cause: func(m *made) {
			m.write("/etc/subgid", "ada:100000\n", 0o644)
		}, cure: func(m *made) { m.write("/etc/subgid", "ada:100000:65536\n", 0o644) }},
		{check: "podman_subid_overlap", rootless: true, detail: "bob:150000:65536 share ids", remedy: "give ada ids of its own", cause: func(m *made) {
			m.add("/etc/subuid", "bob:150000:65536")
		}, cure: func(m *made) { m.write("/etc/subuid", "ada:2097152:65536\nbob:150000:65536\n", 0o644) }},
		{check: "podman_subid_overlap", name: "an account", detail: "the id of the account eve", remedy: "that no account has", cause: func(m *made) {
			m.add("/etc/passwd", "eve:x:1000001:1::/:/bin/sh")
		}, cure: func(m *made) { m.write("/etc/subuid", "containers:2097152:1048576\n", 0o644) }},
		{check: "podman_newuidmap", rootless: true, detail: "newuidmap is not installed", remedy: "apt-get install uidmap", cause: func(m *made) { m.remove("/usr/bin/newuidmap") }, cure: func(m *made) {
			m.write("/usr/bin/newuidmap", "", 0o755|fs.ModeSetuid)
		}},
		{check: "podman_newuidmap", name: "without privileges", rootless: true, detail: "newgidmap runs without privileges", remedy: "`chmod u+s /usr/bin/newgidmap`", cause: func(m *made) {
			m.chmod("/usr/bin/newgidmap", 0o755)
		}, cure: func(m *made) { m.chmod("/usr/bin/newgidmap", 0o755|fs.ModeSetuid) }},
		{check: "podman_kernel_userns", detail: "allows no user namespaces", remedy: "sysctl -w user.max_user_namespaces=15000", cause: func(m *made) {
			m.write("/proc/sys/user/max_user_namespaces", "0\n", 0o644)
		}, cure: func(m *made) { m.write("/proc/sys/user/max_user_namespaces", "15000\n", 0o644) }},
		{check: "podman_kernel_userns", name: "without privileges", rootless: true, detail: "users without privileges", remedy: "kernel.unprivileged_userns_clone=1", cause: func(m *made) {
			m.write("/proc/sys/kernel/unprivileged_userns_clone", "0\n", 0o644)
		}, cure: func(m *made) { m.write("/proc/sys/kernel/unprivileged_userns_clone", "1\n", 0o644) }},
		{check: "podman_kernel_userns", name: "AppArmor", rootless: true, detail: "AppArmor", remedy: "/etc/apparmor.d/podman", cause: func(m *made) {
			m.write("/proc/sys/kernel/apparmor_restrict_unprivileged_userns", "1\n", 0o644)
		}, cure: func(m *made) { m.write("/etc/apparmor.d/podman", "", 0o644) }},
		{check: "podman_idmap", rootless: true, detail: "older than that line", remedy: "podman system migrate", cause: func(m *made) { m.Info.Host.IDMappings.UIDMap = []idtools.IDMap{{Size: 1}} }, cure: func(m *made) {
			m.Info.Host.IDMappings.UIDMap = []idtools.IDMap{{Size: 1}, {Size: 65536}}
		}},
	}
}

func programFaults() []wrong {
	runc := func(m *made) { m.Info.Host.OCIRuntime = &define.OCIRuntimeInfo{Name: "runc", Path: "/usr/bin/runc"} }
	return []wrong{
		{check: "podman_runtime", name: "missing", detail: "is not there", remedy: "install runc", cause: func(m *made) { m.remove("/usr/bin/crun") }, cure: runc},
		{check: "podman_runtime", name: "none", detail: "no OCI runtime", remedy: "runtime = \"runc\"", cause: func(m *made) { m.Info.Host.OCIRuntime = nil }, cure: runc},
		{check: "podman_runtime", name: "not started", detail: "not found", remedy: "runtime = \"runc\"", cause: func(m *made) {
			unreachable(m, errors.New(`default OCI runtime "crun" not found: invalid argument`))
		}, cure: func(m *made) { answers(m); runc(m) }},
		{check: "podman_runtime", name: "hybrid", detail: "hybrid layout", remedy: "runtime = \"runc\"", cause: func(m *made) {
			m.Info.Host.CgroupsVersion = "v1"
			m.write("/sys/fs/cgroup/unified/cgroup.procs", "", 0o644)
		}, cure: runc},
		{check: "podman_runtime", name: "old", detail: "crun 1.8.1 does not know", remedy: "upgrade crun", cause: func(m *made) { m.Info.Host.OCIRuntime.Version = "crun version 1.8.1\ncommit: f" }, cure: func(m *made) {
			m.Info.Host.OCIRuntime.Version = "crun version 1.14.3\ncommit: f"
		}},
		{check: "podman_conmon", detail: "no conmon", remedy: "apt-get install conmon", cause: func(m *made) { m.remove("/usr/bin/conmon") }, cure: func(m *made) { m.write("/usr/bin/conmon", "", 0o755) }},
		{check: "podman_conmon", name: "not started", detail: "could not find", remedy: "correct `conmon_path`", cause: func(m *made) {
			unreachable(m, errors.New("could not find a working conmon binary"))
		}, cure: answers},
		{check: "podman_init", warning: true, detail: "nobody reaps", remedy: "apt-get install catatonit", cause: func(m *made) { m.remove("/usr/bin/catatonit") }, cure: func(m *made) {
			m.write("/usr/libexec/podman/catatonit", "", 0o755)
		}},
		{check: "podman_network_backend", warning: true, detail: "CNI", remedy: "remove `network_backend`", cause: func(m *made) { m.Info.Host.NetworkBackend = "cni" }, cure: func(m *made) {
			m.Info.Host.NetworkBackend = "netavark"
		}},
		{check: "podman_network_backend", name: "missing", warning: true, detail: "netavark is not there", remedy: "apt-get install netavark", cause: func(m *made) {
			m.remove("/usr/lib/podman/netavark")
		}, cure: func(m *made) { m.write("/usr/lib/podman/netavark", "", 0o755) }},
		{check: "podman_network_backend", name: "unknown", warning: true, detail: `"wires"`, remedy: "install netavark", cause: func(m *made) { m.Info.Host.NetworkBackend = "wires" }, cure: func(m *made) {
			m.Info.Host.NetworkBackend = "netavark"
		}},
		{check: "podman_dns", warning: true, detail: "aardvark-dns is not there", remedy: "apt-get install aardvark-dns", cause: func(m *made) {
			m.remove("/usr/lib/podman/aardvark-dns")
			m.Info.Host.NetworkBackendInfo.DNS.Path = ""
		}, cure: func(m *made) { m.write("/usr/lib/podman/aardvark-dns", "", 0o755) }},
		{check: "podman_rootless_network", rootless: true, warning: true, detail: "pasta is not installed", remedy: "default_rootless_network_cmd = \"slirp4netns\"", cause: func(m *made) {
			m.remove("/usr/bin/pasta")
			m.Info.Host.Pasta.Executable = ""
		}, cure: func(m *made) {
			m.Info.Host.RootlessNetworkCmd, m.Info.Host.Slirp4NetNS.Executable = "slirp4netns", "/usr/bin/slirp4netns"
		}},
		{check: "podman_rootless_network", name: "old", rootless: true, warning: true, detail: "slirp4netns is not installed", remedy: "apt-get install slirp4netns", cause: func(m *made) {
			m.remove("/usr/bin/slirp4netns")
			m.Info.Host.RootlessNetworkCmd = "" // as Podman 4.3.1
		}, cure: func(m *made) { m.write("/usr/bin/slirp4netns", "", 0o755) }},
	}
}

func storeFaults() []wrong {
	return []wrong{
		{check: "podman_storage_driver", warning: true, detail: "vfs", remedy: "driver = \"overlay\"", cause: func(m *made) { m.Info.Store.GraphDriverName = "vfs" }, cure: func(m *made) {
			m.Info.Store.GraphDriverName = "overlay"
		}},
		{check: "podman_overlay", warning: true, detail: "fuse-overlayfs", remedy: "remove `mount_program`", cause: func(m *made) {
			m.Info.Store.GraphOptions = map[string]any{"overlay.mount_program": map[string]any{"Executable": "/usr/bin/fuse-overlayfs"}}
		}, cure: func(m *made) { m.Info.Store.GraphOptions = nil }},
		{check: "podman_overlay", name: "path", warning: true, detail: "fuse-overlayfs", remedy: "remove `mount_program`", cause: func(m *made) {
			m.Info.Store.GraphOptions = map[string]any{"overlay.mount_program": "/usr/bin/fuse-overlayfs"}
		}, cure: func(m *made) { m.Info.Host.Kernel = "4.18.0-500.el8" }},
		{check: "podman_space", detail: "has 1023.0 MiB left", remedy: "podman image prune", cause: func(m *made) { m.usage.Free = tightSpace - 1<<20 }, cure: func(m *made) { m.usage.Free = smallSpace }},
		{check: "podman_space", name: "small", warning: true, detail: "has 1.0 GiB left", remedy: "more room", cause: func(m *made) { m.usage.Free = tightSpace }, cure: func(m *made) { m.usage.Free = smallSpace }},
		{check: "podman_space", name: "elsewhere", detail: "has 4 KiB left", remedy: "podman image prune", cause: func(m *made) {
			m.Host, m.Info.Store.GraphRootAllocated, m.Info.Store.GraphRootUsed = nil, 100<<30, 100<<30-4096
		}, cure: func(m *made) { m.Info.Store.GraphRootUsed = 50 << 30 }},
		{check: "podman_space", name: "unknown", detail: "cannot be looked at", remedy: "let the worker's user", cause: func(m *made) {
			m.Host.Usage = func(string) (Usage, error) { return Usage{}, fs.ErrPermission }
		}, cure: func(m *made) { m.Host.Usage = func(string) (Usage, error) { return m.usage, nil } }},
		{check: "podman_inodes", detail: "has 5 inodes left", remedy: "podman image prune", cause: func(m *made) { m.usage.FreeInodes = 5 }, cure: func(m *made) { m.usage.FreeInodes = fewInodes }},
		{check: "podman_tmp_space", detail: "/var/tmp", remedy: "image_copy_tmp_dir", cause: func(m *made) { m.usage.Free = 1 << 20 }, cure: func(m *made) { m.usage.Free = 10 << 30 }},
		{check: "podman_locks", warning: true, detail: "63 locks", remedy: "podman volume prune", cause: func(m *made) { *m.Info.Host.FreeLocks = fewLocks - 1 }, cure: func(m *made) { *m.Info.Host.FreeLocks = fewLocks }},
		{check: "podman_leftovers", warning: true, detail: "2 containers of ours", remedy: "podman container prune", cause: func(m *made) {
			m.Ended = []Ended{{"a", "w/r", m.Now.Add(-time.Hour)}, {"b", "w/r", m.Now.Add(-48 * time.Hour)}, {"c", "w/r", m.Now.Add(-25 * time.Hour)}}
		}, cure: func(m *made) { m.Ended = m.Ended[:1] }},
		{check: "podman_leftovers", name: "unknown", detail: "cannot be listed", remedy: "podman ps --all", cause: func(m *made) { m.Reading = errors.New("listing") }, cure: func(m *made) { m.Reading = nil }},
		{check: "podman_identity", detail: "not ours", remedy: "podman volume rm cpub-identity", cause: func(m *made) { m.Identity = map[string]string{} }, cure: func(m *made) { m.Identity = nil }},
		{check: "podman_identity", name: "other label", detail: "not ours", remedy: "podman volume rm", cause: func(m *made) { m.Identity = map[string]string{"a": "b"} }, cure: func(m *made) {
			m.Identity = map[string]string{identity.Label: "x"}
		}},
		{check: "podman_registry_ca", detail: "Podman has no CA for registry r:5000", remedy: "/etc/containers/certs.d/r:5000/ca.crt", cause: func(m *made) {
			m.Registries = []sdk.Registry{{Host: "r:5000", CA: "no certificate"}}
		}, cure: func(m *made) { m.Own = true }},
	}
}

func sessionFaults() []wrong {
	return []wrong{
		{check: "podman_rlimits", warning: true, detail: "1024 open files and 100 processes", remedy: "LimitNOFILE", cause: func(m *made) {
			m.Rlimits = "Max processes 100 100 processes\nMax open files 1024 1024 files\n"
		}, cure: func(m *made) {
			m.Rlimits = "Max processes unlimited unlimited processes\nMax open files 1024 1048576 files\n"
		}},
		{check: "podman_runtime_dir", rootless: true, detail: "is not there", remedy: "loginctl enable-linger ada", cause: func(m *made) { m.remove("/run/user") }, cure: func(m *made) { m.makeRootless() }},
		{check: "podman_runtime_dir", name: "without systemd", rootless: true, detail: "is not there", remedy: "install -d -m 700 -o ada /run/user/", cause: func(m *made) {
			m.remove("/run")
		}, cure: func(m *made) { m.makeRootless() }},
		{check: "podman_runtime_dir", name: "open", rootless: true, detail: "open to other users (0755)", remedy: "`chmod 700", cause: func(m *made) { m.chmod(m.runtimeFolder(), 0o755) }, cure: func(m *made) {
			m.chmod(m.runtimeFolder(), 0o700)
		}},
		{check: "podman_runtime_dir", name: "of another", rootless: true, detail: "and not to ada", remedy: "`chown ada", cause: func(m *made) {
			m.Env["XDG_RUNTIME_DIR"] = m.runtimeFolder() + "/"
			m.User.UID++
		}, cure: func(m *made) { m.User.UID-- }},
		{check: "podman_linger", rootless: true, warning: true, detail: "last session ends", remedy: "`loginctl enable-linger ada`", cause: func(m *made) { m.remove("/var/lib/systemd/linger") }, cure: func(m *made) {
			m.write("/var/lib/systemd/linger/ada", "", 0o644)
		}},
	}
}

// What one check stumbles over hides no other one.
func TestACheckThatFailsHidesNothing(t *testing.T) {
	m := healthy(t, false)
	want := len(Judge(m.Facts))
	m.Info.Store = nil // no service says so
	found := Judge(m.Facts)
	if len(found) < want-3 {
		t.Errorf("%d findings, of %d", len(found), want)
	}
	if f := named(found, "podman_storage_driver"); len(f) != 1 || f[0].OK || !strings.Contains(f[0].Detail, "could not be looked at") {
		t.Errorf("%+v", f)
	}
}

// Of another machine that is reached by ssh, ids and the kernel's settings are seen, and no fix is offered: it would be one of this machine.
func TestElsewhere(t *testing.T) {
	m := healthy(t, false)
	m.write("/etc/subuid", "ada:100000:65536\n", 0o644)
	m.write("/proc/sys/user/max_user_namespaces", "0\n", 0o644)
	m.copyFiles(t.Context(), rooted{hostfs.Local{}, m.Host.Root})
	m.Host, m.Local = nil, false
	found := Judge(m.Facts)
	if f := named(found, "podman_userns"); len(f) != 1 || f[0].OK || len(f[0].Fixes) > 0 || !strings.Contains(f[0].Remedy, "tee -a /etc/subuid") {
		t.Errorf("%+v", f)
	}
	if f := named(found, "podman_kernel_userns"); len(f) != 1 || f[0].OK {
		t.Errorf("%+v", f)
	}
	if f := named(found, "podman_host"); len(f) != 1 || !f[0].Warning || strings.Contains(f[0].Detail, "ids") {
		t.Errorf("%+v", f)
	}
	for _, name := range []string{"podman_newuidmap", "podman_init", "podman_inodes", "podman_runtime_dir"} {
		if f := named(found, name); len(f) > 0 {
			t.Errorf("it cannot be seen: %+v", f)
		}
	}
	m.Files.Copies["/etc/subuid"] += "containers:1000000:1048576\n"
	if f := named(Judge(m.Facts), "podman_userns"); !f[0].OK {
		t.Errorf("after the remedy: %+v", f)
	}
}

// rooted is a machine below a folder.
type rooted struct {
	hostfs.Host

	root string
}

func (r rooted) ReadFiles(ctx context.Context, names ...string) []hostfs.Content {
	inside := make([]string, len(names))
	for n, name := range names {
		inside[n] = filepath.Join(r.root, name)
	}
	return r.Host.ReadFiles(ctx, inside...)
}
