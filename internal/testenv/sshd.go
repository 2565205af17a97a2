package testenv

import (
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// SSHD is an ssh server of a test's own, with its own host key, on a free port. One key lets its users in.
type SSHD struct {
	// Address is HOST:PORT.
	Address string
	// HostKey is its public host key: TYPE BASE64.
	HostKey string
	// Identity is the file of the private key that lets in; the public one is beside it.
	Identity string
	// KnownHosts is a file that knows the host key.
	KnownHosts string

	dir       string
	namespace string
	config    string
	cmd       *exec.Cmd
	done      chan struct{}
}

// SSHDOptions change what an ssh server is; the zero value is one on the loopback.
type SSHDOptions struct {
	// Namespace is the network namespace that it is in, and Listen the address that it listens at there.
	Namespace, Listen string
	// Config are further lines of its sshd_config.
	Config []string
}

// StartSSHD starts an ssh server. It is stopped, with all its sessions, when the test ends.
func StartSSHD(t testing.TB, o SSHDOptions) *SSHD {
	t.Helper()
	if o.Listen == "" {
		o.Listen = "127.0.0.1"
	}
	dir, err := os.MkdirTemp("", "sshd-") // every user who logs in must get at its keys
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	s := &SSHD{
		Address: net.JoinHostPort(o.Listen, FreePort(t)), Identity: filepath.Join(dir, "id"), KnownHosts: filepath.Join(dir, "known_hosts"),
		dir: dir, namespace: o.Namespace,
	}
	t.Cleanup(func() { s.remove(t) })
	s.HostKey = s.makeKey(t, "host")
	public := s.makeKey(t, "id")
	host, port, err := net.SplitHostPort(s.Address)
	if err != nil {
		t.Fatal(err)
	}
	s.config = filepath.Join(dir, "sshd_config")
	files := map[string]string{
		"authorized_keys": public + "\n",
		"known_hosts":     fmt.Sprintf("[%s]:%s %s\n", host, port, s.HostKey),
		"sshd_config": strings.Join(append([]string{
			"ListenAddress " + s.Address, "HostKey " + filepath.Join(dir, "host"), "AuthorizedKeysFile " + filepath.Join(dir, "authorized_keys"),
			"PidFile none", "StrictModes no", "UsePAM no", "PasswordAuthentication no", "PermitRootLogin prohibit-password", "MaxStartups 100",
		}, o.Config...), "\n") + "\n",
	}
	for name, text := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.MkdirAll("/run/sshd", 0o755); err != nil { // sshd gives up its privileges there
		t.Fatal(err)
	}
	s.Start(t)
	return s
}

// FreePort is a port of the loopback that nobody listens at.
func FreePort(t testing.TB) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err := errors.Join(err, l.Close()); err != nil {
		t.Fatal(err)
	}
	return port
}

// makeKey makes a key, and returns the public one: TYPE BASE64.
func (s *SSHD) makeKey(t testing.TB, name string) string {
	t.Helper()
	file := filepath.Join(s.dir, name)
	if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "", "-f", file).CombinedOutput(); err != nil {
		t.Fatalf("making a key: %v\n%s", err, out)
	}
	b, err := os.ReadFile(file + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(b))
}

// NewHostKey gives the server another host key: it is as if another machine answered. Start it again.
func (s *SSHD) NewHostKey(t testing.TB) {
	t.Helper()
	for _, name := range []string{"host", "host.pub"} {
		if err := os.Remove(filepath.Join(s.dir, name)); err != nil {
			t.Fatal(err)
		}
	}
	s.HostKey = s.makeKey(t, "host")
}

// AllowUser lets a user in who has no password.
func (s *SSHD) AllowUser(t testing.TB, name string) {
	t.Helper()
	if _, err := user.Lookup(name); err != nil {
		t.Fatal(err)
	}
	// An account that was made without a password is locked, and sshd keeps it out.
	if out, err := exec.Command("usermod", "--password", "*", name).CombinedOutput(); err != nil {
		t.Fatalf("unlocking %s: %v\n%s", name, err, out)
	}
}

// Start starts the server, also again after Stop.
func (s *SSHD) Start(t testing.TB) {
	t.Helper()
	log, err := os.OpenFile(filepath.Join(s.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	args := []string{"/usr/sbin/sshd", "-D", "-e", "-f", s.config}
	if s.namespace != "" {
		// Not `ip netns exec`: it mounts a /sys of its own, without the cgroups.
		args = append([]string{"nsenter", "--net=/run/netns/" + s.namespace}, args...)
	}
	s.cmd = exec.Command(args[0], args[1:]...)
	s.cmd.Stdout, s.cmd.Stderr = log, log
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	dieWithParent(s.cmd.SysProcAttr)
	if err := s.cmd.Start(); err != nil {
		t.Fatalf("starting sshd: %v; apt-get install -y openssh-server", err)
	}
	cmd, done := s.cmd, make(chan struct{})
	s.done = done
	go func() {
		_ = cmd.Wait() // how it ends is the test's doing
		close(done)
	}()
	for deadline := time.Now().Add(startTimeout); ; time.Sleep(20 * time.Millisecond) {
		if s.namespace == "" {
			if c, err := net.Dial("tcp", s.Address); err == nil {
				_ = c.Close()
				return
			}
		} else if strings.Contains(s.Log(), "Server listening on") {
			return
		}
		select {
		case <-done:
			t.Fatalf("sshd ended at its start:\n%s", s.Log())
		default:
		}
		if time.Now().After(deadline) {
			t.Fatalf("sshd does not listen:\n%s", s.Log())
		}
	}
}

// Log is what the server has said.
func (s *SSHD) Log() string {
	b, err := os.ReadFile(filepath.Join(s.dir, "log"))
	if err != nil {
		return err.Error()
	}
	return string(b)
}

// Stop ends the server and every connection to it.
func (s *SSHD) Stop(t testing.TB) {
	t.Helper()
	s.Drop(t)
	_ = s.cmd.Process.Kill() // it may have ended
	<-s.done
}

// Drop ends every connection, and lets new ones in.
func (s *SSHD) Drop(t testing.TB) {
	t.Helper()
	for _, pid := range childrenOf(s.cmd.Process.Pid) {
		if err := syscall.Kill(pid, syscall.SIGKILL); err != nil && !errors.Is(err, syscall.ESRCH) {
			t.Error(err)
		}
	}
}

// childrenOf lists a process's children and theirs, the deepest first.
func childrenOf(pid int) []int {
	b, err := os.ReadFile(fmt.Sprintf("/proc/%d/task/%d/children", pid, pid))
	if err != nil {
		return nil // it has ended
	}
	var all []int
	for _, text := range strings.Fields(string(b)) {
		var child int
		if _, err := fmt.Sscan(text, &child); err == nil {
			all = append(append(all, childrenOf(child)...), child)
		}
	}
	return all
}

func (s *SSHD) remove(t testing.TB) {
	t.Helper()
	if s.cmd != nil {
		s.Stop(t)
	}
	if t.Failed() {
		t.Logf("sshd says:\n%s", s.Log())
	}
	if err := os.RemoveAll(s.dir); err != nil {
		t.Error(err)
	}
}
