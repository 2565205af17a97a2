package wire

import (
	"encoding/json"

	"github.com/containerpub/cpub/sdk"
)

// EncodeOutputs gives a step's outputs as JSON, `{}` for nil. Outputs over MaxOutputs are a permanent error.
func EncodeOutputs(outputs any) (json.RawMessage, error) {
	data, err := json.Marshal(outputs)
	if err != nil {
		return nil, sdk.Permanentf("encoding the step's outputs: %w", err)
	}
	if string(data) == "null" {
		data = []byte("{}")
	}
	if len(data) > MaxOutputs {
		return nil, sdk.Permanentf("the step's outputs have %d bytes, more than %d: give them as a file artifact", len(data), MaxOutputs)
	}
	return data, nil
}
