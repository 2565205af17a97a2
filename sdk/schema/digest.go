package schema

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
)

// Step is the shape of one step type: what goes in and what comes out.
type Step struct {
	Input  Object `json:"input"`
	Output Object `json:"output"`
}

// Digest names the shape, docs left out: "sha256:<hex>" of its canonical JSON.
func (s Step) Digest() (string, error) {
	b, err := json.Marshal(Step{Input: s.Input.Bare(), Output: s.Output.Bare()})
	if err != nil {
		return "", fmt.Errorf("encoding schema: %w", err)
	}
	sum := sha256.Sum256(b)
	return "sha256:" + hex.EncodeToString(sum[:]), nil
}
