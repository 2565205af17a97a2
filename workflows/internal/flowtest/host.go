package flowtest

import (
	"context"
	"encoding/json"
	"slices"
	"sync"
	"time"

	"github.com/containerpub/cpub/engine"
	"github.com/containerpub/cpub/sdk"
)

// Step is what a step of a Host does.
type Step func(ctx context.Context, call engine.Call, obs engine.Observer) (json.RawMessage, error)

// Host carries out steps with functions, by the step's address; steps without one do as Default says, or give their text back.
type Host struct {
	Default Step

	mu       sync.Mutex
	steps    map[string]Step
	calls    []engine.Call
	causes   map[string][]error // step -> the causes of its contexts' ends, as its attempts returned
	released []string
	swept    []sdk.Sweep
}

// NewHost is a host with these steps.
func NewHost(steps map[string]Step) *Host {
	return &Host{steps: steps, causes: map[string][]error{}}
}

// Run carries out one attempt.
func (h *Host) Run(ctx context.Context, call engine.Call, obs engine.Observer) (json.RawMessage, error) {
	h.mu.Lock()
	h.calls = append(h.calls, call)
	step := h.steps[call.Step]
	h.mu.Unlock()
	defer func() {
		h.mu.Lock()
		defer h.mu.Unlock()
		if cause := context.Cause(ctx); cause != nil {
			h.causes[call.Step] = append(h.causes[call.Step], cause)
		}
	}()
	if step == nil {
		step = h.Default
	}
	if step == nil {
		step = Echo
	}
	return step(ctx, call, obs)
}

// Echo gives a step's text back.
func Echo(_ context.Context, call engine.Call, obs engine.Observer) (json.RawMessage, error) {
	var in struct {
		Text string `json:"text"`
	}
	if err := json.Unmarshal(call.Input, &in); err != nil {
		return nil, err
	}
	obs.Log("stdout", []byte(in.Text+"\n"))
	return json.Marshal(in)
}

// Block runs until its context ends, and returns the cause.
func Block(ctx context.Context, _ engine.Call, obs engine.Observer) (json.RawMessage, error) {
	obs.Progress(sdk.Progress{Message: "waiting"})
	<-ctx.Done()
	return nil, context.Cause(ctx)
}

// Sleep takes a while.
func Sleep(d time.Duration) Step {
	return func(ctx context.Context, call engine.Call, obs engine.Observer) (json.RawMessage, error) {
		select {
		case <-time.After(d):
			return Echo(ctx, call, obs)
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
}

// Release notes the keys.
func (h *Host) Release(_ context.Context, keys []string) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.released = append(h.released, keys...)
	return nil
}

// Sweep notes what is alive.
func (h *Host) Sweep(_ context.Context, s sdk.Sweep) (int, error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.swept = append(h.swept, s)
	return 0, nil
}

// Calls are the attempts so far, in the order in which they came; of one step, or of all.
func (h *Host) Calls(step string) []engine.Call {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(h.calls), func(c engine.Call) bool { return step != "" && c.Step != step })
}

// Causes are the causes by which a step's attempts ended from outside.
func (h *Host) Causes(step string) []error {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.causes[step])
}

// Released are the keys that were released.
func (h *Host) Released() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.released)
}

// Swept are the sweeps so far.
func (h *Host) Swept() []sdk.Sweep {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.swept)
}
