package flowtest

import (
	"context"
	"log/slog"
	"net"
	"path/filepath"
	"sync"
	"testing"
	"time"

	tclient "go.temporal.io/sdk/client"

	"github.com/containerpub/cpub/engine/artifact"
	"github.com/containerpub/cpub/engine/host"
)

// Describe tells what the host is: one instance, with a location.
func (h *Host) Describe(context.Context) []host.Described {
	return []host.Described{{Instance: Instance, Info: Info(), Location: Location}}
}

// Store opens a store of the test's own.
func Store(t testing.TB) *artifact.Store {
	t.Helper()
	store, err := artifact.Open(t.Context(), "file://"+filepath.Join(t.TempDir(), "store")+"?create_dir=1&no_tmp_dir=1")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := store.Close(); err != nil {
			t.Error(err)
		}
	})
	return store
}

// Temporal are the options to reach the server, under an identity that is the same everywhere.
func Temporal(address string) tclient.Options {
	return tclient.Options{HostPort: address, Namespace: tclient.DefaultNamespace, Identity: "test"}
}

// Eventually waits until it holds; what says what for.
func Eventually(t testing.TB, patience time.Duration, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(patience); !holds(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("after %s still not: %s", patience, what)
		}
	}
}

// Logger writes into the test's log, until the test ends.
func Logger(t testing.TB) *slog.Logger {
	w := &testWriter{t: t}
	t.Cleanup(func() {
		w.mu.Lock()
		defer w.mu.Unlock()
		w.t = nil
	})
	return slog.New(slog.NewTextHandler(w, nil))
}

type testWriter struct {
	mu sync.Mutex
	t  testing.TB
}

func (w *testWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.t != nil {
		w.t.Log(string(p))
	}
	return len(p), nil
}

// Proxy stands before a server and can be cut.
type Proxy struct {
	Address string

	target string
	mu     sync.Mutex
	cut    bool
	open   map[net.Conn]bool
}

// NewProxy forwards to the target until the test ends.
func NewProxy(t testing.TB, target string) *Proxy {
	t.Helper()
	l, err := (&net.ListenConfig{}).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{Address: l.Addr().String(), target: target, open: map[net.Conn]bool{}}
	t.Cleanup(func() {
		_ = l.Close()
		p.Cut(true)
	})
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go p.serve(c)
		}
	}()
	return p
}

// Cut breaks all connections and lets no new one through; or lets them through again.
func (p *Proxy) Cut(cut bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.cut = cut
	if cut {
		for c := range p.open {
			_ = c.Close()
		}
	}
}

func (p *Proxy) add(c net.Conn) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.cut {
		_ = c.Close()
		return false
	}
	p.open[c] = true
	return true
}

func (p *Proxy) serve(c net.Conn) {
	if !p.add(c) {
		return
	}
	d, err := (&net.Dialer{}).DialContext(context.Background(), "tcp", p.target)
	if err != nil || !p.add(d) {
		_ = c.Close()
		return
	}
	var both sync.WaitGroup
	both.Go(func() { pipe(c, d) })
	both.Go(func() { pipe(d, c) })
	both.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.open, c)
	delete(p.open, d)
}

// pipe copies until one side ends, and then ends both.
func pipe(to, from net.Conn) {
	buf := make([]byte, 32<<10)
	for {
		n, err := from.Read(buf)
		if n > 0 {
			if _, werr := to.Write(buf[:n]); werr != nil {
				break
			}
		}
		if err != nil {
			break
		}
	}
	_ = to.Close()
	_ = from.Close()
}
