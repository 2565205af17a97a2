//go:build integration

package provider_test

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/contract"
	"github.com/containerpub/cpub/sdk/sdktest"
)

// TestReceipts: what the receipt says is what happened, by the kernel's own files and by the clock.
func TestReceipts(t *testing.T) {
	eachVersion(t, func(t *testing.T, e *env) {
		// These take as long as Podman's own timeout; the others run meanwhile.
		unwatched := loseSome(t, e)
		t.Run("counters", func(t *testing.T) { countersAreTheKernels(t, e) })
		t.Run("times", func(t *testing.T) { timesAddUp(t, e) })
		t.Run("ended_by", func(t *testing.T) { endedBy(t, e) })
		t.Run("nobody there", func(t *testing.T) { endedUnwatched(t, e, unwatched) })
	})
}

// meter reads a container's cgroup files by itself, until they are gone.
type meter struct {
	mu    sync.Mutex
	start map[string]float64 // when the code had begun to run
	last  map[string]float64
	done  chan struct{}
}

// metered are the files, and what of them is read.
func metered() map[string]string {
	return map[string]string{
		"memory/%/memory.max_usage_in_bytes": "", "cpuacct/%/cpuacct.usage": "", "cpu/%/cpu.stat": "throttled_time", "pids/%/pids.peak": "", "pids/%/pids.current": "",
	}
}

// Log notes what the files say when the code has begun to run.
func (m *meter) Log(stream string, _ []byte) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if stream == "stdout" && m.start == nil {
		m.start = map[string]float64{}
		for k, v := range m.last {
			m.start[k] = v
		}
	}
}
func (m *meter) Progress(sdk.Progress)      {}
func (m *meter) Checkpoint(json.RawMessage) {}

func startMeter(t *testing.T, key string) *meter {
	m := &meter{last: map[string]float64{}, done: make(chan struct{})}
	go func() {
		defer close(m.done)
		for seen := false; t.Context().Err() == nil; time.Sleep(2 * time.Millisecond) {
			found := false
			for file, field := range metered() {
				dir, _ := filepath.Glob("/sys/fs/cgroup/" + strings.Replace(file, "%", "cpub/"+key+"/libpod-*", 1))
				if len(dir) == 0 {
					continue
				}
				if b, err := os.ReadFile(dir[0]); err == nil {
					found = true
					m.note(filepath.Base(file), field, string(b))
				}
			}
			if seen && !found {
				return
			}
			seen = seen || found
		}
	}()
	return m
}

func (m *meter) note(name, field, text string) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for line := range strings.Lines(text) {
		key, value, two := strings.Cut(strings.TrimSpace(line), " ")
		if !two {
			key, value = "", key
		}
		if n, err := strconv.ParseFloat(value, 64); err == nil && key == field {
			m.last[name] = max(m.last[name], n)
		}
	}
}

// countersAreTheKernels compares the receipt with what a meter of the test's own read from the container's cgroup: within 5 %.
func countersAreTheKernels(t *testing.T, e *env) {
	between := func(what string, got, least, most float64) {
		t.Helper()
		t.Logf("%s: the receipt says %.4g, the kernel %.4g to %.4g", what, got, least, most)
		if most <= 0 || got < least*0.95 || got > most*1.05 {
			t.Errorf("%s: the receipt says %g, the kernel %g to %g", what, got, least, most)
		}
	}
	near := func(what string, got, want float64) {
		t.Helper()
		between(what, got, want, want)
	}
	measure := func(input map[string]any, command ...string) (outputs, *meter) {
		call := e.call(input, command...)
		call.Key = sdktest.NewKey()
		m := startMeter(t, call.Key)
		call.Host = m
		out := ok(t, e.Run(call))
		<-m.done
		return out, m
	}
	out, m := measure(map[string]any{"cpus": 0.8, "time_limit": "60s"}, "later", "10", "burn", "3000")
	// What was used before the code began is little; the first line of its output, which tells that it has begun, may come late on a busy machine.
	used, throttled := m.last["cpuacct.usage"], m.last["cpu.stat"]
	between("CPU time", *out.Receipt.CPUTime, (used-m.start["cpuacct.usage"])/1e9, used/1e9)
	if throttled > 2e8 { // else the machine was too busy to give it its share
		between("throttled time", *out.Receipt.CPUThrottled, (throttled-m.start["cpu.stat"])/1e9, throttled/1e9)
	}
	out, m = measure(map[string]any{"time_limit": "60s"}, "alloc", "80")
	near("memory", float64(*out.Receipt.MemoryPeak), m.last["memory.max_usage_in_bytes"])
	out, m = measure(map[string]any{"time_limit": "60s"}, "fork", "20")
	peak, kept := m.last["pids.peak"]
	if !kept {
		peak = m.last["pids.current"]
	}
	near("processes", float64(*out.Receipt.PidsPeak), peak)
}

