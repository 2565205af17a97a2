package host

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/containerpub/cpub/internal/wire"
	"github.com/containerpub/cpub/sdk"
)

func pidOf(t *testing.T, h *Host) int {
	t.Helper()
	s, err := h.order[0].wait(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return int(s.proc.pid.Load())
}

// gone waits until a process is no more, or a zombie of another parent.
func gone(t *testing.T, pid int) {
	t.Helper()
	for deadline := time.Now().Add(10 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		stat, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(pid), "stat"))
		if errors.Is(err, os.ErrNotExist) || strings.Contains(string(stat), ") Z ") {
			return
		}
	}
	t.Errorf("process %d lives on", pid)
}

func TestACrashIsTransientAndTheProviderComesBack(t *testing.T) {
	h := newHost(t, nil)
	var steps sync.WaitGroup
	bystander := newObserver()
	steps.Go(func() { // it is lost with the provider
		_, err := h.Run(t.Context(), callOf(t, map[string]any{"do": "wait", "text": "/dev/null"}), bystander)
		transient(t, err, wire.ErrUnreachable)
	})
	<-bystander.first
	first := pidOf(t, h)
	_, err := do(t, h, map[string]any{"do": "crash"})
	transient(t, err, wire.ErrUnreachable)
	steps.Wait()
	out, err := do(t, h, map[string]any{"do": "echo", "text": "again"})
	if err != nil || out.Text != "again" {
		t.Errorf("after the crash: %+v, %v", out, err)
	}
	if pidOf(t, h) == first {
		t.Error("the process is the same")
	}
}

func transient(t *testing.T, err, want error) {
	t.Helper()
	var e *sdk.Error
	if !errors.Is(err, want) || errors.As(err, &e) && e.Kind != sdk.KindTransient {
		t.Errorf("error %v, want a transient one that wraps %v", err, want)
	}
}

func TestAHungProviderIsKilled(t *testing.T) {
	h := newHost(t, func(o *Options) {
		o.times.run = wire.RunOptions{Heartbeat: 50 * time.Millisecond, Silence: 500 * time.Millisecond}
	})
	first := pidOf(t, h)
	_, err := do(t, h, map[string]any{"do": "hang"})
	transient(t, err, wire.ErrHung)
	gone(t, first)
	if _, err := do(t, h, map[string]any{"do": "echo"}); err != nil {
		t.Errorf("after the hang: %v", err)
	}
}

func TestAnIdleProviderThatHangsIsKilled(t *testing.T) {
	h := newHost(t, func(o *Options) { o.times.ping = 100 * time.Millisecond })
	first := pidOf(t, h)
	if err := syscall.Kill(first, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	gone(t, first)
	if _, err := do(t, h, map[string]any{"do": "echo"}); err != nil {
		t.Errorf("after the hang: %v", err)
	}
}

func TestCancelAndDetachAreTold(t *testing.T) {
	h := newHost(t, nil)
	other := errors.New("the activity timed out")
	tests := []struct {
		name  string
		cause error
		want  error
	}{
		{"cancel", sdk.ErrCancelled, sdk.ErrCancelled},
		{"another cause", other, sdk.ErrCancelled},
		{"detach", sdk.ErrDetached, sdk.ErrDetached},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			said := filepath.Join(t.TempDir(), "said")
			ctx, cancel := context.WithCancelCause(t.Context())
			obs := newObserver()
			go func() {
				<-obs.first
				cancel(tt.cause)
			}()
			began := time.Now()
			// the step notes the cause; that it then returns as if all were well is its own decision
			if _, err := h.Run(ctx, callOf(t, map[string]any{"do": "wait", "text": said}), obs); err != nil && !errors.Is(err, tt.cause) {
				t.Errorf("error %v", err)
			}
			if got, err := os.ReadFile(said); err != nil || string(got) != tt.want.Error() {
				t.Errorf("the step was told %q, %v, want %q", got, err, tt.want)
			}
			if d := time.Since(began); d > 5*time.Second {
				t.Errorf("it took %s", d)
			}
		})
	}
}

