//go:build integration

package doctor

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/containerpub/cpub/internal/testenv"
	"github.com/containerpub/cpub/plugins/podman/internal/client"
	"github.com/containerpub/cpub/plugins/podman/internal/identity"
	"github.com/containerpub/cpub/plugins/podman/internal/owner"
	"github.com/containerpub/cpub/sdk"
)

// real is a Podman on which a test causes what can be wrong.
type real struct {
	*testenv.Podman
	t *testing.T
}

// variable is one of the service's environment.
func (r *real) variable(name string) string {
	for _, v := range r.Environ {
		if value, ok := strings.CutPrefix(v, name+"="); ok {
			return value
		}
	}
	r.t.Fatalf("Podman has no %s", name)
	return ""
}

// engine sets a line in the section [engine] of containers.conf.
func (r *real) engine(line string) func() {
	r.t.Helper()
	name, _, _ := strings.Cut(line, " ")
	return r.Configure(r.t, "CONTAINERS_CONF", func(text string) string {
		var kept []string
		for _, l := range strings.Split(text, "\n") {
			if !strings.HasPrefix(l, name+" ") {
				kept = append(kept, l)
			}
		}
		return strings.Replace(strings.Join(kept, "\n"), "[engine]\n", "[engine]\n"+line+"\n", 1)
	})
}

func (r *real) look() []sdk.Finding {
	r.t.Helper()
	return Check(r.t.Context(), nil, client.Settings{Connection: r.URI})
}

// wrong checks that something is found, and tells what.
func (r *real) wrong(found []sdk.Finding, name, detail, remedy string) {
	r.t.Helper()
	f := named(found, name)
	if len(f) != 1 || f[0].OK || !strings.Contains(f[0].Detail, detail) || !strings.Contains(f[0].Remedy, remedy) {
		r.t.Errorf("%s: %+v, want %q and %q", name, f, detail, remedy)
	}
}

// well checks that a check finds nothing, and was made.
func (r *real) well(found []sdk.Finding, name string) {
	r.t.Helper()
	if f := named(found, name); len(f) != 1 || !f[0].OK {
		r.t.Errorf("%s after the remedy: %+v", name, f)
	}
}

// TestRealFaults causes at real services what can be caused at them, and does what the remedies say.
func TestRealFaults(t *testing.T) {
	for _, version := range testenv.PodmanVersions {
		t.Run(version, func(t *testing.T) {
			r := &real{testenv.StartPodman(t, version), t}
			before := r.look()
			for _, f := range before {
				if !f.OK && !f.Warning {
					t.Errorf("nothing was done, and %+v", f)
				}
			}
			r.sockets()
			r.programs()
			r.store()
			r.ours()
			r.limits()
		})
	}
}

// sockets kills the service, which leaves its socket, and removes that.
func (r *real) sockets() {
	r.t.Helper()
	r.Kill(r.t)
	r.wrong(r.look(), "podman_socket", "a service that is gone left the socket", "podman system service --time=0 "+r.URI)
	if err := os.Remove(strings.TrimPrefix(r.URI, "unix://")); err != nil {
		r.t.Fatal(err)
	}
	r.wrong(r.look(), "podman_socket", "there is no socket", "podman system service --time=0 "+r.URI)
	r.Restart(r.t)
	r.well(r.look(), "podman_socket")
	r.well(r.look(), "podman_connection")
}

// programs gives Podman others than those that work here.
func (r *real) programs() {
	r.t.Helper()
	undo := r.engine(`cgroup_manager = "systemd"`)
	r.wrong(r.look(), "podman_cgroup_manager", "does not run it", `cgroup_manager = "cgroupfs"`)
	undo()
	r.well(r.look(), "podman_cgroup_manager")

	dir := r.t.TempDir()
	crun := filepath.Join(dir, "crun") // by its name, which is what Podman goes by; Debian's own refuses this layout of cgroups
	if err := os.WriteFile(crun, []byte("#!/bin/sh\nexec runc \"$@\"\n"), 0o755); err != nil {
		r.t.Fatal(err)
	}
	undo = r.Configure(r.t, "CONTAINERS_CONF", func(text string) string {
		return strings.Replace(text, `runtime = "runc"`, `runtime = "crun"`, 1) + fmt.Sprintf("[engine.runtimes]\ncrun = [%q]\n", crun)
	})
	if _, err := os.Stat("/sys/fs/cgroup/unified"); err == nil {
		r.wrong(r.look(), "podman_runtime", "hybrid layout", `runtime = "runc"`)
	}
	undo()
	r.well(r.look(), "podman_runtime")

	if !newer(r.Version, "5.0.0") { // which tells no paths of helpers
		return
	}
	netavark := (&Host{Root: "/"}).Find("netavark", helperFolders()...)
	if err := os.Symlink(netavark, filepath.Join(dir, "netavark")); err != nil {
		r.t.Fatal(err)
	}
	undo = r.engine(fmt.Sprintf("helper_binaries_dir = [%q]", dir))
	found := r.look()
	r.well(found, "podman_network_backend")
	if f := named(found, "podman_dns"); len(f) != 1 {
		r.t.Errorf("podman_dns: %+v", f)
	}
	undo()
	r.well(r.look(), "podman_dns")
}

