package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/containerpub/cpub/engine"
	"github.com/containerpub/cpub/engine/artifact"
	"github.com/containerpub/cpub/internal/wire"
	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/schema"
)

var _ engine.Runner = (*Host)(nil)

// Run implements engine.Runner.
func (h *Host) Run(ctx context.Context, call engine.Call, obs engine.Observer) (json.RawMessage, error) {
	i, step, err := h.find(call)
	if err != nil {
		return nil, err
	}
	h.runs.Add(1)
	defer h.runs.Done()
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	defer context.AfterFunc(h.closing, func() { cancel(sdk.ErrDetached) })() //nolint:contextcheck // the host's own end
	came := time.Now()
	leave, err := i.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	call.Queued += time.Since(came)
	carryOut := h.attempt
	if i.pure(call.StepType) && len(call.Secrets) == 0 {
		carryOut = h.pure
	}
	outputs, err := carryOut(ctx, i, step, call, obs)
	if err != nil && ctx.Err() != nil && !errors.Is(err, context.Cause(ctx)) {
		return nil, fmt.Errorf("%w: %w", context.Cause(ctx), err)
	}
	if errors.Is(err, wire.ErrUnreachable) || errors.Is(err, wire.ErrHung) {
		return nil, fmt.Errorf("%w: %w", engine.ErrLost, err)
	}
	return outputs, err
}

// find gives the instance and the shape of a call, whose input it checks.
func (h *Host) find(call engine.Call) (*instance, schema.Step, error) {
	i := h.instances[call.Instance]
	if i == nil {
		return nil, schema.Step{}, sdk.Permanentf("this worker has no provider instance %q", call.Instance)
	}
	if i.failed != nil {
		return nil, schema.Step{}, i.failed
	}
	step, ok := i.step(call.StepType)
	if !ok {
		return nil, step, sdk.Permanentf("provider instance %s has no step type %q", call.Instance, call.StepType)
	}
	if len(call.Input) == 0 {
		call.Input = []byte("{}")
	}
	problems := append(step.Input.CheckInput(call.Input), step.Input.CheckSecrets(call.Secrets)...)
	if len(problems) == 0 {
		return i, step, i.grants(call)
	}
	err := problems[0] // the first is what the author looks at first, too
	own, derr := step.Digest()
	if call.SchemaDigest != "" && derr == nil && own != call.SchemaDigest {
		return nil, step, sdk.Permanentf("the plan was made for another version of provider %s than this worker has: %s of %s: %s",
			i.Provider, err.Path, call.StepType, err.Message)
	}
	return nil, step, sdk.Invalidf(err.Path, "%s", err.Message)
}

// attempt runs one attempt between its preparation and its cleaning up.
func (h *Host) attempt(ctx context.Context, i *instance, step schema.Step, call engine.Call, obs engine.Observer) (_ json.RawMessage, err error) {
	scratch, err := h.cache.MkdirTemp("scratch-")
	if err != nil {
		return nil, unkept(fmt.Errorf("making the scratch folder: %w", err))
	}
	defer func() {
		if rerr := artifact.RemoveAll(scratch); rerr != nil {
			i.log.Error("a scratch folder stays until the next start", "step", call.Step, "run", call.Run, "error", rerr)
		}
	}()
	req := request(call, scratch)
	if req.Files, err = h.fetch(ctx, step.Input, req.Input); err != nil {
		return nil, unkept(err)
	}
	report, err := h.openReport(ctx, call, obs)
	if err != nil {
		return nil, err
	}
	req.Host = report
	outputs, err := h.ask(ctx, i, req)
	report.close(ctx, i.log)
	if err != nil {
		return nil, h.keepFailed(ctx, i, step.Output, err, req)
	}
	outputs, err = h.keep(ctx, step.Output, outputs, req)
	return outputs, unkept(err)
}

// unkept tells that an attempt came to nothing by this worker's or the store's doing: what it, or one before it, did is still there for the
// next one to adopt. Errors that retrying cannot help stay as they are.
func unkept(err error) error {
	if err == nil || final(err) {
		return err
	}
	return fmt.Errorf("%w: %w", engine.ErrLost, err)
}

// final tells that retrying cannot help.
func final(err error) bool {
	e := new(sdk.Error)
	return errors.As(err, &e) && e.Kind != sdk.KindTransient
}

