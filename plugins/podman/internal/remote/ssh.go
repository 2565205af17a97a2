package remote

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os/user"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// Options say where an ssh connection leads, and who may be there.
type Options struct {
	// Address is HOST:PORT.
	Address string
	User    string
	// Socket is Podman's there; empty to ask Podman.
	Socket string
	// Identity is the file of our private key; empty for the agent's and the user's own.
	Identity string
	// HostKey is the only key that the machine may show, as "TYPE BASE64"; empty to look in KnownHosts.
	HostKey string
	// KnownHosts is a file of known hosts; empty for the user's and the system's.
	KnownHosts string
	// Machine tells that it is a virtual machine of `podman machine`, on this machine's loopback, whose key nobody knows.
	Machine bool
}

// userFile is a file in the user's folder of ssh, also where no HOME is set.
func (o Options) userFile(name string) string {
	home := "/root"
	if u, err := user.Current(); err == nil {
		home = u.HomeDir
	}
	return filepath.Join(home, ".ssh", name)
}

// SSH is an ssh connection to Podman's machine, dialled again when it breaks. It is safe for concurrent use. Close it.
type SSH struct {
	opts   Options
	keys   hostKeys
	ctx    context.Context //nolint:containedctx // the life of the connection, over all calls
	cancel context.CancelFunc

	mu      sync.Mutex
	live    *link
	dialing *attempt
}

// link is one connection that stands until dead is closed.
type link struct {
	*ssh.Client
	dead chan struct{}
}

// attempt is a dial under way, that all wait for who need a connection.
type attempt struct {
	done chan struct{}
	link *link
	err  error
}

// Open connects, and finds Podman's socket there if none is named.
func Open(ctx context.Context, o Options) (*SSH, error) {
	keys, err := knowHost(o)
	if err != nil {
		return nil, err
	}
	life, cancel := context.WithCancel(context.WithoutCancel(ctx))
	s := &SSH{opts: o, keys: keys, ctx: life, cancel: cancel}
	if _, err := s.connected(ctx); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if s.opts.Socket == "" {
		if s.opts.Socket, err = s.findSocket(ctx); err != nil {
			return nil, errors.Join(err, s.Close())
		}
	}
	return s, nil
}

// Socket is the path of Podman's socket there.
func (s *SSH) Socket() string { return s.opts.Socket }

// Close ends the connection and all that go through it.
func (s *SSH) Close() error {
	s.cancel()
	s.mu.Lock()
	live := s.live
	s.live = nil
	s.mu.Unlock()
	if live == nil {
		return nil
	}
	if err := live.Close(); err != nil && !errors.Is(err, net.ErrClosed) && !errors.Is(err, io.EOF) {
		return fmt.Errorf("closing the ssh connection: %w", err)
	}
	return nil
}

