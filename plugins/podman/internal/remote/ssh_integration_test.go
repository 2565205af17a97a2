//go:build integration

package remote

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"errors"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"github.com/containerpub/cpub/internal/testenv"
	"github.com/containerpub/cpub/plugins/podman/internal/hostfs"
	"github.com/containerpub/cpub/plugins/podman/internal/hostfs/hostfstest"
)

func options(d *testenv.SSHD) Options {
	return Options{Address: d.Address, User: "root", Socket: "/nowhere.sock", Identity: d.Identity, KnownHosts: d.KnownHosts}
}

// open opens a connection that the test closes at its end.
func open(t *testing.T, o Options) (*SSH, error) {
	t.Helper()
	s, err := Open(t.Context(), o)
	if err == nil {
		t.Cleanup(func() {
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	return s, err
}

func mustOpen(t *testing.T, o Options) *SSH {
	t.Helper()
	s, err := open(t, o)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// refuses checks that opening fails for good and says all of this.
func refuses(t *testing.T, o Options, says ...string) {
	t.Helper()
	_, err := open(t, o)
	var refused *Refused
	if !errors.As(err, &refused) {
		t.Fatalf("opening gives %v, want a refusal", err)
	}
	for _, want := range says {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("the refusal does not say %q:\n%s", want, err)
		}
	}
}

func write(t *testing.T, text string) string {
	t.Helper()
	name := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return name
}

func TestHostKeys(t *testing.T) {
	d := testenv.StartSSHD(t, testenv.SSHDOptions{})
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(d.HostKey))
	if err != nil {
		t.Fatal(err)
	}
	fingerprint := ssh.FingerprintSHA256(key)
	host, port, _ := net.SplitHostPort(d.Address)
	line := "[" + host + "]:" + port + " " + d.HostKey
	o := options(d)
	t.Run("known", func(t *testing.T) { mustOpen(t, o) })
	t.Run("hashed", func(t *testing.T) {
		o := o
		o.KnownHosts = write(t, line+"\n")
		if out, err := exec.Command("ssh-keygen", "-H", "-f", o.KnownHosts).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		if b, _ := os.ReadFile(o.KnownHosts); strings.Contains(string(b), host) {
			t.Fatalf("the file is not hashed: %s", b)
		}
		mustOpen(t, o)
	})
	t.Run("pinned", func(t *testing.T) {
		o := o
		o.KnownHosts, o.HostKey = "/nowhere", d.HostKey+" some comment"
		mustOpen(t, o)
	})
	t.Run("unknown", func(t *testing.T) {
		o := o
		o.KnownHosts = write(t, "other.example "+d.HostKey+"\n")
		// The line is the one to add: with it, it works.
		refuses(t, o, "is not known", fingerprint, "add this line to "+o.KnownHosts+":\n"+line+"\n", d.HostKey)
		o.KnownHosts = write(t, line+"\n")
		mustOpen(t, o)
	})
	t.Run("no file", func(t *testing.T) {
		o := o
		o.KnownHosts = "/nowhere/known_hosts"
		refuses(t, o, "/nowhere/known_hosts")
	})
	t.Run("revoked", func(t *testing.T) {
		o := o
		o.KnownHosts = write(t, line+"\n@revoked * "+d.HostKey+"\n")
		refuses(t, o, "is revoked in "+o.KnownHosts+":2", fingerprint)
	})
	t.Run("no key", func(t *testing.T) {
		o := o
		o.HostKey = "ssh-ed25519"
		refuses(t, o, "host_key is no public key")
	})
	t.Run("changed", func(t *testing.T) {
		pinned := o
		pinned.HostKey = d.HostKey
		machine := o
		machine.Machine = true
		kept := mustOpen(t, machine) // the first key that it sees
		d.Stop(t)
		d.NewHostKey(t)
		d.Start(t)
		refuses(t, o, "shows another host key than is known", o.KnownHosts+":1 has ssh-ed25519 "+fingerprint, "somebody else answers")
		refuses(t, pinned, "shows another host key than host_key pins", fingerprint)
		var refused *Refused
		if _, err := kept.session(t.Context()); err == nil {
			t.Error("another machine was taken for the one that was there before")
		} else if !errors.As(err, &refused) && !errors.Is(err, net.ErrClosed) && !errors.Is(err, io.EOF) {
			t.Errorf("a machine whose key changed: %v", err)
		}
		if _, err := kept.session(t.Context()); !errors.As(err, &refused) || !strings.Contains(err.Error(), "another host key than before") {
			t.Errorf("a machine whose key changed: %v", err)
		}
	})
}

// TestHostCertificate: an authority stands for the machine's key.
func TestHostCertificate(t *testing.T) {
	dir := t.TempDir()
	d := testenv.StartSSHD(t, testenv.SSHDOptions{Config: []string{"HostCertificate " + filepath.Join(dir, "host-cert.pub")}})
	d.Stop(t)
	if err := os.WriteFile(filepath.Join(dir, "host.pub"), []byte(d.HostKey+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	host, port, err := net.SplitHostPort(d.Address)
	if err != nil {
		t.Fatal(err)
	}
	for _, args := range [][]string{
		{"-q", "-t", "ed25519", "-N", "", "-f", filepath.Join(dir, "ca")},
		{"-q", "-s", filepath.Join(dir, "ca"), "-I", "a host", "-h", "-n", host, filepath.Join(dir, "host.pub")},
	} {
		if out, err := exec.Command("ssh-keygen", args...).CombinedOutput(); err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
	}
	d.Start(t)
	ca, err := os.ReadFile(filepath.Join(dir, "ca.pub"))
	if err != nil {
		t.Fatal(err)
	}
	o := options(d)
	o.KnownHosts = write(t, "@cert-authority ["+host+"]:"+port+" "+string(ca))
	mustOpen(t, o)
}

func TestLogin(t *testing.T) {
	d := testenv.StartSSHD(t, testenv.SSHDOptions{})
	o := options(d)
	t.Setenv("SSH_AUTH_SOCK", "")
	locked := filepath.Join(t.TempDir(), "locked")
	copyFile(t, d.Identity, locked)
	if out, err := exec.Command("ssh-keygen", "-p", "-q", "-P", "", "-N", "secret", "-f", locked).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	other := filepath.Join(t.TempDir(), "other")
	if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", other).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	with := func(identity string) Options {
		o := o
		o.Identity = identity
		return o
	}
	t.Run("a key that is not let in", func(t *testing.T) {
		refuses(t, with(other), "lets none of these keys in", other, "authorized_keys", "SHA256:")
	})
	t.Run("no such file", func(t *testing.T) { refuses(t, with("/nowhere"), "reading the identity /nowhere") })
	t.Run("no key", func(t *testing.T) { refuses(t, with(write(t, "x")), "reading the identity") })
	t.Run("a passphrase", func(t *testing.T) { refuses(t, with(locked), locked+" has a passphrase", "ssh-add", "SSH_AUTH_SOCK") })
	serveAgent(t, d.Identity, other)
	t.Run("agent", func(t *testing.T) { mustOpen(t, with("")) })
	t.Run("a passphrase and the agent", func(t *testing.T) { mustOpen(t, with(locked)) })
	t.Run("the identity alone", func(t *testing.T) { refuses(t, with(other), "lets none of these keys in: SHA256:") })
	t.Run("no agent answers", func(t *testing.T) {
		t.Setenv("SSH_AUTH_SOCK", "/nowhere")
		t.Setenv("HOME", t.TempDir())
		mustOpen(t, with(d.Identity))
	})
}

func copyFile(t *testing.T, from, to string) {
	t.Helper()
	b, err := os.ReadFile(from)
	if err == nil {
		err = os.WriteFile(to, b, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
}

// serveAgent is an ssh agent with these keys.
func serveAgent(t *testing.T, files ...string) {
	t.Helper()
	ring := agent.NewKeyring()
	_, extra, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	if err := ring.Add(agent.AddedKey{PrivateKey: extra}); err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		b, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		key, err := ssh.ParseRawPrivateKey(b)
		if err != nil {
			t.Fatal(err)
		}
		if err := ring.Add(agent.AddedKey{PrivateKey: key}); err != nil {
			t.Fatal(err)
		}
	}
	dir, err := os.MkdirTemp("", "agent-")
	if err != nil {
		t.Fatal(err)
	}
	l, err := net.Listen("unix", filepath.Join(dir, "s"))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = l.Close()
		_ = os.RemoveAll(dir)
	})
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				_ = agent.ServeAgent(ring, c) // until it hangs up
				_ = c.Close()
			}()
		}
	}()
	t.Setenv("SSH_AUTH_SOCK", l.Addr().String())
}