// keep is take, with patience for a store that does not answer: what a step has done should not need another attempt.
func (h *Host) keep(ctx context.Context, o schema.Object, outputs json.RawMessage, req *sdk.Request) (json.RawMessage, error) {
	for began, wait := time.Now(), h.opts.times.backOff; ; wait *= 2 {
		kept, err := h.take(ctx, o, outputs, req)
		if err == nil || final(err) || time.Since(began)+wait > h.opts.times.store {
			return kept, err
		}
		select {
		case <-time.After(wait):
		case <-ctx.Done():
			return nil, err
		}
	}
}

// keepFailed keeps what is known of a step that failed, its log first of all, as that of one that succeeded. The failure counts for more
// than what it brought along: where the log cannot be kept, the rest is.
func (h *Host) keepFailed(ctx context.Context, i *instance, o schema.Object, failure error, req *sdk.Request) error {
	var known *sdk.Error
	if !errors.As(failure, &known) || len(known.Outputs) == 0 || ctx.Err() != nil {
		return failure
	}
	outputs, err := h.keep(ctx, o, known.Outputs, req)
	if err != nil {
		i.log.Warn("a failed step's outputs are not whole", "step", req.Step, "run", req.Run, "error", err)
		if outputs, err = h.take(ctx, o, withoutArtifacts(o, known.Outputs), req); err != nil {
			outputs = nil
		}
	}
	known.Outputs = outputs
	return failure
}

// withoutArtifacts is outputs without what would have to be stored.
func withoutArtifacts(o schema.Object, outputs json.RawMessage) json.RawMessage {
	var fields map[string]json.RawMessage
	if json.Unmarshal(outputs, &fields) != nil {
		return nil
	}
	for _, a := range o.Attrs {
		if a.Format.Holds() {
			delete(fields, a.Name)
		}
	}
	data, err := json.Marshal(fields)
	if err != nil {
		return nil
	}
	return data
}

func request(call engine.Call, scratch string) *sdk.Request {
	input := call.Input
	if len(input) == 0 {
		input = json.RawMessage("{}")
	}
	return &sdk.Request{
		StepType: call.StepType, Step: call.Step, Run: call.Run, Pipeline: call.Pipeline, Key: call.Key, Attempt: call.Attempt,
		Returned: call.Returned, Input: input, Checkpoint: call.Checkpoint, Rules: call.Rules, Scratch: scratch,
		Queued: call.Queued, Secrets: call.Secrets,
	}
}

// ask has the provider carry it out. A provider that hangs is killed: all of its steps are lost, and adopted by their next attempts.
func (h *Host) ask(ctx context.Context, i *instance, req *sdk.Request) (json.RawMessage, error) {
	s, err := i.wait(ctx)
	if err != nil {
		return nil, err
	}
	outputs, err := s.Run(ctx, req, h.opts.times.run)
	switch {
	case errors.Is(err, wire.ErrHung):
		i.log.Error("provider hangs and is killed", "step", req.Step, "run", req.Run, "error", err)
		i.drop(s, err)
	case errors.Is(err, wire.ErrUnreachable): // it has ended, or is about to
		i.drop(s, err)
	}
	return outputs, err
}

// report hands on what a provider reports: to the observer, and to the live log.
type report struct {
	engine.Observer

	log *artifact.LogWriter // nil: nobody wants it
}

func (h *Host) openReport(ctx context.Context, call engine.Call, obs engine.Observer) (*report, error) {
	if call.LogKey == "" {
		return &report{Observer: obs}, nil
	}
	log, err := h.opts.Artifacts.LogWriter(ctx, call.LogKey)
	if err != nil {
		return nil, err
	}
	return &report{Observer: obs, log: log}, nil
}

// Log implements sdk.Host.
func (r *report) Log(stream string, p []byte) {
	r.Observer.Log(stream, p)
	if r.log != nil {
		r.log.Write(stream, p)
	}
}

// closeLog is how long the last chunk of a live log may take.
const closeLog = 10 * time.Second

// close writes the rest of the live log, also where ctx has ended.
func (r *report) close(ctx context.Context, log interface{ Warn(string, ...any) }) {
	if r.log == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), closeLog)
	defer cancel()
	if err := r.log.Close(ctx); err != nil {
		log.Warn("the live log is not whole", "error", err)
	}
}
