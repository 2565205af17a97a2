//go:build integration

package provider_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/contract"
	"github.com/containerpub/cpub/sdk/sdktest"
)

// outputs are container_run's.
type outputs struct {
	ExitCode  int              `json:"exit_code"`
	Stdout    string           `json:"stdout"`
	Stderr    string           `json:"stderr"`
	Truncated bool             `json:"truncated"`
	Receipt   contract.Receipt `json:"receipt"`
}

// failed checks that the step failed with a code, and gives what is known of it.
func failed(t *testing.T, r *sdktest.Result, code string) outputs {
	t.Helper()
	var e *sdk.Error
	if !errors.As(r.Err, &e) || e.Kind != sdk.KindPermanent || e.Code != code {
		t.Fatalf("the step ended with %v, want a permanent failure with code %q", r.Err, code)
	}
	var out outputs
	if len(e.Outputs) > 0 {
		if err := json.Unmarshal(e.Outputs, &out); err != nil {
			t.Fatal(err)
		}
	}
	return out
}

func ok(t *testing.T, r *sdktest.Result) outputs {
	t.Helper()
	var out outputs
	r.Decode(&out)
	return out
}

// TestContainerRun is what the contract's suite does not know: what is Podman's own, and the kernel's.
func TestContainerRun(t *testing.T) {
	cases := []struct {
		name string
		test func(t *testing.T, e *env)
	}{
		{"defaults from inside", defaultsFromInside},
		{"counters", counters},
		{"tmpfs", tmpfsSize},
		{"located image", locatedImage},
		{"progress", progressTold},
		{"adoption", adoption},
		{"service killed", serviceKilled},
		{"sweep", sweep},
	}
	eachVersion(t, func(t *testing.T, e *env) {
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) { c.test(t, e) })
		}
	})
}

func defaultsFromInside(t *testing.T, e *env) {
	r := e.run(nil, "status")
	out := ok(t, r)
	for _, line := range []string{
		"CapEff: 0000000000000000", "CapPrm: 0000000000000000", "CapBnd: 0000000000000000", "CapInh: 0000000000000000",
		"CapAmb: 0000000000000000", "NoNewPrivs: 1", "Seccomp: 2",
	} {
		has(t, out.Stdout, line)
	}
	if strings.Contains(strings.Join(strings.Fields(out.Stdout), " "), "uid_map 0 0 4294967295") {
		t.Errorf("the container is root of the host:\n%s", out.Stdout)
	}
	if strings.Contains(out.Stdout, "init probe") {
		t.Errorf("there is no init that reaps:\n%s", out.Stdout)
	}
	l := out.Receipt.Limits
	if l.Memory != 128<<20 || l.MemorySwap != 128<<20 || l.CPUs != 0.5 || l.Pids != 256 || l.Network != "none" ||
		l.TimeLimitMS != 5000 || !l.ReadOnly || len(l.Capabilities) != 0 || !l.NoNewPrivileges || l.Userns != "private" {
		t.Errorf("limits that were read back: %+v", l)
	}
	rec := out.Receipt
	if rec.EndedBy != contract.EndedByExit || rec.MemoryPeak == nil || *rec.MemoryPeak <= 0 || rec.CPUTime == nil || rec.CPUThrottled == nil ||
		rec.PidsPeak == nil || *rec.PidsPeak < 1 || rec.StartedAt == "" || rec.Host == "" {
		t.Errorf("receipt: %+v", rec)
	}
	if err := e.Release(r.Key); err != nil {
		t.Fatal(err)
	}
	e.assertNothingLeft(t, r.Key)
}

// counters are in the receipt, read from the cgroup after the container's end.
func counters(t *testing.T, e *env) {
	out := failed(t, e.run(map[string]any{"time_limit": "30s"}, "alloc", "400"), sdk.CodeOOM)
	if p := out.Receipt.MemoryPeak; out.ExitCode != 137 || p == nil || *p < 120<<20 || *p > 128<<20 {
		t.Errorf("an allocator over its memory: %+v", out)
	}
	out = ok(t, e.run(nil, "burn", "1500"))
	if used := *out.Receipt.CPUTime; used > 1.1 || used < 0.1 {
		t.Errorf("half a CPU for 1.5 s used %.2f s", used)
	}
	// On a busy machine the container may not even get its share, so that there is nothing to throttle.
	if out.Receipt.CPUThrottled == nil || *out.Receipt.CPUTime > 0.7 && *out.Receipt.CPUThrottled == 0 {
		t.Errorf("throttled: %v", out.Receipt.CPUThrottled)
	}
	out = ok(t, e.run(map[string]any{"pids": 40, "time_limit": "30s"}, "fork", "60"))
	if p := out.Receipt.PidsPeak; p == nil || *p > 40 {
		t.Errorf("peak of processes: %v", p)
	}
}

func tmpfsSize(t *testing.T, e *env) {
	out := ok(t, e.run(nil, "mounts"))
	if !strings.Contains(out.Stdout, "/tmp tmpfs rw,nosuid,nodev") || !strings.Contains(out.Stdout, "size=65536k") {
		t.Errorf("/tmp: %s", out.Stdout)
	}
}