// store gives Podman a store of another kind, and little room.
func (r *real) store() {
	r.t.Helper()
	undo := r.Configure(r.t, "CONTAINERS_STORAGE_CONF", func(text string) string {
		return text + "[storage.options.overlay]\nmount_program = \"/usr/bin/fuse-overlayfs\"\n"
	})
	r.wrong(r.look(), "podman_overlay", "fuse-overlayfs", "remove `mount_program`")
	undo()
	r.well(r.look(), "podman_overlay")

	// A store that was made with vfs stays so: the remedy makes it anew, here in another folder.
	anew := filepath.Join(filepath.Dir(r.variable("CONTAINERS_STORAGE_CONF")), "vfs")
	undo = r.Configure(r.t, "CONTAINERS_STORAGE_CONF", func(text string) string {
		return strings.ReplaceAll(strings.Replace(text, `"overlay"`, `"vfs"`, 1), "/root\"", "/vfs\"")
	})
	r.wrong(r.look(), "podman_storage_driver", "vfs", `driver = "overlay"`)
	undo()
	r.well(r.look(), "podman_storage_driver")
	if err := os.RemoveAll(anew); err != nil {
		r.t.Error(err)
	}

	small := filepath.Join(filepath.Dir(anew), "small")
	if err := os.Mkdir(small, 0o755); err != nil {
		r.t.Fatal(err)
	}
	mount(r.t, "-t", "tmpfs", "-o", "size=64m,nr_inodes=5000", "tmpfs", small)
	undo = r.Configure(r.t, "CONTAINERS_STORAGE_CONF", func(text string) string { return strings.ReplaceAll(text, "/root\"", "/small\"") })
	found := r.look()
	r.wrong(found, "podman_space", "MiB left", "more room")
	r.wrong(found, "podman_inodes", "inodes left", "more inodes")
	mount(r.t, "-o", "remount,size=8g,nr_inodes=100000", small)
	found = r.look()
	r.well(found, "podman_space")
	r.well(found, "podman_inodes")
	undo()
	if out, err := exec.Command("umount", "--lazy", small).CombinedOutput(); err != nil {
		r.t.Errorf("unmounting: %v: %s", err, out)
	}
}

func mount(t *testing.T, args ...string) {
	t.Helper()
	if out, err := exec.Command("mount", args...).CombinedOutput(); err != nil {
		t.Fatalf("mount %v: %v: %s", args, err, out)
	}
}

// ours leaves in the store what nobody sweeps, and a volume of our name that is not ours.
func (r *real) ours() {
	r.t.Helper()
	r.Run(r.t, "volume", "create", identity.Volume)
	r.wrong(r.look(), "podman_identity", "it is not ours", "podman volume rm "+identity.Volume)
	r.Run(r.t, "volume", "rm", identity.Volume)
	r.well(r.look(), "podman_identity")

	image := r.ImportProgram(r.t, "./sdk/sdktest/probe", "localhost/probe:latest")
	label := func(name string) string { return "--label=" + name + "=x" }
	r.Run(r.t, "run", "--network=none", label(owner.LabelRun), label(owner.LabelKey), image, "exit", "0")
	later := func() []sdk.Finding {
		f := Read(r.t.Context(), nil, client.Settings{Connection: r.URI})
		f.Now = f.Now.Add(forgotten + time.Hour)
		return Judge(f)
	}
	r.well(r.look(), "podman_leftovers")
	r.wrong(later(), "podman_leftovers", "1 containers of ours ended more than a day ago", "podman container prune --filter label="+owner.LabelRun)
	r.Run(r.t, "container", "prune", "--force", "--filter", "label="+owner.LabelRun)
	r.well(later(), "podman_leftovers")
}

// limits lowers those of the service, as a unit or a shell may.
func (r *real) limits() {
	r.t.Helper()
	_, pid, err := peer(r.t.Context(), strings.TrimPrefix(r.URI, "unix://"))
	if err != nil {
		r.t.Fatal(err)
	}
	if out, err := exec.Command("prlimit", "--pid", strconv.Itoa(pid), "--nofile=1000:1000").CombinedOutput(); err != nil {
		r.t.Fatalf("prlimit: %v: %s", err, out)
	}
	r.wrong(r.look(), "podman_rlimits", "1000 open files", "LimitNOFILE")
	r.Kill(r.t)
	r.Restart(r.t)
	r.well(r.look(), "podman_rlimits")
}

