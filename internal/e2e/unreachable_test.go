//go:build integration

package e2e

import (
	"os"
	"os/exec"
	"strconv"
	"strings"
	"testing"
	"time"
)

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
	s.awaitWorkerLog(p.addr)
	p.open()
	if r := s.cpub(s.flagship()...); r.code != 0 || !strings.Contains(r.stdout, "Hello, Ada!") {
		t.Errorf("exit code %d\n%s%s", r.code, r.stdout, r.stderr)
	}
}

// awaitWorkerLog waits until the worker has said something of that address.
func (s *stack) awaitWorkerLog(addr string) {
	s.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !strings.Contains(s.workerLog(), addr); time.Sleep(100 * time.Millisecond) {
		if time.Now().After(deadline) {
			s.t.Fatalf("the worker does not say that it cannot reach %s:\n%s", addr, s.workerLog())
		}
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
