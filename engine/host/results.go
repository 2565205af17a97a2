package host

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/containerpub/cpub/engine"
	"github.com/containerpub/cpub/sdk/schema"
)

// cachedOutput is the output by which a step tells that nothing had to be done.
const cachedOutput = "cached"

// errStale tells that kept outputs are of no use any more.
var errStale = errors.New("its artifacts are no longer at hand")

// results keeps the outputs of pure steps, by what they depend on. Artifacts in them are only named: they are verified when they are used.
type results struct{ dir string }

// key names what a pure step's outputs depend on: the very program that makes them, its configuration, and the input.
func (results) key(i *instance, call engine.Call) (string, error) {
	input, err := schema.DecodeJSON(request(call, "").Input)
	if err != nil {
		return "", err
	}
	data, err := json.Marshal([]any{i.binary, i.Config, call.StepType, input}) // with maps in order
	if err != nil {
		return "", err
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:]), nil
}

func (r results) path(key string) string { return filepath.Join(r.dir, key+".json") }

// recall gives kept outputs, or nothing.
func (r results) recall(key string) (json.RawMessage, error) {
	data, err := os.ReadFile(r.path(key))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	return data, err
}

// remember keeps outputs; tmp is a folder on the same disk.
func (r results) remember(key string, outputs json.RawMessage, tmp string) error {
	name := filepath.Join(tmp, key)
	if err := os.WriteFile(name, outputs, 0o600); err != nil {
		return err
	}
	return os.Rename(name, r.path(key))
}

// pure answers a call by what the same call gave before, or carries it out and keeps what it gives. Trouble with what is kept only costs the
// time that it would have saved.
func (h *Host) pure(ctx context.Context, i *instance, step schema.Step, call engine.Call, obs engine.Observer) (json.RawMessage, error) {
	key, err := h.results.key(i, call)
	if err != nil {
		return nil, fmt.Errorf("naming the step's result: %w", err)
	}
	log := i.log.With("step", call.Step, "run", call.Run)
	outputs, err := h.recall(ctx, step, key)
	switch {
	case err == nil && outputs != nil:
		h.tell(ctx, i, call, obs, "the same input was carried out before, and its outputs are at hand\n")
		return outputs, nil
	case errors.Is(err, errStale):
	case err != nil:
		log.Warn("looking for an earlier result", "error", err)
	}
	outputs, err = h.attempt(ctx, i, step, call, obs)
	if err != nil {
		return nil, err
	}
	tmp, err := h.cache.MkdirTemp("result-")
	if err == nil {
		err = errors.Join(h.results.remember(key, outputs, tmp), os.Remove(tmp))
	}
	if err != nil {
		log.Warn("keeping a result", "error", err)
	}
	return outputs, nil
}

// recall gives what is kept under the key, once all of its artifacts were verified, and says in it that it was.
func (h *Host) recall(ctx context.Context, step schema.Step, key string) (json.RawMessage, error) {
	outputs, err := h.results.recall(key)
	if err != nil || outputs == nil {
		return nil, err
	}
	if problems := step.Output.CheckOutput(outputs); len(problems) > 0 {
		return nil, problems[0]
	}
	v, err := schema.DecodeJSON(outputs)
	if err != nil {
		return nil, err
	}
	err = step.Output.EachArtifact(v, func(_ string, _ schema.Format, fields map[string]any) error {
		there, err := h.cache.Verify(ctx, artifactOf(fields))
		if err == nil && !there {
			err = errStale
		}
		return err
	})
	if err != nil {
		return nil, err
	}
	if fields, ok := v.(map[string]any); ok && step.Output.Attr(cachedOutput) != nil {
		fields[cachedOutput] = true
	}
	return json.Marshal(v)
}

// tell writes one line into a step's log, in place of its provider.
func (h *Host) tell(ctx context.Context, i *instance, call engine.Call, obs engine.Observer, text string) {
	report, err := h.openReport(ctx, call, obs)
	if err != nil {
		i.log.Warn("the step's log is not whole", "step", call.Step, "run", call.Run, "error", err)
		return
	}
	report.Log("step", []byte(text))
	report.close(ctx, i.log)
}
