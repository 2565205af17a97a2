//go:build integration

package provider

import (
	"io"
	"net"
	"net/url"
	"sync"
	"sync/atomic"
	"testing"
)

// proxy stands between the provider and the gateway, counts, and spoils.
type proxy struct {
	url    string
	target string

	down    atomic.Int64 // bytes from the gateway
	now     atomic.Int64 // open connections
	most    atomic.Int64 // open connections at once
	perConn atomic.Int64 // cut each connection after so many bytes from the gateway; 0: never
	upConn  atomic.Int64 // cut each connection after so many bytes to the gateway; 0: never
	total   atomic.Int64 // cut all, and take no more, after so many bytes from the gateway altogether; 0: never
	flip    atomic.Int64 // damage the byte at this offset of what comes from the gateway, of every connection; 0: none
}

func startProxy(t *testing.T, gatewayURL string) *proxy {
	t.Helper()
	u, err := url.Parse(gatewayURL)
	must(t, err)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	p := &proxy{url: "http://" + l.Addr().String(), target: u.Host}
	var all sync.WaitGroup
	all.Go(func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			all.Go(func() { p.serve(c) })
		}
	})
	t.Cleanup(func() { _ = l.Close() })
	return p
}

func (p *proxy) serve(c net.Conn) {
	defer func() { _ = c.Close() }()
	if p.spent() {
		return
	}
	s, err := net.Dial("tcp", p.target)
	if err != nil {
		return
	}
	defer func() { _ = s.Close() }()
	n := p.now.Add(1)
	defer p.now.Add(-1)
	for m := p.most.Load(); n > m && !p.most.CompareAndSwap(m, n); m = p.most.Load() {
	}
	go func() {
		_, _ = io.Copy(s, &limited{r: c, left: p.upConn.Load()})
		_ = s.Close()
		_ = c.Close()
	}()
	p.back(c, s)
}

// back carries what the gateway says.
func (p *proxy) back(c io.Writer, s io.Reader) {
	buf := make([]byte, 32<<10)
	limit, flip, seen := p.perConn.Load(), p.flip.Load(), int64(0)
	for {
		n, err := s.Read(buf)
		if limit > 0 && seen+int64(n) > limit {
			n, err = int(limit-seen), io.EOF
		}
		if flip > seen && flip <= seen+int64(n) {
			buf[flip-seen-1] ^= 1
		}
		seen += int64(n)
		p.down.Add(int64(n))
		if _, werr := c.Write(buf[:n]); werr != nil || err != nil || p.spent() {
			return
		}
	}
}

func (p *proxy) spent() bool {
	total := p.total.Load()
	return total > 0 && p.down.Load() >= total
}

// limited ends after so many bytes; 0: never.
type limited struct {
	r    io.Reader
	left int64
}

func (l *limited) Read(b []byte) (int, error) {
	if l.left == 0 {
		return l.r.Read(b)
	}
	if l.left < 0 {
		return 0, io.EOF
	}
	n, err := l.r.Read(b[:min(int64(len(b)), l.left)])
	if l.left -= int64(n); l.left == 0 {
		l.left = -1
	}
	return n, err
}
