package host

import (
	"context"
	"encoding/json"
	"fmt"

	"github.com/containerpub/cpub/engine"
	"github.com/containerpub/cpub/engine/artifact"
	"github.com/containerpub/cpub/sdk"
)

// Shell opens a shell in what the call's step would start with, and gives its exit code: see sdk.Sheller. The call is
// s.Request, and told learns what is done before the shell is there. The error wraps ErrUnable where the provider has no shells. Policy is for whoever calls to check.
func (h *Host) Shell(ctx context.Context, call engine.Call, s sdk.Shell, told func(text string)) (int, error) {
	i, step, err := h.find(call)
	if err != nil {
		return 0, err
	}
	h.runs.Add(1)
	defer h.runs.Done()
	p, err := i.wait(ctx)
	if err != nil {
		return 0, err
	}
	scratch, err := h.cache.MkdirTemp("scratch-")
	if err != nil {
		return 0, fmt.Errorf("making the scratch folder: %w", err)
	}
	defer func() { _ = artifact.RemoveAll(scratch) }()
	req := request(call, scratch)
	req.Host = notices(told)
	if req.Files, err = h.fetch(ctx, step.Input, req.Input); err != nil {
		return 0, err
	}
	s.Request = req
	return p.Shell(ctx, &s)
}

// notices is an sdk.Host of which the log alone is wanted.
type notices func(text string)

// Log implements sdk.Host.
func (n notices) Log(_ string, p []byte) { n(string(p)) }

// Progress implements sdk.Host.
func (notices) Progress(sdk.Progress) {}

// Checkpoint implements sdk.Host.
func (notices) Checkpoint(json.RawMessage) {}
