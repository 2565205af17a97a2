package wire

import (
	"encoding/json"
	"fmt"
)

// Reattach says where a provider serves that somebody else started. EnvReattach holds a JSON object of them, by the provider's
// name ("podman") or its instance ("podman.local").
type Reattach struct {
	Network         string `json:"network"` // "unix" or "tcp"
	Address         string `json:"address"`
	PID             int    `json:"pid,omitempty"`
	ProtocolVersion int    `json:"protocol_version"`
}

// ParseReattach reads the value of EnvReattach; empty gives none.
func ParseReattach(value string) (map[string]Reattach, error) {
	if value == "" {
		return nil, nil
	}
	out := map[string]Reattach{}
	if err := json.Unmarshal([]byte(value), &out); err != nil {
		return nil, fmt.Errorf("reading %s: %w", EnvReattach, err)
	}
	for name, r := range out {
		if r.Network != "unix" && r.Network != "tcp" || r.Address == "" {
			return nil, fmt.Errorf("reading %s: %q needs a network (unix or tcp) and an address", EnvReattach, name)
		}
		if r.ProtocolVersion != ProtocolVersion {
			return nil, fmt.Errorf("reading %s: %q speaks protocol version %d, and this worker %d", EnvReattach, name, r.ProtocolVersion, ProtocolVersion)
		}
	}
	return out, nil
}
