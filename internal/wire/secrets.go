package wire

import (
	"encoding/json"
	"errors"
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
	granted map[string]sdk.Secret
}

func (v *vault) fill(secrets []*pb.Secret) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.granted = map[string]sdk.Secret{}
	for _, s := range secrets {
		v.granted[s.GetName()] = sdk.Secret{Name: s.GetName(), Value: s.GetValue(), StepTypes: s.GetStepTypes()}
	}
}

// reveal puts the secrets' values into a request's input. The redactor hides them.
func (v *vault) reveal(req *sdk.Request, texts []schema.SecretText) (err error) {
	v.mu.Lock()
	granted := v.granted
	v.mu.Unlock()
	values := map[string]string{}
	req.Input, err = schema.Reveal(req.Input, texts, func(name string) (string, error) {
		s, ok := granted[name]
		if !ok || !s.For(req.StepType) {
			return "", &sdk.Error{Kind: sdk.KindPermanent, Code: sdk.CodeDenied, Err: errors.New("secret " + name + " is not granted to " + req.StepType + " here")}
		}
		values[name] = s.Value
		return s.Value, nil
	})
	if e := new(sdk.Error); err != nil && !errors.As(err, &e) {
		err = sdk.Permanent(err)
	}
	req.Redactor = sdk.NewRedactor(slices.Sorted(maps.Values(values))...)
	return err
}

// hideJSON gives nothing where data is no JSON.
func hideJSON(r *sdk.Redactor, data json.RawMessage) json.RawMessage {
	hidden, err := r.JSON(data)
	if err != nil {
		return nil
	}
	return hidden
}

// Hider is an sdk.Host behind a redactor.
type Hider struct {
	sdk.Host

	redactor *sdk.Redactor
	mu       sync.Mutex
	streams  map[string]io.WriteCloser
}

// NewHider hides from h what r hides.
func NewHider(h sdk.Host, r *sdk.Redactor) *Hider {
	return &Hider{Host: h, redactor: r, streams: map[string]io.WriteCloser{}}
}

// Log implements sdk.Host.
func (h *Hider) Log(stream string, p []byte) {
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
func (h *Hider) Progress(p sdk.Progress) {
	p.Message = h.redactor.Text(p.Message)
	h.Host.Progress(p)
}

// Checkpoint implements sdk.Host.
func (h *Hider) Checkpoint(data json.RawMessage) {
	if data = hideJSON(h.redactor, data); data != nil {
		h.Host.Checkpoint(data)
	}
}

// Flush sends what was held back.
func (h *Hider) Flush() {
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
