package container

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"

	"github.com/containerpub/cpub/plugins/podman/internal/owner"
)

// stdinChunk is how much is sent at once: conmon reads packets of that size.
const stdinChunk = 8 << 10

// stdin is an attached standard input. Podman's bindings are of no use here: their attach replaces the transport that all
// calls share, so that of several containers at a time some get another's connection, and lose their input.
type stdin struct {
	conn net.Conn
	a    *run
	sent chan struct{}
	stop func() bool
}

// attachStdin attaches before the start, so that the container's code finds its input waiting.
func (a *run) attachStdin(ctx context.Context) (*stdin, error) {
	conn, err := a.Client.Dial(ctx)
	if err != nil {
		return nil, fmt.Errorf("attaching to the container's stdin: %w", err)
	}
	// Closing ends a write that blocks.
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	q := url.Values{"stdin": {"true"}, "stdout": {"false"}, "stderr": {"false"}, "stream": {"true"}, "detachKeys": {""}}
	u := &url.URL{Scheme: "http", Host: "d", Path: "/v4.0.0/libpod/containers/" + owner.Name(a.req.Key) + "/attach", RawQuery: q.Encode()}
	req := &http.Request{
		Method: http.MethodPost, URL: u, Host: "d", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Connection": {"Upgrade"}, "Upgrade": {"tcp"}},
	}
	err = req.Write(conn)
	if err == nil {
		var resp *http.Response
		if resp, err = http.ReadResponse(bufio.NewReader(conn), req); err == nil && resp.StatusCode != http.StatusSwitchingProtocols {
			err = fmt.Errorf("unexpected answer %s", resp.Status)
			err = errors.Join(err, resp.Body.Close())
		}
	}
	if err != nil {
		stop()
		return nil, errors.Join(fmt.Errorf("attaching to the container's stdin: %w", err), conn.Close())
	}
	return &stdin{conn: conn, a: a, sent: make(chan struct{}), stop: stop}, nil
}

// send writes the input and closes it. A container that ends without reading all of it is no failure.
func (s *stdin) send(text string) {
	defer close(s.sent)
	defer func() { _ = s.conn.Close() }()
	for len(text) > 0 {
		n := min(len(text), stdinChunk)
		if _, err := s.conn.Write([]byte(text[:n])); err != nil {
			return
		}
		text = text[n:]
	}
	if c, ok := s.conn.(interface{ CloseWrite() error }); ok {
		_ = c.CloseWrite()
	}
	// Without the checkpoint the next attempt starts anew, which is safe.
	_ = s.a.save(func(c *checkpoint) { c.StdinSent = true })
	// The service closes its side when the container has ended; waiting for that keeps the connection open until all is read.
	buf := make([]byte, 64)
	for {
		if _, err := s.conn.Read(buf); err != nil {
			return
		}
	}
}

// close ends the sending and waits for it.
func (s *stdin) close() {
	if s == nil {
		return
	}
	s.stop()
	_ = s.conn.Close()
	<-s.sent
}