// TestRealRootless is the same for what a rootless Podman alone has.
func TestRealRootless(t *testing.T) {
	for _, version := range testenv.PodmanVersions {
		t.Run(version, func(t *testing.T) {
			r := &real{testenv.StartRootlessPodman(t, version), t}
			found := r.look()
			for _, name := range []string{"podman_connection", "podman_subuids", "podman_subid_overlap", "podman_newuidmap", "podman_idmap", "podman_runtime_dir"} {
				r.well(found, name)
			}
			if f := named(found, "podman_connection"); !strings.Contains(f[0].Detail, "rootless, of cpub-rootless") {
				t.Errorf("%+v", f)
			}
			undo := r.Configure(r.t, "CONTAINERS_CONF", func(text string) string { return text + "[network]\ndefault_rootless_network_cmd = \"slirp4netns\"\n" })
			r.well(r.look(), "podman_rootless_network")
			undo()
			if _, err := exec.LookPath("pasta"); err != nil && newer(version, "5.0.0") {
				r.wrong(r.look(), "podman_rootless_network", "pasta is not installed", `default_rootless_network_cmd = "slirp4netns"`)
			}
			dir := r.variable("XDG_RUNTIME_DIR")
			if err := os.Chmod(dir, 0o755); err != nil {
				t.Fatal(err)
			}
			found = r.look()
			if err := os.Chmod(dir, 0o700); err != nil {
				t.Fatal(err)
			}
			r.wrong(found, "podman_runtime_dir", "open to other users (0755)", "`chmod 700 "+dir+"`")
			r.well(r.look(), "podman_runtime_dir")
		})
	}
}

// TestRealOwnService has the provider start a service that does not come up.
func TestRealOwnService(t *testing.T) {
	for _, version := range testenv.PodmanVersions {
		t.Run(version, func(t *testing.T) {
			r := &real{testenv.StartPodman(t, version), t}
			for _, v := range r.Environ {
				if name, value, _ := strings.Cut(v, "="); name != "PATH" {
					t.Setenv(name, value)
				}
			}
			t.Setenv("CONTAINER_HOST", "")
			t.Setenv("XDG_CONFIG_HOME", t.TempDir())
			look := func(podman string) []sdk.Finding { return Check(t.Context(), nil, client.Settings{Podman: podman}) }
			r.wrong(look("/nowhere/podman"), "podman_installed", "no Podman service was found", "install Podman")
			conf := r.variable("CONTAINERS_CONF")
			before, err := os.ReadFile(conf)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(conf, []byte(strings.Replace(string(before), `runtime = "runc"`, `runtime = "nothere"`, 1)), 0o644); err != nil {
				t.Fatal(err)
			}
			found := look(r.Binary)
			r.wrong(found, "podman_runtime", "nothere", `runtime = "runc"`)
			if f := named(found, "podman_connection"); len(f) > 0 {
				t.Errorf("what is told already is told again: %+v", f)
			}
			if err := os.WriteFile(conf, before, 0o644); err != nil {
				t.Fatal(err)
			}
			found = look(r.Binary)
			r.well(found, "podman_runtime")
			r.well(found, "podman_installed")
		})
	}
}

// TestRealRemote looks over ssh: at the service, and at as much of its host as can be seen.
func TestRealRemote(t *testing.T) {
	r := &real{testenv.StartPodman(t, testenv.PodmanVersions[0]), t}
	d := testenv.StartSSHD(t, testenv.SSHDOptions{})
	settings := client.Settings{
		Connection: "ssh://root@" + d.Address + strings.TrimPrefix(r.URI, "unix://"), Identity: d.Identity, KnownHosts: filepath.Join(t.TempDir(), "none"),
	}
	if err := os.WriteFile(settings.KnownHosts, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	r.wrong(Check(t.Context(), nil, settings), "podman_connection", "key", "`host_key` or `known_hosts`")
	settings.HostKey, settings.KnownHosts = d.HostKey, ""
	found := Check(t.Context(), nil, settings)
	for _, name := range []string{"podman_connection", "podman_limits", "podman_userns", "podman_kernel_userns", "podman_runtime", "podman_space", "podman_identity"} {
		r.well(found, name)
	}
	r.wrong(found, "podman_host", "its programs, folders, sessions", "there too")
	for _, name := range []string{"podman_inodes", "podman_rlimits", "podman_init", "podman_socket"} {
		if f := named(found, name); len(f) > 0 {
			t.Errorf("it cannot be seen from here: %+v", f)
		}
	}
}
