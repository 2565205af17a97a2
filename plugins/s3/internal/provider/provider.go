// Package provider serves the step types object_fetch and object_put on S3 stores.
package provider

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/containerpub/cpub/plugins/s3/internal/client"
	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/contract"
)

// Version is the provider's version.
const Version = "0.1.0"

// Provider is an instance: one store, with one set of credentials. Its methods may be called concurrently after Configure.
type Provider struct {
	client   *client.Client
	settings settings
	dir      string   // of downloads that are not released yet
	buckets  []string // patterns of the policy
	problem  error    // why Configure failed
}

// New makes a provider that is not configured yet.
func New() *Provider { return &Provider{problem: errors.New("the provider is not configured")} }

// Info implements sdk.Provider.
func (p *Provider) Info() sdk.Info {
	fetch, put := contract.ObjectFetch(), contract.ObjectPut()
	return sdk.Info{
		Name:    "s3",
		Version: Version,
		Config:  configSchema(),
		Steps: []sdk.StepType{
			{Name: fetch.Name, Doc: fetch.Doc, Input: fetch.Input, Output: fetch.Output, Run: p.runFetch},
			{Name: put.Name, Doc: put.Doc, Input: put.Input, Output: put.Output, Run: p.runPut},
		},
	}
}

// Configure implements sdk.Provider. It does not connect: that is Check's.
func (p *Provider) Configure(ctx context.Context, c sdk.Configuration) (string, error) {
	p.buckets = c.Buckets
	p.client, p.problem = p.configure(ctx, c)
	return "", p.problem
}

func (p *Provider) configure(ctx context.Context, c sdk.Configuration) (*client.Client, error) {
	if err := c.Decode(&p.settings); err != nil {
		return nil, err
	}
	if err := p.settings.validate(); err != nil {
		return nil, err
	}
	p.dir = filepath.Join(c.StateDir, "downloads")
	conn, err := client.New(ctx, p.settings.client())
	if err != nil {
		return nil, sdk.Permanent(err)
	}
	return conn, nil
}
