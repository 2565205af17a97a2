package sdktest

import (
	"context"
	"encoding/json"

	"github.com/containerpub/cpub/internal/wire"
	"github.com/containerpub/cpub/sdk"
)

// caller is a provider, directly or over the wire.
type caller interface {
	Configure(ctx context.Context, c sdk.Configuration) (string, error)
	Check(ctx context.Context) ([]sdk.Finding, error)
	Release(ctx context.Context, keys []string) error
	Sweep(ctx context.Context, s sdk.Sweep) (int, error)
	Run(ctx context.Context, req *sdk.Request) (json.RawMessage, error)
}

// remote calls over gRPC.
type remote struct{ *wire.Client }

func (r remote) Run(ctx context.Context, req *sdk.Request) (json.RawMessage, error) {
	return r.Client.Run(ctx, req, wire.RunOptions{})
}

// direct calls the provider's own methods.
type direct struct {
	sdk.Provider

	secrets []sdk.Secret
}

// Configure keeps the secrets from the provider, as its server does.
func (d direct) Configure(ctx context.Context, c sdk.Configuration) (string, error) {
	c.Secrets = nil
	return d.Provider.Configure(ctx, c)
}

func (d direct) Check(ctx context.Context) ([]sdk.Finding, error) {
	if c, ok := d.Provider.(sdk.Checker); ok {
		return c.Check(ctx)
	}
	return nil, nil
}

func (d direct) Release(ctx context.Context, keys []string) error {
	if r, ok := d.Provider.(sdk.Releaser); ok {
		return r.Release(ctx, keys)
	}
	return nil
}

func (d direct) Sweep(ctx context.Context, s sdk.Sweep) (int, error) {
	if w, ok := d.Provider.(sdk.Sweeper); ok {
		return w.Sweep(ctx, s)
	}
	return 0, nil
}

func (d direct) Run(ctx context.Context, req *sdk.Request) (json.RawMessage, error) {
	info := d.Info()
	flush, err := wire.Reveal(req, d.secrets)
	if err != nil {
		return nil, err
	}
	defer flush()
	outputs, err := info.Step(req.StepType).Run(ctx, req)
	if err != nil {
		return nil, err
	}
	data, err := wire.EncodeOutputs(outputs)
	if err != nil {
		return nil, err
	}
	return req.Redactor.JSON(data)
}
