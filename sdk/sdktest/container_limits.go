package sdktest

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/contract"
)

// limitsMemory has an allocator go over the default limit, and another one stay under a higher one.
func limitsMemory(t *testing.T, c *containers) {
	out := c.fails(t, sdk.CodeOOM, nil, "alloc", "400")
	if out.Receipt.EndedBy != contract.EndedByOOM || strings.Contains(out.Stdout, "allocated") {
		t.Errorf("400 MiB in the default of 128: ended by %q, and printed %q", out.Receipt.EndedBy, out.Stdout)
	}
	if p := out.Receipt.MemoryPeak; p != nil && (*p < 100<<20 || *p > 128<<20) {
		t.Errorf("it was killed at %d bytes", *p)
	}
	out = c.ok(t, map[string]any{"memory": "256m"}, "alloc", "150")
	if p := out.Receipt.MemoryPeak; p != nil && (*p < 150<<20 || *p > 256<<20) {
		t.Errorf("150 MiB were used, and the peak is %d bytes", *p)
	}
	// Files in memory count, too.
	c.fails(t, sdk.CodeOOM, map[string]any{"memory": "32m", "tmpfs": map[string]string{"/tmp": "256m"}}, "fill", "/tmp/x", "128")
}

// limitsCPU has a container use what it gets of its half CPU.
func limitsCPU(t *testing.T, c *containers) {
	const wall = 1500
	out := c.ok(t, nil, "burn", strconv.Itoa(wall))
	text := strings.TrimSpace(strings.TrimPrefix(out.Stdout, "cpu_ms "))
	used, err := strconv.Atoi(text)
	check(t, err)
	if used < 50 || used > wall*3/4 {
		t.Errorf("half a CPU for %d ms gave %d ms", wall, used)
	}
	if r := out.Receipt; r.CPUTime != nil && (*r.CPUTime < float64(used)/1000*0.9 || *r.CPUTime > float64(used)/1000+0.5) {
		t.Errorf("the container says %d ms, its receipt %.2f s", used, *r.CPUTime)
	}
	out = c.ok(t, map[string]any{"cpus": 0.2}, "burn", strconv.Itoa(wall))
	if used, err := strconv.Atoi(strings.TrimSpace(strings.TrimPrefix(out.Stdout, "cpu_ms "))); err != nil || used > wall*2/5 {
		t.Errorf("a fifth of a CPU for %d ms gave %d ms (%v)", wall, used, err)
	}
}

func limitsProcesses(t *testing.T, c *containers) {
	out := c.ok(t, map[string]any{"pids": 40}, "fork", "60")
	if !strings.Contains(out.Stdout, "stopped by:") {
		t.Errorf("60 processes under a limit of 40:\n%s", out.Stdout)
	}
	if p := out.Receipt.PidsPeak; p != nil && (*p > 40 || *p < 20) {
		t.Errorf("the peak of processes under a limit of 40 is %d", *p)
	}
}

// limitsTime has a container that does not want to end run out of its time.
func limitsTime(t *testing.T, c *containers) {
	out := c.fails(t, sdk.CodeTimeLimit, map[string]any{"time_limit": "1s"}, "stubborn", "60")
	if out.Receipt.EndedBy != contract.EndedByTimeLimit || out.Stdout != "ignoring SIGTERM\n" {
		t.Errorf("ended by %q, printed %q", out.Receipt.EndedBy, out.Stdout)
	}
	if ran := out.Receipt.RunMS; ran < aSecond || ran > soon.Milliseconds() {
		t.Errorf("with a second to live it ran %d ms", ran)
	}
	// What ends at SIGTERM needs no grace.
	out = c.fails(t, sdk.CodeTimeLimit, map[string]any{"time_limit": "1s", "grace": "50s"}, "sleep", "60")
	if ran := out.Receipt.RunMS; ran > soon.Milliseconds() {
		t.Errorf("a container that heeds SIGTERM was stopped after %d ms", ran)
	}
}

// receiptTells the truth about the defaults, and about what was asked for.
func receiptTells(t *testing.T, c *containers) {
	call := c.call(map[string]any{"time_limit": nil}, "sleep", "1")
	call.Queued = 1234 * time.Millisecond
	before := time.Now()
	var out ran
	c.Run(call).Decode(&out)
	l, r := out.Receipt.Limits, out.Receipt
	if l.Memory != 128<<20 || l.MemorySwap != 128<<20 || l.CPUs != 0.5 || l.Pids != 256 || l.TimeLimitMS != 5000 {
		t.Errorf("the default limits are %+v", l)
	}
	started, err := time.Parse(time.RFC3339, r.StartedAt)
	if err != nil || started.Before(before.Add(-time.Second)) || started.After(time.Now().Add(time.Second)) {
		t.Errorf("it started at %q: %v", r.StartedAt, err)
	}
	if r.EndedBy != contract.EndedByExit || r.Host == "" || r.QueuedMS != 1234 {
		t.Errorf("receipt %+v", r)
	}
	if took := time.Since(before).Milliseconds(); r.RunMS < aSecond || r.CreateMS < 0 || r.PullMS < 0 || r.RunMS+r.CreateMS+r.PullMS > took {
		t.Errorf("times %+v of a step that took %d ms", r, took)
	}
	out = c.ok(t, map[string]any{"memory": "64MiB", "cpus": 0.25, "pids": 33, "time_limit": "7s"}, "exit", "0")
	l = out.Receipt.Limits
	if l.Memory != 64<<20 || l.MemorySwap != 64<<20 || l.CPUs != 0.25 || l.Pids != 33 || l.TimeLimitMS != 7000 {
		t.Errorf("the limits that were asked for are %+v", l)
	}
	// An image that is not there is pulled, and the time that took is told.
	ref := c.Images.reference("new")
	c.put(t, ref, c.image(t, ref))
	if out := c.ok(t, map[string]any{"image": ref}, "exit", "0"); out.Receipt.PullMS <= 0 {
		t.Errorf("a new image was pulled in %d ms", out.Receipt.PullMS)
	}
}

// aSecond is one in a receipt, in milliseconds: a runtime may write down the start of a container a moment after it began.
const aSecond = 900
