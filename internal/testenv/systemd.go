package testenv

import (
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Systemd is a systemd of a test's own, which knows nothing but Podman's generator: a user's manager, that root runs, with folders of its own for
// units, generators and Quadlet files. It stands in a mount namespace in which all but the Podman's folder and the cgroups is read-only, and /tmp,
// /var/tmp and /run are empty, apart from what Podman and its runtime know of containers: what else belongs to the machine it neither sees nor
// changes.
type Systemd struct {
	Socket    string // its private socket
	Quadlets  string // where its Quadlet files are
	Generator string // Quadlet
}

// isolate is run in the new mount namespace: $1 is the folder of the test, the rest is what becomes the manager.
const isolate = `set -eu
shared="libpod runc containers lock" # what Podman, its runtime and its network know of containers
mount --make-rprivate /
mount -t tmpfs tmpfs /mnt
for dir in $shared; do
	mkdir -p /mnt/$dir /run/$dir
	mount --rbind /run/$dir /mnt/$dir
done
mkdir /mnt/keep
mount --rbind "$1" /mnt/keep
for dir in /tmp /var/tmp /run; do mount -t tmpfs tmpfs $dir; done
mkdir -p "$1" /run/systemd/system
mount --rbind /mnt/keep "$1"
for dir in $shared; do
	mkdir /run/$dir
	mount --rbind /mnt/$dir /run/$dir
done
umount -l /mnt
mount -o remount,bind,ro /
group=cpub-systemd-$(basename "$1")
for h in systemd unified .; do
	[ -f /sys/fs/cgroup/$h/cgroup.procs ] || continue
	mkdir -p /sys/fs/cgroup/$h/$group
	echo $$ >/sys/fs/cgroup/$h/$group/cgroup.procs
done
shift
exec "$@"
`

// StartSystemd starts a systemd that runs the containers of a Podman.
func StartSystemd(t testing.TB, p *Podman) *Systemd {
	t.Helper()
	dir := filepath.Join(p.dir, "systemd")
	s := &Systemd{Socket: filepath.Join(dir, "run", "systemd", "private"), Quadlets: filepath.Join(dir, "quadlets"), Generator: quadletBinary(t)}
	s.prepare(t, dir, p)
	log, err := os.Create(filepath.Join(dir, "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	cmd := exec.Command("unshare", "--mount", "sh", "-c", isolate, "isolate", p.dir,
		"/lib/systemd/systemd", "--user")
	run := filepath.Join(dir, "run")
	cmd.Env = []string{
		"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=" + dir, "XDG_RUNTIME_DIR=" + run, "PODMAN=" + filepath.Join(dir, "podman"),
		"QUADLET_UNIT_DIRS=" + s.Quadlets, "SYSTEMD_LOG_TARGET=console",
		"SYSTEMD_UNIT_PATH=" + filepath.Join(dir, "units") + ":" + filepath.Join(run, "systemd", "generator"),
		"SYSTEMD_GENERATOR_PATH=" + filepath.Join(dir, "generators"), "SYSTEMD_ENVIRONMENT_GENERATOR_PATH=" + filepath.Join(dir, "none"),
	}
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	dieWithParent(cmd.SysProcAttr)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		_ = cmd.Wait() // how it ends is the test's doing
		close(done)
	}()
	t.Cleanup(func() {
		stopSystemd(t, cmd, done, p.dir)
		if b, err := os.ReadFile(log.Name()); err == nil && t.Failed() {
			t.Logf("systemd's log:\n%s", b)
		}
	})
	for deadline := time.Now().Add(startTimeout); ; time.Sleep(20 * time.Millisecond) {
		if c, err := net.Dial("unix", s.Socket); err == nil {
			_ = c.Close()
			return s
		}
		if time.Now().After(deadline) {
			b, _ := os.ReadFile(log.Name())
			t.Fatalf("systemd does not listen at %s:\n%s", s.Socket, b)
		}
	}
}

// prepare makes the folders: units that every manager needs, the generator, and a podman that has the test's store.
func (s *Systemd) prepare(t testing.TB, dir string, p *Podman) {
	t.Helper()
	for _, name := range []string{"run", "units", "generators", "none", "quadlets"} {
		if err := os.MkdirAll(filepath.Join(dir, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, unit := range []string{"basic.target", "shutdown.target", "exit.target", "systemd-exit.service"} {
		b, err := os.ReadFile(filepath.Join("/usr/lib/systemd/user", unit))
		if err != nil {
			t.Fatalf("%v; apt-get install -y systemd", err)
		}
		if err := os.WriteFile(filepath.Join(dir, "units", unit), b, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	script := "#!/bin/sh\n"
	for _, v := range p.Environ {
		name, value, _ := strings.Cut(v, "=")
		script += fmt.Sprintf("export %s='%s'\n", name, value)
	}
	script += fmt.Sprintf("exec '%s' \"$@\" 2>>'%s'\n", filepath.Join(dir, "podman-real"), filepath.Join(dir, "log"))
	// The manager may not see the folder that they are in.
	for name, from := range map[string]string{"podman-real": p.Binary, "generators/podman-user-generator": s.Generator} {
		if out, err := exec.Command("cp", "--dereference", from, filepath.Join(dir, name)).CombinedOutput(); err != nil {
			t.Fatalf("copying %s: %v: %s", from, err, out)
		}
	}
	files := map[string]string{
		"podman": script, "units/default.target": "[Unit]\nDescription=nothing\n",
		// What Quadlet wants of a user's systemd; here there is nothing to wait for.
		"units/podman-user-wait-network-online.service": "[Service]\nType=oneshot\nExecStart=/bin/true\n",
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

// stopSystemd has the manager stop its services and end, and removes its cgroups.
func stopSystemd(t testing.TB, cmd *exec.Cmd, done <-chan struct{}, dir string) {
	t.Helper()
	_ = cmd.Process.Signal(syscall.SIGTERM) // it may have ended
	select {
	case <-done:
	case <-time.After(stopTimeout):
		t.Error("systemd does not end: it is killed")
		_ = cmd.Process.Kill()
		<-done
	}
	for _, pattern := range []string{"/sys/fs/cgroup/*/", "/sys/fs/cgroup/"} {
		groups, err := filepath.Glob(pattern + "cpub-systemd-" + filepath.Base(dir))
		if err != nil {
			t.Fatal(err)
		}
		for _, group := range groups {
			out, err := exec.Command("find", group, "-depth", "-type", "d", "-exec", "rmdir", "{}", ";").CombinedOutput()
			if err != nil {
				t.Errorf("removing the cgroup %s: %v: %s", group, err, out)
			}
		}
	}
}

// quadletBinary finds Podman's generator, or fails the test saying how to get it.
func quadletBinary(t testing.TB) string {
	t.Helper()
	if path := os.Getenv("CPUB_TEST_QUADLET"); path != "" {
		return path
	}
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(root, ".cache", "bin", "quadlet-5.8.2")
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("Podman's generator is missing: %v; build it with hack/tools.sh quadlet-5.8.2, or name it in CPUB_TEST_QUADLET", err)
	}
	return path
}
