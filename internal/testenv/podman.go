package testenv

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// Podman is a Podman service of a test's own, with its own store. It is rootful, and thus wants the test to run as root.
type Podman struct {
	// Version is the service's version: "4.3.1" or "5.8.2".
	Version string
	// URI is the service's socket: unix:///….
	URI string
	// Binary is the podman that serves.
	Binary string
	// Environ is what every podman process of this store needs, as NAME=VALUE: CONTAINERS_CONF and CONTAINERS_STORAGE_CONF
	// among others, so that a service started by somebody else has the same store.
	Environ []string

	dir  string
	cred *syscall.Credential
	cmd  *exec.Cmd
	done chan struct{}
}

// PodmanVersions are the versions that the project is tested against: Debian's, and the one that the bindings are made for.
var PodmanVersions = []string{"4.3.1", "5.8.2"}

// StartPodman starts a service of that version. It is stopped, and its store removed, when the test ends.
func StartPodman(t testing.TB, version string) *Podman {
	t.Helper()
	if os.Getuid() != 0 {
		t.Fatal("Podman with limits needs root on this kind of machine: run the tests as root")
	}
	p := newPodman(t, version, nil)
	p.start(t)
	return p
}

// StartTamperedPodman is StartPodman with the OCI runtime of ./internal/testenv/tamper, which makes a container otherwise than it is told where
// the container's environment says how.
func StartTamperedPodman(t testing.TB, version string) *Podman {
	t.Helper()
	p := newPodman(t, version, nil)
	runtime := fmt.Sprintf("[engine.runtimes]\nrunc = [%q]\n", Build(t, "./internal/testenv/tamper"))
	conf, err := os.OpenFile(filepath.Join(p.dir, "containers.conf"), os.O_APPEND|os.O_WRONLY, 0)
	if err == nil {
		_, err = conf.WriteString(runtime)
		err = errors.Join(err, conf.Close())
	}
	if err != nil {
		t.Fatal(err)
	}
	p.start(t)
	return p
}

// Configure changes a file of Podman's configuration, which a variable of Environ names, and starts the service again. undo puts it back.
func (p *Podman) Configure(t testing.TB, variable string, change func(string) string) (undo func()) {
	t.Helper()
	path := ""
	for _, v := range p.Environ {
		if value, ok := strings.CutPrefix(v, variable+"="); ok {
			path = value
		}
	}
	before, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	write := func(text string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		p.Kill(t)
		p.Restart(t)
	}
	write(change(string(before)))
	return func() { write(string(before)) }
}

// PodmanBinary finds the podman of that version, or fails the test saying how to get it.
func PodmanBinary(t testing.TB, version string) string {
	t.Helper()
	if version == "4.3.1" {
		path, err := exec.LookPath("podman")
		if err != nil {
			t.Fatalf("Debian's Podman is missing: %v; apt-get install -y podman runc netavark aardvark-dns uidmap slirp4netns catatonit", err)
		}
		return path
	}
	if path := os.Getenv("CPUB_TEST_PODMAN5"); path != "" {
		return path
	}
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(root, ".cache", "bin", "podman-"+version)
	if _, err := os.Stat(path); err != nil {
		t.Fatalf("Podman %s is missing: %v; build it with hack/tools.sh podman-5.8.2, or name it in CPUB_TEST_PODMAN5", version, err)
	}
	return path
}

func newPodman(t testing.TB, version string, cred *syscall.Credential) *Podman {
	t.Helper()
	// Not t.TempDir: a socket's path must be short, and a store needs unmounting before it can be removed.
	dir, err := os.MkdirTemp("", "podman-")
	if err != nil {
		t.Fatal(err)
	}
	// Containers in a user namespace must get through to their root.
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	p := &Podman{
		Version: version, Binary: PodmanBinary(t, version), dir: dir, cred: cred,
		URI: "unix://" + filepath.Join(dir, "podman.sock"),
	}
	p.Environ = []string{
		"PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
		"CONTAINERS_CONF=" + filepath.Join(dir, "containers.conf"),
		"CONTAINERS_STORAGE_CONF=" + filepath.Join(dir, "storage.conf"),
		"PODMAN_IGNORE_CGROUPSV1_WARNING=1",
		"TMPDIR=" + dir,
	}
	t.Cleanup(func() { p.remove(t) })
	p.configure(t)
	return p
}

