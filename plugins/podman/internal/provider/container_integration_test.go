//go:build integration

package provider_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
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

func TestContainerRun(t *testing.T) {
	cases := []struct {
		name string
		test func(t *testing.T, e *env)
	}{
		{"defaults from inside", defaultsFromInside},
		{"read-only root", readOnlyRoot},
		{"no network", noNetwork},
		{"memory", memory},
		{"cpu", cpu},
		{"pids", pids},
		{"time limit", timeLimit},
		{"exits", exits},
		{"stdin", stdin},
		{"output", output},
		{"settings", settingsApply},
		{"images", images},
		{"cancel", cancelStops},
		{"adoption", adoption},
		{"returned", returned},
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

func readOnlyRoot(t *testing.T, e *env) {
	out := ok(t, e.run(nil, "write", "/etc/x", "/tmp/x"))
	if !strings.Contains(out.Stdout, "write /etc/x: open /etc/x: read-only file system") || !strings.Contains(out.Stdout, "write /tmp/x: <nil>") {
		t.Errorf("a read-only root with a writable /tmp: %s", out.Stdout)
	}
	out = ok(t, e.run(nil, "mounts"))
	if !strings.Contains(out.Stdout, "/tmp tmpfs rw,nosuid,nodev") || !strings.Contains(out.Stdout, "size=65536k") {
		t.Errorf("/tmp: %s", out.Stdout)
	}
	out = ok(t, e.run(map[string]any{"read_only": false, "tmpfs": map[string]string{}}, "write", "/etc/x"))
	if !strings.Contains(out.Stdout, "write /etc/x: <nil>") || out.Receipt.Limits.ReadOnly {
		t.Errorf("a writable root: %s", out.Stdout)
	}
}

func noNetwork(t *testing.T, e *env) {
	out := ok(t, e.run(nil, "net", "192.0.2.1:80"))
	if strings.TrimSpace(strings.Split(out.Stdout, "unreachable")[0]) != "interface lo" || !strings.Contains(out.Stdout, "unreachable") {
		t.Errorf("what a container without network sees: %s", out.Stdout)
	}
}

func memory(t *testing.T, e *env) {
	out := failed(t, e.run(map[string]any{"time_limit": "30s"}, "alloc", "400"), sdk.CodeOOM)
	if out.Receipt.EndedBy != contract.EndedByOOM || out.ExitCode != 137 {
		t.Errorf("an allocator over its memory: %+v", out)
	}
	if p := out.Receipt.MemoryPeak; p == nil || *p < 120<<20 || *p > 128<<20 {
		t.Errorf("memory peak: %v", p)
	}
	if out := ok(t, e.run(map[string]any{"time_limit": "30s", "memory": "256m"}, "alloc", "150")); *out.Receipt.MemoryPeak < 150<<20 {
		t.Errorf("memory peak: %d", *out.Receipt.MemoryPeak)
	}
}

func cpu(t *testing.T, e *env) {
	out := ok(t, e.run(nil, "burn", "1500"))
	if used := *out.Receipt.CPUTime; used > 1.1 || used < 0.1 {
		t.Errorf("half a CPU for 1.5 s used %.2f s", used)
	}
	// On a busy machine the container may not even get its share, so that there is nothing to throttle.
	if out.Receipt.CPUThrottled == nil || *out.Receipt.CPUTime > 0.7 && *out.Receipt.CPUThrottled == 0 {
		t.Errorf("throttled: %v", out.Receipt.CPUThrottled)
	}
}

func pids(t *testing.T, e *env) {
	out := ok(t, e.run(map[string]any{"pids": 40, "time_limit": "30s"}, "fork", "60"))
	if !strings.Contains(out.Stdout, "stopped by:") {
		t.Errorf("60 processes under a limit of 40: %s", out.Stdout)
	}
	if out.Receipt.PidsPeak == nil || *out.Receipt.PidsPeak > 40 {
		t.Errorf("peak of processes: %v", out.Receipt.PidsPeak)
	}
}

func timeLimit(t *testing.T, e *env) {
	start := time.Now()
	out := failed(t, e.run(map[string]any{"time_limit": "1s"}, "stubborn", "60"), sdk.CodeTimeLimit)
	if out.Receipt.EndedBy != contract.EndedByTimeLimit || out.Stdout != "ignoring SIGTERM\n" {
		t.Errorf("a container over its time: %+v", out)
	}
	if out.Receipt.RunMS < 1000 || time.Since(start) > 20*time.Second {
		t.Errorf("ran %d ms", out.Receipt.RunMS)
	}
}

func exits(t *testing.T, e *env) {
	out := failed(t, e.run(nil, "exit", "3"), sdk.CodeExit)
	if out.ExitCode != 3 || out.Receipt.EndedBy != contract.EndedByExit {
		t.Errorf("exit 3: %+v", out)
	}
	if out := ok(t, e.run(map[string]any{"success_exit_codes": []int{3}}, "exit", "3")); out.ExitCode != 3 {
		t.Errorf("exit 3 as a success: %+v", out)
	}
	if out := failed(t, e.run(nil, "raise", "9"), sdk.CodeExit); out.Receipt.EndedBy != contract.EndedBySignal {
		t.Errorf("SIGKILL of itself: %+v", out)
	}
	r := e.Run(sdktest.Call{Type: "container_run", Input: map[string]any{"image": e.image(), "workdir": "/nowhere"}})
	var ee *sdk.Error
	if !errors.As(r.Err, &ee) || ee.Kind == sdk.KindTransient {
		t.Errorf("a workdir that is not there: %v", r.Err)
	}
}

// stdin of ten containers at once: none loses a byte.
func stdin(t *testing.T, e *env) {
	text := strings.Repeat("0123456789abcdef", 8<<10)
	var wg sync.WaitGroup
	for i := range 10 {
		wg.Go(func() {
			in := fmt.Sprintf("%d %s", i, text)
			r := e.run(map[string]any{"stdin": in, "time_limit": "60s"}, "cat")
			if r.Err != nil {
				t.Errorf("container %d: %v", i, r.Err)
				return
			}
			if got := r.Text("stdout"); got != in {
				t.Errorf("container %d gave back %d bytes of %d", i, len(got), len(in))
			}
		})
	}
	wg.Wait()
	if out := ok(t, e.run(nil, "cat")); out.Stdout != "" {
		t.Errorf("no stdin: %q", out.Stdout)
	}
}

func output(t *testing.T, e *env) {
	r := e.run(map[string]any{"output_limit": "1KiB", "time_limit": "60s"}, "spam", "300000")
	out := ok(t, r)
	if len(out.Stdout) != 1024 || len(out.Stderr) != 1024 || !out.Truncated {
		t.Errorf("capped output: %d and %d bytes, truncated %v", len(out.Stdout), len(out.Stderr), out.Truncated)
	}
	log, err := os.ReadFile(r.Path("log"))
	if err != nil {
		t.Fatal(err)
	}
	want := 2 * 64 * ((300000 + 63) / 64)
	if len(log) != want || len(r.Text("stdout"))+len(r.Text("stderr")) != want {
		t.Errorf("the log has %d bytes, the live log %d, want %d", len(log), len(r.Text("stdout"))+len(r.Text("stderr")), want)
	}
	// A last line without its end, and bytes of any kind, stay as they are.
	exact := "{\"a\":1}\nlast \x01\x02 line"
	if out := ok(t, e.run(map[string]any{"stdin": exact}, "cat")); out.Stdout != exact {
		t.Errorf("got %q, want %q", out.Stdout, exact)
	}
}

func settingsApply(t *testing.T, e *env) {
	out := ok(t, e.run(map[string]any{
		"env": map[string]string{"A": "1"}, "workdir": "/tmp", "user": "1000:1000", "cap_add": []string{"net_raw"},
		"labels": map[string]string{"mine": "yes"},
	}, "env", "A"))
	has(t, out.Stdout, "A=1")
	has(t, out.Stdout, "workdir /tmp uid 1000 gid 1000")
	if c := out.Receipt.Limits.Capabilities; len(c) != 1 || c[0] != "CAP_NET_RAW" {
		t.Errorf("capabilities: %v", c)
	}
}

func images(t *testing.T, e *env) {
	call := e.call(nil, "exit", "0")
	call.Input = map[string]any{"image": probe, "command": []string{"exit", "0"}}
	failed(t, e.Run(call), sdk.CodeDenied)
	call.Rules = sdk.Rules{PullFrom: []string{"localhost/*"}}
	ok(t, e.Run(call))
	call.Input = map[string]any{"image": sdk.Located{ID: e.imageID, Location: "elsewhere"}}
	failed(t, e.Run(call), "")
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

func cancelStops(t *testing.T, e *env) {
	s := whenStarted(t, sdk.ErrCancelled)
	call := e.call(map[string]any{"time_limit": "10m"}, "wait", "6000")
	call.Context, call.Host = s.ctx, s
	r := e.Run(call)
	if !errors.Is(r.Err, sdk.ErrCancelled) && !errors.Is(r.Err, context.Canceled) {
		t.Errorf("a cancelled step: %v", r.Err)
	}
	if out := e.podman.Run(t, "ps", "--all", "--quiet", "--filter", "label=io.cpub.key="+r.Key); out != "" {
		t.Errorf("the container is still there: %s", out)
	}
}

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

// returned: what an attempt left that returned a failure is spent.
func returned(t *testing.T, e *env) {
	first := e.run(nil, "exit", "0")
	out := ok(t, first)
	next := e.call(nil, "exit", "0")
	next.Key, next.Attempt, next.Returned = first.Key, 2, true
	if again := ok(t, e.Run(next)); again.Receipt.StartedAt == out.Receipt.StartedAt {
		t.Error("the container of an attempt that returned was adopted")
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