func TestHost(t *testing.T) {
	d := testenv.StartSSHD(t, testenv.SSHDOptions{})
	h, err := mustOpen(t, options(d)).Host(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	hostfstest.Conforms(t, h)
	t.Run("many at a time", func(t *testing.T) {
		errs := make(chan error)
		for range 10 {
			go func() {
				for range 5 {
					for _, c := range h.ReadFiles(t.Context(), "/proc/self/status", "/proc/version") {
						if c.Err != nil || len(c.Data) == 0 {
							errs <- errors.Join(c.Err, io.ErrUnexpectedEOF)
							return
						}
					}
				}
				errs <- nil
			}()
		}
		for range 10 {
			if err := <-errs; err != nil {
				t.Error(err)
			}
		}
	})
	t.Run("whoever waits no more disturbs nobody", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		for range 20 {
			if _, err := hostfs.ReadFile(ctx, h, "/proc/version"); !errors.Is(err, context.Canceled) {
				t.Errorf("a look that was cancelled: %v", err)
			}
			if b, err := hostfs.ReadFile(t.Context(), h, "/proc/sys/kernel/ostype"); err != nil || string(b) != "Linux\n" {
				t.Fatalf("%q, %v", b, err)
			}
		}
	})
	t.Run("broken", func(t *testing.T) {
		d.Drop(t)
		failed := 0
		for deadline := time.Now().Add(20 * time.Second); ; failed++ {
			_, err := hostfs.ReadFile(t.Context(), h, "/proc/version")
			if err == nil {
				break
			}
			if !errors.Is(err, hostfs.ErrUnreachable) || time.Now().After(deadline) {
				t.Fatalf("after the connection broke, and %d failures: %v", failed, err)
			}
		}
	})
}