// timesAddUp: the phases are the whole of the step, as seen from outside.
func timesAddUp(t *testing.T, e *env) {
	for name, command := range map[string][]string{"success": {"sleep", "1"}, "failure": {"exit", "3"}} {
		call := e.call(nil, command...)
		call.Queued = 1500 * time.Millisecond
		began := time.Now()
		r := e.Run(call)
		whole := call.Queued + time.Since(began)
		var out outputs
		if name == "success" {
			out = ok(t, r)
		} else {
			out = failed(t, r, sdk.CodeExit)
		}
		p := out.Receipt
		sum := time.Duration(p.QueuedMS+p.PullMS+p.CreateMS+p.RunMS+p.CleanupMS) * time.Millisecond
		// What is missing is the way from the test to the provider and back.
		if sum > whole || whole-sum > 2*time.Second {
			t.Errorf("%s: %+v add up to %s of %s", name, p, sum, whole)
		}
		if p.CreateMS <= 0 || p.CleanupMS < 0 || name == "success" && p.RunMS < 900 {
			t.Errorf("%s: %+v", name, p)
		}
	}
}

// endedBy is told right in each case that can be brought about while somebody watches.
func endedBy(t *testing.T, e *env) {
	for name, c := range map[string]struct {
		input   map[string]any
		command []string
		want    string
		code    int
	}{
		"success":                             {nil, []string{"exit", "0"}, contract.EndedByExit, 0},
		"failure":                             {nil, []string{"exit", "3"}, contract.EndedByExit, 3},
		"over its memory":                     {nil, []string{"alloc", "400"}, contract.EndedByOOM, 137},
		"a child over it, the first fails":    {nil, []string{"spawn", "1", "alloc", "400"}, contract.EndedByOOM, 1},
		"a child over it, the first succeeds": {nil, []string{"spawn", "0", "alloc", "400"}, contract.EndedByExit, 0},
		"SIGKILL of its own":                  {nil, []string{"raise", "9"}, contract.EndedBySignal, 137},
		"exits as if by SIGKILL":              {nil, []string{"exit", "137"}, contract.EndedBySignal, 137},
		"SIGTERM of its own":                  {nil, []string{"raise", "15"}, contract.EndedBySignal, 143},
		"heeds the end of its time":           {map[string]any{"time_limit": "1s", "grace": "30s"}, []string{"heed", "60"}, contract.EndedByTimeLimit, 0},
		"does not heed it":                    {map[string]any{"time_limit": "1s"}, []string{"stubborn", "60"}, contract.EndedByTimeLimit, 137},
	} {
		input := map[string]any{"time_limit": "60s"}
		for k, v := range c.input {
			input[k] = v
		}
		r := e.run(input, c.command...)
		out := known(t, r)
		if out.Receipt.EndedBy != c.want || out.ExitCode != c.code {
			t.Errorf("%s: ended by %q with %d, want %q with %d (%v)", name, out.Receipt.EndedBy, out.ExitCode, c.want, c.code, r.Err)
		}
	}
	s := whenStarted(t, sdk.ErrCancelled)
	call := e.call(map[string]any{"time_limit": "60s"}, "wait", "600")
	call.Context, call.Host = s.ctx, s
	r := e.Run(call)
	if out := known(t, r); out.Receipt.EndedBy != contract.EndedByCancelled || !errors.Is(r.Err, sdk.ErrCancelled) {
		t.Errorf("cancelled: ended by %q (%v)", out.Receipt.EndedBy, r.Err)
	}
}

