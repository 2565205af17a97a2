//go:build integration

package provider_test

import (
	"errors"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/containerpub/cpub/internal/testenv"
	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/sdktest"
)

// TestFar: Podman is at the end of a line that is slow, loses packets, and is cut.
func TestFar(t *testing.T) {
	for _, version := range testenv.PodmanVersions {
		t.Run(version, func(t *testing.T) {
			t.Parallel() // most of it is waiting
			far := testenv.StartFar(t)
			d := testenv.StartSSHD(t, testenv.SSHDOptions{Namespace: far.Namespace, Listen: far.Address})
			podman := testenv.StartPodman(t, version)
			config := overSSH(d, "root", podman)
			config["connection"] = strings.Replace(config["connection"], d.Address, late(t, d.Address, 30*time.Millisecond), 1)
			e := newEnvWith(t, podman, config)
			t.Run("late and lossy", func(t *testing.T) { lateAndLossy(t, e, far) })
			t.Run("cancel", func(t *testing.T) { cancelCrosses(t, e) })
			t.Run("cut", func(t *testing.T) { cut(t, e, far) })
		})
	}
}

// late is a proxy to an address, over which everything takes so much longer in either direction.
func late(t *testing.T, address string, delay time.Duration) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			here, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				there, err := net.DialTimeout("tcp", address, time.Minute)
				if err != nil {
					_ = here.Close()
					return
				}
				go carryLate(there, here, delay)
				carryLate(here, there, delay)
			}()
		}
	}()
	return l.Addr().String()
}

// carryLate copies until an end, and each piece that much later.
func carryLate(to, from net.Conn, delay time.Duration) {
	type piece struct {
		data []byte
		due  time.Time
	}
	pieces := make(chan piece, 1<<12)
	go func() {
		defer close(pieces)
		for buf := make([]byte, 32<<10); ; {
			n, err := from.Read(buf)
			if n > 0 {
				pieces <- piece{append([]byte(nil), buf[:n]...), time.Now().Add(delay)}
			}
			if err != nil {
				return
			}
		}
	}()
	for p := range pieces {
		time.Sleep(time.Until(p.due))
		if _, err := to.Write(p.data); err != nil {
			break
		}
	}
	_ = to.Close()
	_ = from.Close()
	for range pieces { // until the reading has ended
		continue
	}
}

func lateAndLossy(t *testing.T, e *env, far *testenv.Far) {
	far.Lose(t, 50)
	defer far.Mend(t)
	r := e.run(map[string]any{"time_limit": "60s", "stdin": "hello"}, "cat")
	out := ok(t, r)
	if out.Stdout != "hello" || out.Receipt.Limits.Memory != 128<<20 || out.Receipt.MemoryPeak == nil {
		t.Errorf("%+v", out)
	}
	b := e.Run(buildCall(t, e.Harness, map[string]string{"Containerfile": "FROM " + probe + "\nCOPY f /f\n", "f": strings.Repeat("0123456789abcdef", 1<<16)}, nil))
	b.Decode(new(built))
	if err := e.Release(r.Key, b.Key); err != nil {
		t.Error(err)
	}
	for _, key := range []string{r.Key, b.Key} {
		for _, what := range left(t, e.podman, key) {
			t.Errorf("left: %s", what)
		}
	}
}

// cancelCrosses: what is cancelled here stops there.
func cancelCrosses(t *testing.T, e *env) {
	s := whenStarted(t, sdk.ErrCancelled)
	call := e.call(map[string]any{"time_limit": "60s"}, "wait", "600")
	call.Context, call.Host = s.ctx, s
	r := e.Run(call)
	if !errors.Is(r.Err, sdk.ErrCancelled) && (r.Err == nil || !strings.Contains(r.Err.Error(), "cancel")) {
		t.Errorf("a run that was cancelled: %v", r.Err)
	}
	for _, what := range left(t, e.podman, r.Key) {
		t.Errorf("left of the run: %s", what)
	}
	s = whenStarted(t, sdk.ErrCancelled)
	build := buildCall(t, e.Harness, map[string]string{"Containerfile": "FROM " + probe + "\nRUN [\"/probe\", \"wait\", \"600\"]\n"}, nil)
	build.Context, build.Host = s.ctx, progress{s, "line 1"}
	r = e.Run(build)
	if r.Err == nil {
		t.Error("the build that was cancelled succeeded")
	}
	for _, what := range left(t, e.podman, r.Key) {
		t.Errorf("left of the build: %s", what)
	}
}

// cut: while nothing comes through, a container runs on, and its attempt goes on with it when the line is back; a build fails in a way that
// is tried again, and leaves nothing.
func cut(t *testing.T, e *env, far *testenv.Far) {
	run, build := whenStarted(t, nil), whenStarted(t, nil)
	run.cancel, build.cancel = func(error) {}, func(error) {}
	call := e.call(map[string]any{"time_limit": "120s"}, "wait", "300")
	call.Host = run
	files := map[string]string{"Containerfile": "FROM " + probe + "\nRUN [\"/probe\", \"wait\", \"1000\"]\n"}
	building := buildCall(t, e.Harness, files, map[string]any{"time_limit": "300s"})
	building.Host = progress{build, "line 1"}
	ran, built1 := make(chan *sdktest.Result, 1), make(chan *sdktest.Result, 1)
	go func() { ran <- e.Run(call) }()
	go func() { built1 <- e.Run(building) }()
	<-run.seen
	<-build.seen
	far.Cut(t)
	time.Sleep(25 * time.Second) // until the connection is given up
	far.Mend(t)
	r := <-ran
	if lines := strings.Count(ok(t, r).Stdout, "line "); lines != 300 {
		t.Errorf("the output has %d lines, want 300", lines)
	}
	b := <-built1
	var se *sdk.Error
	if b.Err == nil || errors.As(b.Err, &se) && se.Kind != sdk.KindTransient {
		t.Errorf("a build whose line was cut: %v, want a failure that is tried again", b.Err)
	}
	again := buildCall(t, e.Harness, map[string]string{"Containerfile": "FROM " + probe + "\nRUN [\"/probe\", \"wait\", \"2\"]\n"}, nil)
	again.Key, again.Attempt, again.Returned = b.Key, 2, true
	e.Run(again).Decode(new(built))
	if err := e.Release(r.Key, b.Key); err != nil {
		t.Error(err)
	}
	for _, key := range []string{r.Key, b.Key} {
		for _, what := range left(t, e.podman, key) {
			t.Errorf("left: %s", what)
		}
	}
}