func TestNoShell(t *testing.T) {
	for name, config := range map[string][]string{
		"a command of its own": {"ForceCommand echo no"}, "no sessions": {"MaxSessions 0"}, "one that fails": {"ForceCommand /bin/false"},
	} {
		t.Run(name, func(t *testing.T) {
			d := testenv.StartSSHD(t, testenv.SSHDOptions{Config: config})
			_, err := mustOpen(t, options(d)).Host(t.Context())
			var refused *Refused
			if !errors.As(err, &refused) || !strings.Contains(err.Error(), "has no shell") {
				t.Errorf("%v, want a refusal", err)
			}
		})
	}
}

// TestFindSocket asks a Podman there, as `podman --remote` does.
func TestFindSocket(t *testing.T) {
	dir := t.TempDir()
	script := filepath.Join(dir, "podman")
	if err := os.WriteFile(script, []byte("#!/bin/sh\n[ \"$1 $2\" = 'info --format' ] && echo unix:///run/some.sock\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	d := testenv.StartSSHD(t, testenv.SSHDOptions{Config: []string{"SetEnv PATH=" + dir + ":/usr/bin:/bin"}})
	o := options(d)
	o.Socket = ""
	if got := mustOpen(t, o).Socket(); got != "/run/some.sock" {
		t.Errorf("the socket is %q", got)
	}
	if err := os.WriteFile(script, []byte("#!/bin/sh\necho no podman here >&2\nexit 1\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	refuses(t, o, "finding Podman's socket", "no podman here", "ssh://root@"+d.Address+"/")
}

// TestDial: what goes in here comes out there, the end of one side is the end of the other, and a cancelled call is closed there.
func TestDial(t *testing.T) {
	d := testenv.StartSSHD(t, testenv.SSHDOptions{})
	dir, err := os.MkdirTemp("", "dial-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	o := options(d)
	o.Socket = filepath.Join(dir, "s")
	s := mustOpen(t, o)
	if _, err := s.Dial(t.Context()); err == nil || !strings.Contains(err.Error(), o.Socket) || !strings.Contains(err.Error(), "podman.socket") {
		t.Errorf("nobody listens there: %v", err)
	}
	l, err := net.Listen("unix", o.Socket)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	f, err := NewForward(t.Context(), s.Dial)
	if err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(filepath.Dir(f.Path)); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("the socket's folder: %v, %v", info, err)
	}
	here, err := net.Dial("unix", f.Path)
	if err != nil {
		t.Fatal(err)
	}
	there, err := l.Accept()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := here.Write([]byte("hello")); err != nil {
		t.Fatal(err)
	}
	got := make([]byte, 5)
	if _, err := io.ReadFull(there, got); err != nil || string(got) != "hello" {
		t.Errorf("%q, %v", got, err)
	}
	if err := here.Close(); err != nil {
		t.Fatal(err)
	}
	_ = there.SetReadDeadline(time.Now().Add(30 * time.Second))
	if n, err := there.Read(got); n != 0 || !errors.Is(err, io.EOF) {
		t.Errorf("the end did not cross: %d, %v", n, err)
	}
	if err := f.Close(); err != nil {
		t.Error(err)
	}
	if _, err := os.Stat(f.Path); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket is left: %v", err)
	}
}
