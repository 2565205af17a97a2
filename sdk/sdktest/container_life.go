package sdktest

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/containerpub/cpub/sdk"
)

// interruption is the host of a call, and ends the call's context once a sign is seen in its log.
type interruption struct {
	sign  string
	cause error
	end   context.CancelCauseFunc
	once  sync.Once

	mu sync.Mutex
	at time.Time
}

// interrupt makes a call end with a cause once its log has a sign.
func interrupt(t *testing.T, call *Call, sign string, cause error) *interruption {
	ctx, end := context.WithCancelCause(t.Context())
	i := &interruption{sign: sign, cause: cause, end: end}
	t.Cleanup(func() { end(nil) })
	call.Context, call.Host = ctx, i
	return i
}

// Log implements sdk.Host.
func (i *interruption) Log(_ string, p []byte) {
	if !strings.Contains(string(p), i.sign) {
		return
	}
	i.once.Do(func() {
		i.mu.Lock()
		i.at = time.Now()
		i.mu.Unlock()
		i.end(i.cause)
	})
}

// Progress implements sdk.Host.
func (i *interruption) Progress(sdk.Progress) {}

// Checkpoint implements sdk.Host.
func (i *interruption) Checkpoint(json.RawMessage) {}

// ended checks that the call ended by the interruption, and soon after it.
func (i *interruption) ended(t *testing.T, res *Result) {
	t.Helper()
	i.mu.Lock()
	defer i.mu.Unlock()
	if i.at.IsZero() {
		t.Fatalf("the log never had %q: %v", i.sign, res.Err)
	}
	if !errors.Is(res.Err, i.cause) && !errors.Is(res.Err, context.Canceled) {
		t.Errorf("the step ended with %v, want %v", res.Err, i.cause)
	}
	if took := time.Since(i.at); took > soon {
		t.Errorf("it took %s to end", took)
	}
}

// cancelStops ends a container that would run on, and leaves nothing of it.
func cancelStops(t *testing.T, c *containers) {
	for name, command := range map[string][]string{"one that ends": {"wait", "6000"}, "one that does not want to": {"stubborn", "600"}} {
		t.Run(name, func(t *testing.T) {
			call := c.call(map[string]any{"time_limit": "10m"}, command...)
			sign := map[string]string{"wait": "line 0", "stubborn": "ignoring"}[command[0]]
			i := interrupt(t, &call, sign, sdk.ErrCancelled)
			res := c.Run(call)
			i.ended(t, res)
			c.nothingLeft(t, res.Key)
		})
	}
}

// lostIsAdopted loses an attempt while its container runs. The next one goes on with that container, and so does a third one, which
// finds it ended: the code runs once. Release then leaves nothing.
func lostIsAdopted(t *testing.T, c *containers) {
	call := c.call(nil, "wait", "20")
	i := interrupt(t, &call, "line 0", sdk.ErrDetached)
	lost := c.Run(call)
	i.ended(t, lost)
	next := c.call(nil, "wait", "20")
	next.Key, next.Attempt, next.Checkpoint = lost.Key, 2, lost.LastCheckpoint()
	var out, again ran
	c.Run(next).Decode(&out)
	if lines := strings.Count(out.Stdout, "line "); lines != 20 || strings.Count(out.Stdout, "line 0\n") != 1 {
		t.Errorf("the adopted container printed %d lines, want 20, each once:\n%s", lines, out.Stdout)
	}
	next.Attempt = 3
	c.Run(next).Decode(&again)
	if again.Stdout != out.Stdout || again.Receipt.StartedAt != out.Receipt.StartedAt {
		t.Errorf("the same step answered differently: %+v and %+v", out, again)
	}
	check(t, c.Release(lost.Key, "unknown"))
	c.nothingLeft(t, lost.Key)
	check(t, c.Release(lost.Key))
}

// returnedIsSpent repeats an attempt that returned a failure: what it left under the key is of no use.
func returnedIsSpent(t *testing.T, c *containers) {
	first := c.run(nil, "exit", "0")
	var out, again ran
	first.Decode(&out)
	next := c.call(nil, "exit", "0")
	next.Key, next.Attempt, next.Returned = first.Key, 2, true
	c.Run(next).Decode(&again)
	if again.Receipt.StartedAt == out.Receipt.StartedAt {
		t.Error("the container of an attempt that returned was adopted")
	}
	check(t, c.Release(first.Key))
	c.nothingLeft(t, first.Key)
}