func TestAStepThatDoesNotHeedCancelIsGivenUp(t *testing.T) {
	h := newHost(t, func(o *Options) { o.times.run.Grace = 200 * time.Millisecond })
	ctx, cancel := context.WithCancelCause(t.Context())
	obs := newObserver()
	go func() {
		<-obs.first
		cancel(sdk.ErrCancelled)
	}()
	fifo := filepath.Join(t.TempDir(), "fifo") // to write there waits for a reader who never comes
	if err := syscall.Mkfifo(fifo, 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := h.Run(ctx, callOf(t, map[string]any{"do": "wait", "text": fifo}), obs)
	if !errors.Is(err, sdk.ErrCancelled) {
		t.Errorf("error %v", err)
	}
}

func TestCloseDetaches(t *testing.T) {
	h, err := tryHost(t, nil)
	if err != nil {
		t.Fatal(err)
	}
	said := filepath.Join(t.TempDir(), "said")
	obs := newObserver()
	var step sync.WaitGroup
	step.Go(func() {
		_, _ = h.Run(t.Context(), callOf(t, map[string]any{"do": "wait", "text": said}), obs)
	})
	<-obs.first
	pid := pidOf(t, h)
	if err := h.Close(); err != nil {
		t.Error(err)
	}
	step.Wait()
	gone(t, pid)
	if got, err := os.ReadFile(said); err != nil || string(got) != sdk.ErrDetached.Error() {
		t.Errorf("the step was told %q, %v", got, err)
	}
	noLeftovers(t, h)
}

func TestAProviderDiesWithItsHost(t *testing.T) {
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	host := exec.CommandContext(t.Context(), exe)
	host.Env = append(os.Environ(), roleHost+"="+dir)
	out, err := host.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := host.Start(); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Fields(line)
	pid, err := strconv.Atoi(fields[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := host.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = host.Wait() // it was killed
	gone(t, pid)
	newHost(t, func(o *Options) { o.StateDir, o.Cache = filepath.Join(dir, "state"), filepath.Join(dir, "cache") })
	if _, err := os.Stat(fields[1]); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the dead host's sockets were not swept: %v", err)
	}
}

// TestAProviderWatchesItsStdin is the way where there is no parent-death signal.
func TestAProviderWatchesItsStdin(t *testing.T) {
	h := newHost(t, nil)
	s := h.order[0].session()
	s.proc.stdin.Close()
	select {
	case <-s.exited:
		if s.proc.err != nil {
			t.Errorf("it ended with %v", s.proc.err)
		}
	case <-time.After(10 * time.Second):
		t.Error("it lives on")
	}
}

func TestChildrenOfAProviderEndWithIt(t *testing.T) {
	h := newHost(t, nil)
	if _, err := do(t, h, map[string]any{"do": "child"}); err != nil {
		t.Fatal(err)
	}
	children := func() []string {
		out, _ := exec.CommandContext(t.Context(), "pgrep", "-g", strconv.Itoa(pidOf(t, h)), "sleep").Output() // none is an error
		return strings.Fields(string(out))
	}()
	if len(children) != 1 {
		t.Fatalf("children %v", children)
	}
	pid, err := strconv.Atoi(children[0])
	if err != nil {
		t.Fatal(err)
	}
	_, err = do(t, h, map[string]any{"do": "crash"})
	transient(t, err, wire.ErrUnreachable)
	gone(t, pid)
}

func TestMaxConcurrentIsKept(t *testing.T) {
	h := newHost(t, func(o *Options) { o.Instances[0].MaxConcurrent = 1 })
	ctx, cancel := context.WithCancelCause(t.Context())
	obs := newObserver()
	var first sync.WaitGroup
	first.Go(func() {
		_, _ = h.Run(ctx, callOf(t, map[string]any{"do": "wait", "text": "/dev/null"}), obs)
	})
	<-obs.first
	short, stop := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer stop()
	if _, err := h.Run(short, callOf(t, map[string]any{"do": "echo"}), newObserver()); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a second step ran, or failed with %v", err)
	}
	const wait = 60 * time.Millisecond
	time.AfterFunc(wait, func() { cancel(sdk.ErrCancelled) })
	call := callOf(t, map[string]any{"do": "queued"})
	call.Queued = time.Minute
	raw, err := h.Run(t.Context(), call, newObserver())
	if err != nil {
		t.Fatalf("after the first: %v", err)
	}
	first.Wait()
	var out struct{ Number int64 }
	if err := json.Unmarshal(raw, &out); err != nil {
		t.Fatal(err)
	}
	// What it waited for a worker, and what it waited here.
	if got := time.Duration(out.Number) * time.Millisecond; got < time.Minute+wait/2 || got > time.Minute+10*time.Second {
		t.Errorf("the provider is told that the step waited %s", got)
	}
}

func TestLogsAreHeldBackAndWhole(t *testing.T) {
	h := newHost(t, func(o *Options) {
		o.times.run = wire.RunOptions{Heartbeat: 20 * time.Millisecond, Silence: 2 * time.Second}
	})
	obs := newObserver()
	obs.slow = 4 * time.Millisecond // slower than the silence allows, were it counted while the host is at work
	const lines = 1000
	if _, err := h.Run(t.Context(), callOf(t, map[string]any{"do": "flood", "n": lines}), obs); err != nil {
		t.Fatal(err)
	}
	if got := strings.Count(obs.log.String(), "\n"); got != lines {
		t.Errorf("%d lines of %d", got, lines)
	}
}
