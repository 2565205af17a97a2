package workflows

import (
	"bytes"
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"time"

	"go.temporal.io/sdk/activity"

	"github.com/containerpub/cpub/sdk"
)

// heartbeatEvery is how often a running step heartbeats, and thus how soon it learns of a cancel.
const heartbeatEvery = time.Second

// The tail of the log in a heartbeat: so many lines, of so many bytes.
const (
	tailLines = 10
	tailBytes = 4 << 10
)

// maxCheckpoint is the most bytes of a provider's checkpoint; larger ones are dropped.
const maxCheckpoint = 16 << 10

// Heartbeat is what a running step tells Temporal, for the UI, for `cpub run` and for the attempt that follows.
type Heartbeat struct {
	Progress *sdk.Progress `json:"progress,omitempty"`
	// Log are the last lines of the step's log.
	Log        []string        `json:"log,omitempty"`
	Checkpoint json.RawMessage `json:"checkpoint,omitempty"`
	// ReturnedAttempt is the number of the last attempt that returned a failure, Failures how many did. An attempt after one that
	// returned nothing follows one that was lost.
	ReturnedAttempt int `json:"returned_attempt,omitempty"`
	Failures        int `json:"failures,omitempty"`
}

// observer collects what a step reports and heartbeats it. It implements engine.Observer.
type observer struct {
	sending sync.Mutex // keeps heartbeats in the order of what they tell
	mu      sync.Mutex
	state   Heartbeat
	part    map[string][]byte // stream -> its unfinished last line
}

// newObserver begins with what the attempts before left.
func newObserver(before Heartbeat) *observer {
	before.Progress, before.Log = nil, nil
	return &observer{state: before, part: map[string][]byte{}}
}

// Log keeps the last lines.
func (o *observer) Log(stream string, p []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	rest := append(o.part[stream], p...)
	for {
		line, after, ok := bytes.Cut(rest, []byte("\n"))
		if !ok && len(rest) < tailBytes {
			break
		}
		if !ok {
			line, after = rest, nil
		}
		o.addLine(string(bytes.TrimRight(line, "\r")))
		rest = after
	}
	o.part[stream] = slices.Clone(rest)
}

func (o *observer) addLine(line string) {
	line = strings.ToValidUTF8(line, "\uFFFD")
	if len(line) > tailBytes/4 {
		line = strings.ToValidUTF8(line[:tailBytes/4], "") + "…"
	}
	o.state.Log = append(o.state.Log, line)
	size := 0
	for i := len(o.state.Log) - 1; i >= 0; i-- {
		size += len(o.state.Log[i])
		if size > tailBytes || len(o.state.Log)-i > tailLines {
			o.state.Log = slices.Clone(o.state.Log[i+1:])
			return
		}
	}
}

// Progress keeps the newest.
func (o *observer) Progress(p sdk.Progress) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.state.Progress = &p
}

// Checkpoint keeps the newest.
func (o *observer) Checkpoint(data json.RawMessage) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if len(data) <= maxCheckpoint && json.Valid(data) {
		o.state.Checkpoint = slices.Clone(data)
	}
}

// returned notes that the attempt returns a failure, sends it with what Temporal keeps for the next one, and gives how many attempts
// have returned one.
func (o *observer) returned(ctx context.Context, attempt int) int {
	o.mu.Lock()
	o.state.ReturnedAttempt = attempt
	o.state.Failures++
	o.state.Checkpoint = nil
	failures := o.state.Failures
	o.mu.Unlock()
	o.beat(ctx)
	return failures
}

// beat sends the state as it is.
func (o *observer) beat(ctx context.Context) {
	o.sending.Lock()
	defer o.sending.Unlock()
	o.mu.Lock()
	state := o.state
	state.Log = slices.Clone(state.Log)
	o.mu.Unlock()
	activity.RecordHeartbeat(ctx, state)
}

// run heartbeats until stop is closed.
func (o *observer) run(ctx context.Context, stop <-chan struct{}) {
	tick := time.NewTicker(heartbeatEvery)
	defer tick.Stop()
	o.beat(ctx)
	for {
		select {
		case <-tick.C:
			o.beat(ctx)
		case <-stop:
			return
		}
	}
}