// known is what is known of a step, also of one that failed.
func known(t *testing.T, r *sdktest.Result) (out outputs) {
	t.Helper()
	if r.Err == nil {
		return ok(t, r)
	}
	var e *sdk.Error
	if !errors.As(r.Err, &e) || json.Unmarshal(e.Outputs, &out) != nil {
		t.Errorf("the failure %v tells nothing of the container", r.Err)
	}
	return out
}

// lost is an attempt that was lost, and how its container ends with nobody there.
type lost struct {
	name, want string
	call       sdktest.Call
	result     *sdktest.Result
}

// loseSome loses attempts while their containers run.
func loseSome(t *testing.T, e *env) []lost {
	t.Helper()
	var all []lost
	for name, c := range map[string]struct {
		limit   string
		command []string
		want    string
	}{
		"Podman's own timeout": {"1s", []string{"later", "0", "stubborn", "600"}, contract.EndedByTimeLimit},
		"over its time":        {"1s", []string{"wait", "40"}, contract.EndedByTimeLimit},
		"over its memory":      {"60s", []string{"later", "1500", "alloc", "400"}, contract.EndedByOOM},
		"success":              {"60s", []string{"later", "500", "alloc", "80"}, contract.EndedByExit},
		"SIGTERM":              {"60s", []string{"later", "500", "raise", "15"}, contract.EndedBySignal},
	} {
		s := whenStarted(t, sdk.ErrDetached)
		call := e.call(map[string]any{"time_limit": c.limit}, c.command...)
		call.Context, call.Host = s.ctx, s
		r := e.Run(call)
		next := e.call(map[string]any{"time_limit": c.limit}, c.command...)
		next.Key, next.Attempt, next.Checkpoint = r.Key, 2, r.LastCheckpoint()
		all = append(all, lost{name, c.want, next, r})
	}
	return all
}

// endedUnwatched adopts containers that ended while nobody watched.
func endedUnwatched(t *testing.T, e *env, all []lost) {
	for _, l := range all {
		for deadline := time.Now().Add(2 * time.Minute); ; time.Sleep(100 * time.Millisecond) {
			status := e.podman.Run(t, "ps", "--all", "--format", "{{.State}}", "--filter", "label=io.cpub.key="+l.call.Key)
			if strings.HasPrefix(strings.ToLower(status), "exited") {
				break
			}
			if time.Now().After(deadline) {
				t.Fatalf("%s: the container is %q", l.name, status)
			}
		}
		r := e.Run(l.call)
		out := known(t, r)
		rec := out.Receipt
		if rec.EndedBy != l.want {
			t.Errorf("%s: ended by %q with %d, want %q (%v)", l.name, rec.EndedBy, out.ExitCode, l.want, r.Err)
		}
		if l.name == "success" && rec.MemoryPeak != nil && (*rec.MemoryPeak < 80<<20 || *rec.MemoryPeak > 100<<20) {
			t.Errorf("%s: 80 MiB were used, and the peak is %d", l.name, *rec.MemoryPeak)
		}
		if err := e.Release(l.call.Key); err != nil {
			t.Error(err)
		}
		if left := left(t, e.podman, l.call.Key); len(left) != 0 {
			t.Errorf("%s: left behind: %q", l.name, left)
		}
	}
}
