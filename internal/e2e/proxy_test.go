//go:build integration

package e2e

import (
	"io"
	"net"
	"strings"
	"sync"
	"testing"
)

// proxy stands between the worker and a service, so that a test can take the service away.
type proxy struct {
	t      testing.TB
	addr   string
	target string

	mu    sync.Mutex
	l     net.Listener
	conns map[net.Conn]bool
	left  int64         // bytes to the service until it is cut off; 0: it is not
	gone  chan struct{} // closed when left ran out
}

// newProxy listens at a free port for the target, host:port or a URL of http.
func newProxy(t testing.TB, target string) *proxy {
	t.Helper()
	p := &proxy{t: t, addr: "127.0.0.1:0", target: strings.TrimPrefix(target, "http://"), conns: map[net.Conn]bool{}}
	p.open()
	t.Cleanup(p.cut)
	return p
}

func (p *proxy) open() {
	p.t.Helper()
	l, err := net.Listen("tcp", p.addr)
	if err != nil {
		p.t.Fatal(err)
	}
	p.mu.Lock()
	p.l, p.addr = l, l.Addr().String()
	p.mu.Unlock()
	go func() {
		for {
			in, err := l.Accept()
			if err != nil {
				return
			}
			go p.serve(in)
		}
	}()
}

func (p *proxy) serve(in net.Conn) {
	out, err := net.Dial("tcp", p.target)
	if err != nil {
		_ = in.Close()
		return
	}
	p.mu.Lock()
	p.conns[in], p.conns[out] = true, true
	p.mu.Unlock()
	go func() { _, _ = io.Copy(counted{out, p}, in); _ = out.Close() }()
	_, _ = io.Copy(in, out)
	_ = in.Close()
}

// cutAfter cuts the service off as soon as that many more bytes were sent to it, and says so on the channel that it returns.
func (p *proxy) cutAfter(bytes int64) <-chan struct{} {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.left, p.gone = bytes, make(chan struct{})
	return p.gone
}

// sent counts what goes to the service.
func (p *proxy) sent(n int) {
	p.mu.Lock()
	over := p.left > 0 && p.left <= int64(n)
	p.left = max(0, p.left-int64(n))
	gone := p.gone
	p.mu.Unlock()
	if over {
		p.cut()
		close(gone)
	}
}

// counted is a connection to the service.
type counted struct {
	io.Writer
	p *proxy
}

func (c counted) Write(b []byte) (int, error) {
	c.p.sent(len(b))
	return c.Writer.Write(b)
}

// cut closes every connection and listens no more.
func (p *proxy) cut() {
	p.mu.Lock()
	defer p.mu.Unlock()
	_ = p.l.Close()
	for c := range p.conns {
		_ = c.Close()
		delete(p.conns, c)
	}
}