// locatedImage: what was built or pulled here runs without any rule for pulling, a name in the store does not.
func locatedImage(t *testing.T, e *env) {
	ok(t, e.run(nil, "exit", "0"))
	call := e.call(nil, "exit", "0")
	call.Input = map[string]any{"image": probe, "command": []string{"exit", "0"}}
	failed(t, e.Run(call), sdk.CodeDenied)
	call.Rules = sdk.Rules{PullFrom: []string{"localhost/*"}}
	ok(t, e.Run(call))
}

func progressTold(t *testing.T, e *env) {
	r := e.run(map[string]any{"time_limit": "1s"}, "sleep", "60")
	failed(t, r, sdk.CodeTimeLimit)
	var got []string
	for _, p := range r.ProgressReports() {
		got = append(got, p.Message)
	}
	if want := []string{"creating the container", "running", "stopping the container"}; !slices.Equal(got, want) {
		t.Errorf("progress %q, want %q", got, want)
	}
}

// started is a context that a test ends once the step's log shows that the container runs.
type started struct {
	ctx    context.Context
	cancel context.CancelCauseFunc
	cause  error
	seen   chan struct{}
	once   sync.Once
}

func whenStarted(t *testing.T, cause error) *started {
	ctx, cancel := context.WithCancelCause(t.Context())
	return &started{ctx: ctx, cancel: cancel, cause: cause, seen: make(chan struct{})}
}

func (s *started) Log(stream string, _ []byte) {
	if stream == "stdout" {
		s.once.Do(func() { close(s.seen); s.cancel(s.cause) })
	}
}
func (s *started) Progress(sdk.Progress)      {}
func (s *started) Checkpoint(json.RawMessage) {}

// adoption: an attempt is lost with its provider; the next one, on another provider, waits for the same container.
func adoption(t *testing.T, e *env) {
	s := whenStarted(t, sdk.ErrDetached)
	call := e.call(map[string]any{"time_limit": "60s"}, "wait", "20")
	call.Context, call.Host = s.ctx, s
	lost := e.Run(call)
	if lost.Err == nil {
		t.Fatal("the detached attempt succeeded")
	}
	container := e.podman.Run(t, "ps", "--quiet", "--no-trunc", "--filter", "label=io.cpub.key="+lost.Key)
	if container == "" {
		t.Fatal("the container did not outlive its attempt")
	}
	next := e.call(map[string]any{"time_limit": "60s"}, "wait", "20")
	next.Key, next.Attempt, next.Checkpoint = lost.Key, 2, lost.LastCheckpoint()
	out := ok(t, e.connect(t).Run(next))
	if lines := strings.Count(out.Stdout, "line "); lines != 20 {
		t.Errorf("the adopted container's output has %d lines, want all 20:\n%s", lines, out.Stdout)
	}
	// The answer got lost as well: a third attempt finds the container that has ended, and gives the same.
	next.Attempt = 3
	again := ok(t, e.connect(t).Run(next))
	if again.Stdout != out.Stdout || again.Receipt.StartedAt != out.Receipt.StartedAt {
		t.Errorf("the same container answered differently: %+v and %+v", out, again)
	}
	if now := e.podman.Run(t, "ps", "--all", "--quiet", "--no-trunc", "--filter", "label=io.cpub.key="+lost.Key); now != container {
		t.Errorf("there was more than one container: %s and %s", container, now)
	}
	if err := e.Release(lost.Key); err != nil {
		t.Fatal(err)
	}
	if now := e.podman.Run(t, "ps", "--all", "--quiet", "--filter", "label=io.cpub.key="+lost.Key); now != "" {
		t.Errorf("the container is still there after its release: %s", now)
	}
}

// serviceKilled: the container runs on without Podman's service, and its attempt goes on when the service is back.
func serviceKilled(t *testing.T, e *env) {
	s := whenStarted(t, nil)
	s.cancel = func(error) {}
	call := e.call(map[string]any{"time_limit": "60s"}, "wait", "30")
	call.Host = s
	go func() {
		<-s.seen
		e.podman.Kill(t)
		time.Sleep(500 * time.Millisecond)
		e.podman.Restart(t)
	}()
	out := ok(t, e.Run(call))
	if lines := strings.Count(out.Stdout, "line "); lines != 30 {
		t.Errorf("the output has %d lines, want 30", lines)
	}
}

func sweep(t *testing.T, e *env) {
	live, dead := e.call(nil, "exit", "0"), e.call(nil, "exit", "0")
	live.Run, dead.Run = "live/1", "dead/1"
	l, d := e.Run(live), e.Run(dead)
	ok(t, l)
	ok(t, d)
	if n, err := e.Sweep(sdk.Sweep{LiveRuns: []string{"live/1"}, Grace: sdkHour}); err != nil || n != 0 {
		t.Errorf("swept %d (%v) within the grace", n, err)
	}
	if n, err := e.Sweep(sdk.Sweep{LiveRuns: []string{"live/1"}}); err != nil || n < 1 {
		t.Errorf("swept %d (%v), want what is dead", n, err)
	}
	if left := e.podman.Run(t, "ps", "--all", "--format", "{{.Labels}}"); !strings.Contains(left, "live/1") || strings.Contains(left, "dead/1") {
		t.Errorf("left after a sweep: %s", left)
	}
	if _, err := e.Sweep(sdk.Sweep{}); err != nil {
		t.Error(err)
	}
	e.assertNothingLeft(t, l.Key, d.Key)
}
