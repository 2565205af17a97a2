package sdktest

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"encoding/json"
	"os"
	"time"

	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/schema"
)

// Call is one attempt of one step. All but Type may be left out.
type Call struct {
	Type string
	// Input is a value whose JSON has the shape of the type's input, with artifacts of the harness; an empty object if left out.
	Input any
	// Key is a new one if left out. Calls with the same one are attempts of the same step.
	Key        string
	Step       string // "step" if left out
	Run        string // "test/run" if left out
	Attempt    int    // 1 if left out
	Returned   bool
	Checkpoint json.RawMessage
	// Secrets are the texts of Input in which secrets of Options.Secrets stand.
	Secrets []schema.SecretText
	Queued  time.Duration
	Rules   sdk.Rules
	// Context ends the attempt: with cause sdk.ErrDetached it detaches, with any other it cancels. The test's own if left out.
	Context context.Context //nolint:containedctx // a parameter that may be left out
	// Host takes what the attempt reports, beside the Result; for tests that act on it while the step runs.
	Host sdk.Host
}

// Run runs the step to its end. The input and the outputs are checked as a worker checks them, and the scratch folder is gone afterwards.
func (h *Harness) Run(c Call) *Result {
	h.t.Helper()
	step := h.info.Step(c.Type)
	if step == nil {
		h.t.Fatalf("provider %s has no step type %q", h.info.Name, c.Type)
		return nil // never: Fatalf does not return
	}
	res := &Result{Key: c.Key, t: h.t, harness: h, host: c.Host}
	if c.Context == nil {
		c.Context = h.t.Context()
	}
	req := h.request(c)
	res.Key = req.Key
	defer os.RemoveAll(req.Scratch)
	for _, p := range step.Input.CheckInput(req.Input) {
		res.Err = sdk.Invalidf(p.Path, "%s", p.Message)
		return res
	}
	for _, p := range step.Input.CheckSecrets(c.Secrets) {
		res.Err = sdk.Invalidf(p.Path, "%s", p.Message)
		return res
	}
	if req.Files, res.Err = h.inputs(step.Input, req.Input); res.Err != nil {
		return res
	}
	req.Host = res
	if kept, ok := h.recall(step, req.Input); ok {
		res.Outputs = kept
		return res
	}
	outputs, err := h.caller.Run(c.Context, req)
	if err != nil {
		res.Err = err
		return res
	}
	for _, p := range step.Output.CheckOutput(outputs) {
		res.Err = sdk.Permanentf("the outputs do not fit their schema: %w", p)
		return res
	}
	if res.Outputs, res.Err = h.ingest(step.Output, outputs, req.Scratch); res.Err == nil {
		h.remember(step, req.Input, res.Outputs)
	}
	return res
}

func (h *Harness) request(c Call) *sdk.Request {
	h.t.Helper()
	if c.Key == "" {
		c.Key = NewKey()
	}
	if c.Step == "" {
		c.Step = "step"
	}
	if c.Run == "" {
		c.Run = "test/run"
	}
	return &sdk.Request{
		StepType: c.Type, Step: c.Step, Run: c.Run, Pipeline: "test", Key: c.Key, Attempt: max(c.Attempt, 1), Returned: c.Returned,
		Input: encode(h.t, c.Input), Checkpoint: c.Checkpoint, Rules: c.Rules, Scratch: h.mkdir("scratch-"),
		Queued: c.Queued, Secrets: c.Secrets,
	}
}

// NewKey gives a key that no other step has.
func NewKey() string {
	b := make([]byte, 16)
	_, _ = rand.Read(b) // never fails
	return hex.EncodeToString(b)
}

// inputs finds the files of an input's artifacts.
func (h *Harness) inputs(o schema.Object, input json.RawMessage) (map[string]string, error) {
	v, err := schema.DecodeJSON(input)
	if err != nil {
		return nil, err
	}
	files := map[string]string{}
	h.mu.Lock()
	defer h.mu.Unlock()
	err = o.EachArtifact(v, func(path string, _ schema.Format, a map[string]any) error {
		digest, _ := a["digest"].(string)
		file, ok := h.files[digest]
		if !ok {
			return sdk.Invalidf(path, "the harness has no artifact %q: make it with File, Bytes or Dir, or take it from a Result", digest)
		}
		files[digest] = file
		return nil
	})
	return files, err
}
