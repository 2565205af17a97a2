//go:build integration

package e2e

import (
	"io"
	"net"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// proxy stands between the worker and a service, so that a test can take the service away.
type proxy struct {
	t      testing.TB
	addr   string
	target string

	mu    sync.Mutex
	l     net.Listener
	conns map[net.Conn]bool
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
	go func() { _, _ = io.Copy(out, in); _ = out.Close() }()
	_, _ = io.Copy(in, out)
	_ = in.Close()
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

// pid is a process's id as text.
func pid(c *exec.Cmd) string { return strconv.Itoa(c.Process.Pid) }

// through makes the worker's configuration reach a service by a proxy, and starts the worker.
func (s *stack) through(address string) *proxy {
	s.t.Helper()
	p := newProxy(s.t, address)
	text, err := os.ReadFile(s.config)
	if err != nil {
		s.t.Fatal(err)
	}
	from := strings.TrimPrefix(address, "http://")
	if !strings.Contains(string(text), from) {
		s.t.Fatalf("worker.hcl does not name %s", from)
	}
	s.writeFile(s.config, strings.ReplaceAll(string(text), from, p.addr))
	return p
}

// TestServiceGoneInTheMiddle takes S3, and Temporal, away from the worker for some seconds while a run needs them.
func TestServiceGoneInTheMiddle(t *testing.T) {
	for _, tt := range []struct {
		name, activity string
		address        func(*stack) string
	}{
		{"s3", "object_fetch", func(s *stack) string { return s.env.S3 }},
		{"temporal", "container_run", func(s *stack) string { return s.env.Temporal }},
	} {
		t.Run(tt.name, func(t *testing.T) {
			s := newStackWithoutWorker(t, "5.8.2")
			s.seedSlow()
			p := s.through(tt.address(s))
			s.startWorker()
			c := s.dial()
			if tt.name == "s3" {
				p.cut()
			}
			workflowID := s.startSlow("gone")
			s.awaitActivity(c, workflowID, tt.activity)
			p.cut()
			time.Sleep(3 * time.Second)
			p.open()
			if out := s.succeeds(c, workflowID); !strings.Contains(out["result"], `"slept"`) {
				t.Errorf("outputs: %v", out)
			}
			s.assertStartedOnce(workflowID)
			s.assertClean()
		})
	}
}

// TestWorkerStartsBeforeTemporal starts a worker with no Temporal to talk to: it says so, waits, and then serves.
func TestWorkerStartsBeforeTemporal(t *testing.T) {
	s := newStackWithoutWorker(t, "5.8.2")
	p := s.through(s.env.Temporal)
	p.cut()
	s.startWorker()
	for deadline := time.Now().Add(30 * time.Second); !strings.Contains(s.workerLog(), p.addr); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("the worker does not say that it cannot reach %s:\n%s", p.addr, s.workerLog())
		}
	}
	p.open()
	if r := s.cpub(s.flagship()...); r.code != 0 || !strings.Contains(r.stdout, "Hello, Ada!") {
		t.Errorf("exit code %d\n%s%s", r.code, r.stdout, r.stderr)
	}
}

func (s *stack) workerLog() string {
	text, err := os.ReadFile(s.log.Name())
	if err != nil {
		s.t.Fatal(err)
	}
	return string(text)
}

// TestRunWithoutTemporal says what cannot be reached, where, and what to do; the exit code is 3.
func TestRunWithoutTemporal(t *testing.T) {
	s := newStackWithoutWorker(t, "5.8.2")
	p := newProxy(t, s.env.Temporal)
	p.cut()
	s.env.Environ = append(s.env.Environ, "TEMPORAL_ADDRESS="+p.addr)
	r := s.cpub(s.flagship()...)
	if r.code != 3 || !strings.Contains(r.stderr, p.addr) {
		t.Errorf("exit code %d, want 3 and the address %s:\n%s", r.code, p.addr, r.stderr)
	}
}
