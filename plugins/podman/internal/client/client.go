// Package client holds the connection to one Podman service: how it is found, opened, and used through Podman's bindings.
package client

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"runtime"
	"sync/atomic"
	"time"

	"github.com/containers/podman/v5/libpod/define"
	"github.com/containers/podman/v5/pkg/bindings"
	"github.com/containers/podman/v5/pkg/bindings/system"
	"github.com/containers/podman/v5/pkg/errorhandling"

	"github.com/containerpub/cpub/plugins/podman/internal/hostfs"
	"github.com/containerpub/cpub/plugins/podman/internal/remote"
)

// ErrClosed is the cause of calls that were under way when the client was closed.
var ErrClosed = errors.New("the connection to Podman was closed")

// Client is a connection to one Podman service. It is safe for concurrent use, and survives a restart of the service: each
// call dials anew where it must. Close ends the calls under way, and the service if it is our own.
type Client struct {
	// URI is what the connection leads to.
	URI string
	// Source says where the URI was found, for messages.
	Source string

	conn    context.Context //nolint:containedctx // Podman's bindings keep their connection in a context; Context derives from it
	close   context.CancelCauseFunc
	service *Service
	line    *line // nil where the service is on this machine
	info    atomic.Pointer[define.Info]
}

// Open connects to the service that the settings lead to, starting one where there is none.
func Open(ctx context.Context, s Settings) (*Client, error) {
	target, err := find(s)
	if err != nil {
		return nil, err
	}
	return openTarget(ctx, target, s)
}

func openTarget(ctx context.Context, target Target, s Settings) (*Client, error) {
	var service *Service
	if target.URI == "" {
		var err error
		if service, err = StartService(ctx, s.Podman, s.Registries); err != nil {
			return nil, err
		}
		target.URI = service.URI
	}
	way, err := reach(ctx, target, s)
	var c *Client
	if err == nil {
		c, err = dial(ctx, target, way)
	}
	if err != nil {
		if way != nil {
			err = errors.Join(err, way.close())
		}
		if service != nil {
			err = errors.Join(err, service.Stop())
		}
		return nil, err
	}
	c.service = service
	if err := c.mayLook(ctx); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

func dial(ctx context.Context, target Target, way *line) (*Client, error) {
	uri := target.URI
	if way != nil {
		uri = "unix://" + way.forward.Path
	}
	// The connection outlives the call that opens it.
	base, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { cancel(context.Cause(ctx)) })
	conn, err := bindings.NewConnectionWithOptions(base, bindings.Options{URI: uri})
	if !stop() && err == nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		cancel(ErrClosed)
		return nil, fmt.Errorf("connecting to Podman at %s (%s): %w", target.URI, target.Source, err)
	}
	return &Client{URI: target.URI, Source: target.Source, conn: conn, close: cancel, line: way}, nil
}

// Close ends every call under way and stops the service if we started it. Containers run on.
func (c *Client) Close() error {
	c.close(ErrClosed)
	err := c.line.close()
	if c.service != nil {
		err = errors.Join(err, c.service.Stop())
	}
	return err
}

// Context is ctx with the connection in it, for one call of Podman's bindings: it ends when ctx ends and when the client is
// closed. The caller calls cancel when the call is over.
func (c *Client) Context(ctx context.Context) (call context.Context, cancel context.CancelFunc) {
	joined, end := context.WithCancelCause(callContext{Context: ctx, conn: c.conn})
	stop := context.AfterFunc(c.conn, func() { end(context.Cause(c.conn)) })
	return joined, func() {
		stop()
		end(context.Canceled)
	}
}

// callContext is a call's context that also carries the values which the bindings put into the connection's.
type callContext struct {
	context.Context                 //nolint:containedctx // a context is what it is
	conn            context.Context //nolint:containedctx // where the other values are
}

func (c callContext) Value(key any) any {
	if v := c.Context.Value(key); v != nil {
		return v
	}
	return c.conn.Value(key)
}