// configure writes Podman's configuration: a machine without CAP_SYS_RESOURCE or systemd needs every line of it.
func (p *Podman) configure(t testing.TB) {
	t.Helper()
	files := map[string]string{
		"containers.conf": "[containers]\ndefault_ulimits = [\"nofile=1024:1024\", \"nproc=1024:1024\"]\n" +
			"[engine]\nruntime = \"runc\"\ncgroup_manager = \"cgroupfs\"\nevents_logger = \"file\"\n",
		"storage.conf": fmt.Sprintf("[storage]\ndriver = \"overlay\"\ngraphroot = %q\nrunroot = %q\nrootless_storage_path = %q\n",
			filepath.Join(p.dir, "root"), filepath.Join(p.dir, "run"), filepath.Join(p.dir, "root")),
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(p.dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if p.cred == nil {
		ensureSubIDs(t)
		return
	}
	if err := os.Chown(p.dir, int(p.cred.Uid), int(p.cred.Gid)); err != nil {
		t.Fatal(err)
	}
}

// ensureSubIDs gives rootful containers ids for `userns = "auto"`, as Debian's own packages do for users.
func ensureSubIDs(t testing.TB) {
	t.Helper()
	for _, name := range []string{"/etc/subuid", "/etc/subgid"} {
		appendLine(t, name, "containers:", "containers:1000000:1048576")
	}
}

// appendLine adds a line to a file, unless one with that prefix is there.
func appendLine(t testing.TB, name, prefix, line string) {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	for l := range strings.Lines(string(b)) {
		if strings.HasPrefix(l, prefix) {
			return
		}
	}
	if len(b) > 0 && b[len(b)-1] != '\n' {
		line = "\n" + line
	}
	if err := os.WriteFile(name, append(b, line+"\n"...), 0o644); err != nil {
		t.Fatal(err)
	}
}

// start starts the service and waits until it listens.
func (p *Podman) start(t testing.TB) {
	t.Helper()
	path := strings.TrimPrefix(p.URI, "unix://")
	if err := os.Remove(path); err != nil && !errors.Is(err, os.ErrNotExist) {
		t.Fatal(err)
	}
	log, err := os.OpenFile(filepath.Join(p.dir, "service.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	p.cmd = p.command(context.Background(), "system", "service", "--time=0", p.URI)
	p.cmd.Stdout, p.cmd.Stderr = log, log
	if err := p.cmd.Start(); err != nil {
		t.Fatalf("starting %s: %v", p.Binary, err)
	}
	p.done = make(chan struct{})
	go func() {
		_ = p.cmd.Wait() // how it ends is the test's doing
		close(p.done)
	}()
	p.awaitSocket(t, path)
}

func (p *Podman) awaitSocket(t testing.TB, path string) {
	t.Helper()
	for deadline := time.Now().Add(startTimeout); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if c, err := net.Dial("unix", path); err == nil {
			_ = c.Close()
			return
		}
		select {
		case <-p.done:
			t.Fatalf("Podman %s ended at its start:\n%s", p.Version, p.log())
		default:
		}
	}
	t.Fatalf("Podman %s does not listen:\n%s", p.Version, p.log())
}

func (p *Podman) log() string {
	b, err := os.ReadFile(filepath.Join(p.dir, "service.log"))
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// Kill kills the service with SIGKILL; its containers run on.
func (p *Podman) Kill(t testing.TB) {
	t.Helper()
	if err := p.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	<-p.done
}

// Restart starts the service again after Kill.
func (p *Podman) Restart(t testing.TB) {
	t.Helper()
	p.start(t)
}

// Run runs the podman command on the service's store and returns what it printed.
func (p *Podman) Run(t testing.TB, args ...string) string {
	t.Helper()
	out, err := p.Try(args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Try is Run for what may fail.
func (p *Podman) Try(args ...string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), startTimeout)
	defer cancel()
	out, err := p.command(ctx, args...).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("podman %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out)), nil
}

func (p *Podman) command(ctx context.Context, args ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, p.Binary, args...)
	cmd.Env, cmd.Dir = p.Environ, p.dir
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: p.cred, Setpgid: true}
	return cmd
}

// remove stops the service and removes its containers, mounts and store.
func (p *Podman) remove(t testing.TB) {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), stopTimeout)
	defer cancel()
	var errs []error
	if p.cmd != nil {
		if out, err := p.command(ctx, "rm", "--all", "--force", "--time=0").CombinedOutput(); err != nil {
			errs = append(errs, fmt.Errorf("removing containers: %w: %s", err, out))
		}
		_ = p.cmd.Process.Kill() // it may have ended before
		<-p.done
	}
	killBelow(p.dir)
	errs = append(errs, unmountBelow(p.dir), os.RemoveAll(p.dir))
	if err := errors.Join(errs...); err != nil {
		t.Errorf("removing Podman's store: %v", err)
	}
}

// killBelow kills what still works on the store in a folder, such as the monitor of a container that was being made when its test
// failed, together with that container.
func killBelow(dir string) {
	procs, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		return // the pattern is fine
	}
	for _, proc := range procs {
		cmdline, err := os.ReadFile(proc)
		if err != nil || !strings.Contains(string(cmdline), dir+"/") {
			continue
		}
		pid := filepath.Base(filepath.Dir(proc))
		children, _ := os.ReadFile(filepath.Join("/proc", pid, "task", pid, "children"))
		for _, p := range append(strings.Fields(string(children)), pid) {
			if n, err := strconv.Atoi(p); err == nil && n != os.Getpid() {
				_ = syscall.Kill(n, syscall.SIGKILL) // it may just have ended
			}
		}
	}
}

// unmountBelow unmounts what Podman keeps mounted below a folder.
func unmountBelow(dir string) error {
	b, err := os.ReadFile("/proc/self/mounts")
	if err != nil {
		return err
	}
	var points []string
	for line := range strings.Lines(string(b)) {
		if f := strings.Fields(line); len(f) > 1 && strings.HasPrefix(f[1], dir+"/") {
			points = append(points, f[1])
		}
	}
	var errs []error
	for i := len(points) - 1; i >= 0; i-- {
		errs = append(errs, unmount(points[i]))
	}
	return errors.Join(errs...)
}