// connected gives a connection that stood a moment ago, dialling where there is none.
func (s *SSH) connected(ctx context.Context) (*link, error) {
	s.mu.Lock()
	if s.ctx.Err() != nil {
		s.mu.Unlock()
		return nil, ErrClosed
	}
	if s.live != nil {
		select {
		case <-s.live.dead:
			s.live = nil
		default:
			defer s.mu.Unlock()
			return s.live, nil
		}
	}
	a := s.dialing
	if a == nil {
		a = &attempt{done: make(chan struct{})}
		s.dialing = a
		go s.dial(a)
	}
	s.mu.Unlock()
	select {
	case <-a.done:
		return a.link, a.err
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// dial carries out an attempt.
func (s *SSH) dial(a *attempt) {
	a.link, a.err = s.connect(s.ctx)
	s.mu.Lock()
	s.dialing, s.live = nil, a.link
	if s.ctx.Err() != nil && a.link != nil {
		_ = a.link.Close() // nobody needs it any more
		a.link, a.err = nil, ErrClosed
	}
	s.mu.Unlock()
	close(a.done)
}

// connect dials, and keeps watch over the connection.
func (s *SSH) connect(ctx context.Context) (*link, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, dialTimeout, fmt.Errorf("there was no answer within %s", dialTimeout))
	defer cancel()
	raw, err := dialer().DialContext(ctx, "tcp", s.opts.Address)
	if err != nil {
		return nil, fmt.Errorf("reaching Podman's machine: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = raw.Close() })
	client, err := s.handshake(ctx, raw)
	if !stop() && err != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		_ = raw.Close() // the handshake's error is the one to tell
		return nil, fmt.Errorf("connecting to %s@%s by ssh: %w", s.opts.User, s.opts.Address, err)
	}
	l := &link{Client: client, dead: make(chan struct{})}
	go func() {
		_ = l.Wait() // why it ended is told to those who use it
		close(l.dead)
	}()
	go l.watch()
	return l, nil
}

func (s *SSH) handshake(ctx context.Context, raw net.Conn) (*ssh.Client, error) {
	login, err := logIn(ctx, s.opts)
	if err != nil {
		return nil, err
	}
	defer login.close()
	conn, channels, requests, err := ssh.NewClientConn(raw, s.opts.Address, &ssh.ClientConfig{
		User: s.opts.User, Auth: []ssh.AuthMethod{ssh.PublicKeys(login.signers...)},
		HostKeyCallback: s.keys.check, HostKeyAlgorithms: s.keys.algorithms,
	})
	if err != nil {
		return nil, login.explain(s.opts, err)
	}
	return ssh.NewClient(conn, channels, requests), nil
}

// watch ends a connection whose other side does not answer any more.
func (l *link) watch() {
	tick := time.NewTicker(aliveInterval)
	defer tick.Stop()
	for {
		select {
		case <-l.dead:
			return
		case <-tick.C:
		}
		answered := make(chan struct{})
		go func() {
			defer close(answered)
			_, _, _ = l.SendRequest("keepalive@openssh.com", true, nil) // any answer will do; an error ends the connection by itself
		}()
		select {
		case <-answered:
		case <-l.dead:
			return
		case <-time.After(aliveTimeout):
			_ = l.Close() // those who use it get its end
			return
		}
	}
}

// Dial opens a connection to Podman's socket.
func (s *SSH) Dial(ctx context.Context) (net.Conn, error) {
	l, err := s.connected(ctx)
	if err != nil {
		return nil, err
	}
	conn, err := heed(ctx, l, func() (net.Conn, error) { return l.Dial("unix", s.opts.Socket) })
	var refused *ssh.OpenChannelError
	if errors.As(err, &refused) {
		return nil, fmt.Errorf("the socket %s of Podman at %s cannot be reached (%w); is its service running there "+
			"(`systemctl [--user] enable --now podman.socket`), may %s use it, and does sshd allow AllowStreamLocalForwarding?",
			s.opts.Socket, s.opts.Address, err, s.opts.User)
	}
	return conn, err
}

// session opens a session for one command.
func (s *SSH) session(ctx context.Context) (*ssh.Session, error) {
	l, err := s.connected(ctx)
	if err != nil {
		return nil, err
	}
	return heed(ctx, l, l.NewSession)
}

// heed gives what open opens on a connection, unless the context ends before: then it is closed when it comes.
func heed[T io.Closer](ctx context.Context, l *link, open func() (T, error)) (T, error) {
	type result struct {
		opened T
		err    error
	}
	done := make(chan result, 1)
	go func() {
		opened, err := open()
		done <- result{opened, err}
	}()
	var none T
	select {
	case r := <-done:
		if r.err != nil {
			return none, r.err
		}
		return r.opened, nil
	case <-ctx.Done():
	case <-l.dead:
		return none, errLost
	}
	go func() {
		if r := <-done; r.err == nil {
			_ = r.opened.Close() // too late for whom it was for
		}
	}()
	return none, context.Cause(ctx)
}

// errLost tells that the connection broke.
var errLost = fmt.Errorf("the ssh connection broke: %w", net.ErrClosed)

// findSocket asks Podman for its socket.
func (s *SSH) findSocket(ctx context.Context) (string, error) {
	out, err := s.output(ctx, "podman info --format '{{.Host.RemoteSocket.Path}}'")
	path := strings.TrimPrefix(strings.TrimSpace(out), "unix://")
	if err == nil && !strings.HasPrefix(path, "/") {
		err = fmt.Errorf("it says %q", path)
	}
	if err != nil {
		return "", refusedf("finding Podman's socket at %s: %w; write its path at the end of the connection (ssh://%s@%s/run/podman/podman.sock)",
			s.opts.Address, err, s.opts.User, s.opts.Address)
	}
	return path, nil
}

// output runs a command there and gives what it prints.
func (s *SSH) output(ctx context.Context, command string) (string, error) {
	session, err := s.session(ctx)
	if err != nil {
		return "", err
	}
	defer func() { _ = session.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = session.Close() })
	defer stop()
	var stdout, stderr bytes.Buffer
	session.Stdout, session.Stderr = &stdout, &stderr
	if err := session.Run(command); err != nil {
		if ctx.Err() != nil {
			return "", context.Cause(ctx)
		}
		return "", fmt.Errorf("%s: %w: %s", command, err, strings.TrimSpace(stderr.String()))
	}
	return stdout.String(), nil
}
