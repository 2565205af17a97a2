package wire

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"sync"

	"github.com/containerpub/cpub/internal/wire/pb"
	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/schema"
)

func fromSecretTexts(texts []schema.SecretText) (out []*pb.SecretText) {
	for _, t := range texts {
		text := &pb.SecretText{Path: t.Path}
		for _, p := range t.Parts {
			text.Parts = append(text.Parts, &pb.SecretPart{Text: p.Text, Secret: p.Secret})
		}
		out = append(out, text)
	}
	return out
}

func toSecretTexts(texts []*pb.SecretText) (out []schema.SecretText) {
	for _, t := range texts {
		text := schema.SecretText{Path: t.GetPath()}
		for _, p := range t.GetParts() {
			text.Parts = append(text.Parts, schema.SecretPart{Text: p.GetText(), Secret: p.GetSecret()})
		}
		out = append(out, text)
	}
	return out
}

// vault holds what the instance was granted.
type vault struct {
	mu      sync.Mutex
	granted []sdk.Secret
}

func (v *vault) fill(secrets []*pb.Secret) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.granted = nil
	for _, s := range secrets {
		v.granted = append(v.granted, sdk.Secret{Name: s.GetName(), Value: s.GetValue(), StepTypes: s.GetStepTypes()})
	}
}

func (v *vault) all() []sdk.Secret {
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.granted
}

// Reveal puts the values of a request's secrets into its input, and has its Host tell nothing of them. flush, to be called at the attempt's end,
// sends what was held back. A secret that is not granted to the step type is an error.
func Reveal(req *sdk.Request, granted []sdk.Secret) (flush func(), err error) {
	values := map[string]string{}
	input, err := schema.Reveal(req.Input, req.Secrets, func(name string) (string, error) {
		i := slices.IndexFunc(granted, func(s sdk.Secret) bool { return s.Name == name && s.For(req.StepType) })
		if i < 0 {
			return "", &sdk.Error{Kind: sdk.KindPermanent, Code: sdk.CodeDenied, Err: fmt.Errorf("secret %s is not granted to %s here", name, req.StepType)}
		}
		values[name] = granted[i].Value
		return granted[i].Value, nil
	})
	if e := new(sdk.Error); err != nil && !errors.As(err, &e) {
		err = sdk.Permanent(err)
	}
	if err != nil {
		return nil, err
	}
	req.Input, req.Secrets, req.Redactor = input, nil, sdk.NewRedactor(slices.Sorted(maps.Values(values))...)
	if req.Redactor == nil {
		return func() {}, nil
	}
	h := &hider{Host: req.Host, redactor: req.Redactor, streams: map[string]io.WriteCloser{}}
	req.Host = h
	return h.flush, nil
}

// hideJSON gives nothing where data is no JSON.
func hideJSON(r *sdk.Redactor, data json.RawMessage) json.RawMessage {
	hidden, err := r.JSON(data)
	if err != nil {
		return nil
	}
	return hidden
}

// hider is an sdk.Host behind a redactor.
type hider struct {
	sdk.Host

	redactor *sdk.Redactor
	mu       sync.Mutex
	streams  map[string]io.WriteCloser
}

// Log implements sdk.Host.
func (h *hider) Log(stream string, p []byte) {
	h.mu.Lock()
	defer h.mu.Unlock()
	w := h.streams[stream]
	if w == nil {
		w = h.redactor.Writer(logTo{h.Host, stream})
		h.streams[stream] = w
	}
	_, _ = w.Write(p) // logTo never fails
}

// Progress implements sdk.Host.
func (h *hider) Progress(p sdk.Progress) {
	p.Message = h.redactor.Text(p.Message)
	h.Host.Progress(p)
}

// Checkpoint implements sdk.Host.
func (h *hider) Checkpoint(data json.RawMessage) {
	if data = hideJSON(h.redactor, data); data != nil {
		h.Host.Checkpoint(data)
	}
}

// flush sends what was held back.
func (h *hider) flush() {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, w := range h.streams {
		_ = w.Close() // logTo never fails
	}
}

type logTo struct {
	host   sdk.Host
	stream string
}

func (l logTo) Write(p []byte) (int, error) {
	l.host.Log(l.stream, p)
	return len(p), nil
}
