package sdktest

import (
	"encoding/json"

	"github.com/containerpub/cpub/sdk"
)

// cachedOutput is the output by which a pure step tells that nothing had to be done.
const cachedOutput = "cached"

// resultKey names what a pure step's outputs depend on.
func resultKey(step *sdk.StepType, input json.RawMessage) string {
	return step.Name + " " + string(input)
}

// remember keeps the outputs of a pure step, as a worker does.
func (h *Harness) remember(step *sdk.StepType, input, outputs json.RawMessage) {
	if !step.Pure {
		return
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	h.results[resultKey(step, input)] = outputs
}

// recall gives the outputs of a pure step that was carried out before. Their artifacts are the harness's, and stay until the test ends.
func (h *Harness) recall(step *sdk.StepType, input json.RawMessage) (json.RawMessage, bool) {
	h.mu.Lock()
	kept, ok := h.results[resultKey(step, input)]
	h.mu.Unlock()
	if !ok {
		return nil, false
	}
	var fields map[string]json.RawMessage
	if json.Unmarshal(kept, &fields) != nil {
		return nil, false
	}
	if step.Output.Attr(cachedOutput) != nil {
		fields[cachedOutput] = json.RawMessage("true")
	}
	data, err := json.Marshal(fields)
	return data, err == nil
}