// Do sends one request to an endpoint of libpod's API, for the endpoints that the bindings serve badly. The caller closes
// the body. The status is checked: an answer that is no success is an error.
func (c *Client) Do(ctx context.Context, r Call) (*http.Response, error) {
	conn, err := bindings.GetClient(c.conn) //nolint:contextcheck // this context is the connection; the call heeds ctx
	if err != nil {
		return nil, fmt.Errorf("using the connection to Podman: %w", err)
	}
	resp, err := conn.DoRequest(ctx, r.Body, r.Method, r.Endpoint, r.Query, r.Header, r.Path...)
	if err != nil {
		return nil, err
	}
	if !resp.IsSuccess() && !resp.IsInformational() {
		err := resp.Process(nil)
		return nil, errors.Join(err, resp.Body.Close())
	}
	return resp.Response, nil
}

// Dial opens a raw connection to the service.
func (c *Client) Dial(ctx context.Context) (net.Conn, error) {
	if c.line != nil {
		return c.line.dial(ctx)
	}
	return (&net.Dialer{}).DialContext(ctx, "unix", socketPath(c.URI))
}

// Info is what the service says of its host; asked for once.
func (c *Client) Info(ctx context.Context) (*define.Info, error) {
	if i := c.info.Load(); i != nil {
		return i, nil
	}
	call, cancel := c.Context(ctx)
	defer cancel()
	i, err := system.Info(call, nil)
	if err != nil {
		return nil, fmt.Errorf("asking Podman about its host: %w", err)
	}
	c.info.Store(i)
	return i, nil
}

// Version is the service's version, such as 4.3.1.
func (c *Client) Version() string { return bindings.ServiceVersion(c.conn).String() }

// AtLeast tells whether the service's version is at least major.minor.
func (c *Client) AtLeast(major, minor uint64) bool {
	v := bindings.ServiceVersion(c.conn)
	return v.Major > major || v.Major == major && v.Minor >= minor
}

// Own tells whether the service is one that we started.
func (c *Client) Own() bool { return c.service != nil }

// Local tells whether the service is reached through a socket of this machine.
func (c *Client) Local() bool {
	u, err := url.Parse(c.URI)
	return err == nil && u.Scheme == "unix"
}

// ErrNoHost is in the tree of Host's error.
var ErrNoHost = errors.New("the processes and cgroups of the machine that Podman is on cannot be seen over this connection")

// Host is the machine that Podman runs on. Where nothing of it can be seen, the error says so.
func (c *Client) Host() (hostfs.Host, error) {
	if c.line != nil {
		return c.line.host, c.line.noHost
	}
	// Elsewhere than on Linux the socket leads into a virtual machine.
	if runtime.GOOS != "linux" {
		return nil, fmt.Errorf("%w (%s)", ErrNoHost, c.URI)
	}
	return hostfs.Local{}, nil
}

// Status is the HTTP status of an error that the service answered with, or 0.
func Status(err error) int {
	var m *errorhandling.ErrorModel
	if errors.As(err, &m) {
		return m.ResponseCode
	}
	return 0
}

// NotFound tells whether the service says that there is no such thing.
func NotFound(err error) bool { return Status(err) == http.StatusNotFound }

// Conflict tells whether the service says that the name is taken, or that the state does not allow it.
func Conflict(err error) bool { return Status(err) == http.StatusConflict }

// Unreachable tells whether the service gave no answer at all: it may be about to be restarted.
func Unreachable(err error) bool {
	if err == nil || errors.Is(err, hostfs.ErrUnreachable) || Status(err) == remote.StatusUnreachable {
		return err != nil
	}
	if Status(err) != 0 || errors.Is(err, context.Canceled) || errors.Is(err, ErrClosed) {
		return false
	}
	var op *net.OpError
	var ue *url.Error
	return errors.As(err, &op) || errors.As(err, &ue) || errors.Is(err, net.ErrClosed) || errors.Is(err, io.ErrUnexpectedEOF)
}

// Retry calls f again while the service does not answer, for at most d: a restart of the service is no failure of a step.
func Retry(ctx context.Context, d time.Duration, f func() error) error {
	deadline := time.Now().Add(d)
	for wait := 50 * time.Millisecond; ; wait = min(2*wait, time.Second) {
		err := f()
		if !Unreachable(err) || time.Now().After(deadline) {
			return err
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(wait):
		}
	}
}
