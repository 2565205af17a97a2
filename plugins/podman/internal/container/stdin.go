package container

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"slices"

	"github.com/containerpub/cpub/plugins/podman/internal/hostfs"
	"github.com/containerpub/cpub/sdk"
)

// stdinChunk is how much is sent at once through Podman: conmon reads packets of that size.
const stdinChunk = 8 << 10

// pipeSize is what a pipe holds. What goes through conmon must not be longer: it drops what does not fit at once.
const pipeSize = 64 << 10

// stdin is a standard input under way.
type stdin struct {
	a    *run
	conn net.Conn // to Podman's attach
	stop func() bool
	feed hostfs.Feed // into the container's own end, where it can be reached; else nil, and conn carries the input
	sent chan struct{}
}

// openStdin opens the input of the container that is initialised but not started, so that its code finds it waiting.
//
// The input is written into the container's pipe itself where its host lets us: conmon, which Podman would hand it to,
// drops what the container does not read fast enough. And Podman's bindings are of no use here: their attach replaces the
// transport that all calls share, so that of several containers at a time some get another's connection.
func (a *run) openStdin(ctx context.Context, pid int) (*stdin, error) {
	feed, err := a.openPipe(ctx, pid)
	switch {
	case errors.Is(err, hostfs.ErrUnreachable):
		return nil, err
	case err != nil && len(a.in.Stdin) > pipeSize:
		return nil, sdk.Invalidf("stdin", "stdin has %d bytes; more than %d need a Podman whose processes this worker may reach: %w", len(a.in.Stdin), pipeSize, err)
	}
	conn, err := a.attachStdin(ctx)
	if err != nil {
		if feed != nil {
			err = errors.Join(err, feed.Close())
		}
		return nil, err
	}
	s := &stdin{a: a, conn: conn, feed: feed, sent: make(chan struct{})}
	// Closing ends a write that blocks.
	s.stop = context.AfterFunc(ctx, s.shut)
	if feed != nil {
		halfClose(conn) // conmon closes its end of the pipe; ours is the last
	}
	return s, nil
}

// openPipe opens the container's end of its stdin and feeds it. It gives nil with an error.
func (a *run) openPipe(ctx context.Context, pid int) (hostfs.Feed, error) {
	host, err := a.Client.Host()
	if err != nil {
		return nil, err
	}
	feed, err := host.Feed(ctx, fmt.Sprintf("/proc/%d/fd/0", pid), a.in.Stdin)
	if err != nil {
		return nil, fmt.Errorf("opening the container's stdin: %w", err)
	}
	return feed, nil
}

// attachStdin attaches to the container's stdin.
func (a *run) attachStdin(ctx context.Context) (net.Conn, error) {
	conn, _, err := a.attach(ctx, "stdin")
	return conn, err
}

// attach attaches to streams of the container: what is written to the connection goes to its stdin, and what it writes is read from output.
func (a *run) attach(ctx context.Context, streams ...string) (conn net.Conn, output io.Reader, err error) {
	conn, err = a.Client.Dial(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("attaching to the container: %w", err)
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	q := url.Values{"stdin": {"false"}, "stdout": {"false"}, "stderr": {"false"}, "stream": {"true"}, "detachKeys": {""}}
	for _, s := range streams {
		q.Set(s, "true")
	}
	u := &url.URL{Scheme: "http", Host: "d", Path: "/v4.0.0/libpod/containers/" + a.name() + "/attach", RawQuery: q.Encode()}
	req := &http.Request{
		Method: http.MethodPost, URL: u, Host: "d", ProtoMajor: 1, ProtoMinor: 1,
		Header: http.Header{"Connection": {"Upgrade"}, "Upgrade": {"tcp"}},
	}
	r := bufio.NewReader(conn)
	err = req.Write(conn)
	if err == nil {
		var resp *http.Response
		if resp, err = http.ReadResponse(r, req); err == nil && resp.StatusCode != http.StatusSwitchingProtocols {
			err = errors.Join(fmt.Errorf("unexpected answer %s", resp.Status), resp.Body.Close())
		}
	}
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("attaching to the container: %w", err), conn.Close())
	}
	return conn, r, nil
}

// send writes the input and closes it. A container that ends without reading all of it is no failure.
func (s *stdin) send(text string) {
	defer close(s.sent)
	if s.feed != nil {
		if err := s.feed.Wait(); err != nil {
			return
		}
	} else {
		for part := range slices.Chunk([]byte(text), stdinChunk) {
			if _, err := s.conn.Write(part); err != nil {
				return
			}
		}
		halfClose(s.conn)
	}
	// Without the checkpoint the next attempt starts anew, which is safe.
	_ = s.a.save(func(c *checkpoint) { c.StdinSent = true })
}

func halfClose(conn net.Conn) {
	if c, ok := conn.(interface{ CloseWrite() error }); ok {
		_ = c.CloseWrite() // a peer that is gone has no use for it
	}
}

// shut closes what send writes to.
func (s *stdin) shut() {
	_ = s.conn.Close()
	if s.feed != nil {
		_ = s.feed.Close()
	}
}

// close ends the sending and waits for it.
func (s *stdin) close() {
	if s == nil {
		return
	}
	s.stop()
	s.shut()
	<-s.sent
}
