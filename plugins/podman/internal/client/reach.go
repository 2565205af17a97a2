package client

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"os/user"
	"strings"

	"github.com/containerpub/cpub/plugins/podman/internal/hostfs"
	"github.com/containerpub/cpub/plugins/podman/internal/remote"
	"github.com/containerpub/cpub/sdk"
)

// line is the way to a service on another machine.
type line struct {
	dial    remote.Dialer
	forward *remote.Forward
	ssh     *remote.SSH // nil over TCP
	host    hostfs.Host // nil where nothing of the machine can be seen
	noHost  error       // why not
}

// reach opens the way to a target on another machine; nil for one that is here.
func reach(ctx context.Context, t Target, s Settings) (*line, error) {
	l, err := open(ctx, t, s)
	if err != nil || l == nil {
		return nil, permanent(err)
	}
	// What is wrong shows here more plainly than in the answer to a call.
	err = l.ping(ctx)
	if err == nil {
		l.forward, err = remote.NewForward(ctx, l.dial)
	}
	if err != nil {
		return nil, errors.Join(permanent(fmt.Errorf("connecting to Podman at %s (%s): %w", t.URI, t.Source, err)), l.close())
	}
	return l, nil
}

// ping looks whether a service answers.
func (l *line) ping(ctx context.Context) error {
	conn, err := l.dial(ctx)
	if err != nil {
		return err
	}
	defer func() { _ = conn.Close() }()
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://d/_ping", nil)
	if err != nil {
		return err
	}
	if err := req.Write(conn); err != nil {
		return err
	}
	resp, err := http.ReadResponse(bufio.NewReader(conn), req)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}

// permanent says of a refusal that trying again does not help.
func permanent(err error) error {
	var refused *remote.Refused
	if errors.As(err, &refused) {
		return sdk.Permanent(err)
	}
	return err
}

func open(ctx context.Context, t Target, s Settings) (*line, error) {
	u, err := url.Parse(t.URI)
	if err != nil {
		return nil, err // find has checked it
	}
	switch u.Scheme {
	case "ssh":
		return overSSH(ctx, u, t, s)
	case "tcp":
		tcp := remote.TCP{Address: u.Host, CA: t.TLSCA, Cert: t.TLSCert, Key: t.TLSKey}
		tcp.Plain = tcp.CA == "" && tcp.Cert == "" && tcp.Key == ""
		if tcp.Plain && !loopback(u.Hostname()) && !s.Insecure {
			return nil, sdk.Permanentf("%s: %s has no TLS, and is not on this machine: whoever is on the way commands that Podman. Set tls_ca, tls_cert "+
				"and tls_key in the provider's configuration, use ssh, or accept it with `insecure = true`", t.Source, t.URI)
		}
		dial, err := tcp.Dialer()
		if err != nil {
			return nil, err
		}
		return &line{dial: dial, noHost: fmt.Errorf("%w (%s)", ErrNoHost, t.URI)}, nil
	default:
		return nil, nil //nolint:nilnil // it is here
	}
}

// overSSH connects by ssh, and looks whether there is a shell.
func overSSH(ctx context.Context, u *url.URL, t Target, s Settings) (*line, error) {
	o, err := sshOptions(u, t, s)
	if err != nil {
		return nil, err
	}
	conn, err := remote.Open(ctx, o)
	if err != nil {
		return nil, err
	}
	l := &line{dial: conn.Dial, ssh: conn}
	host, err := conn.Host(ctx)
	var refused *remote.Refused
	switch {
	case err == nil:
		l.host = host
	case errors.As(err, &refused):
		l.noHost = fmt.Errorf("%w (%s): %w", ErrNoHost, t.URI, err)
	default:
		return nil, errors.Join(err, conn.Close())
	}
	return l, nil
}

// mayLook takes the view of a machine away from a user who sees nothing there of what belongs to Podman's.
func (c *Client) mayLook(ctx context.Context) error {
	if c.line == nil || c.line.host == nil {
		return nil
	}
	info, err := c.Info(ctx)
	if err != nil || info.Host.Security.Rootless {
		return err
	}
	out, err := hostfs.ReadFile(ctx, c.line.host, "/proc/self/status")
	if err != nil {
		return err
	}
	for line := range strings.Lines(string(out)) {
		if ids, ok := strings.CutPrefix(line, "Uid:"); ok && !strings.HasPrefix(strings.TrimSpace(ids), "0\t") {
			c.line.host = nil
			c.line.noHost = fmt.Errorf("%w (%s): that Podman is root's, and the user of the connection is not", ErrNoHost, c.URI)
		}
	}
	return nil
}

func sshOptions(u *url.URL, t Target, s Settings) (remote.Options, error) {
	o := remote.Options{
		User: u.User.Username(), Socket: u.Path, Identity: t.Identity, HostKey: s.HostKey, KnownHosts: s.KnownHosts, Machine: t.Machine,
	}
	if _, ok := u.User.Password(); ok {
		return o, sdk.Permanentf("%s: a connection with a password is not made: set `identity` to the file of a key, or use an ssh agent", t.Source)
	}
	if o.User == "" {
		me, err := user.Current()
		if err != nil {
			return o, fmt.Errorf("%s names no user, and who we are is not known: %w", t.Source, err)
		}
		o.User = me.Username
	}
	port := u.Port()
	if port == "" {
		port = "22"
	}
	o.Address = net.JoinHostPort(u.Hostname(), port)
	if o.Machine && !loopback(u.Hostname()) {
		return o, sdk.Permanentf("%s: a virtual machine of `podman machine` listens on this machine's loopback, and %s is not there: "+
			"its host key is checked nowhere", t.Source, u.Hostname())
	}
	return o, nil
}

func loopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

func (l *line) close() error {
	if l == nil {
		return nil
	}
	var errs []error
	if l.forward != nil {
		errs = append(errs, l.forward.Close())
	}
	if l.ssh != nil {
		errs = append(errs, l.ssh.Close())
	}
	return errors.Join(errs...)
}
