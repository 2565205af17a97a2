package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	tclient "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"

	"github.com/containerpub/cpub/engine/artifact"
	"github.com/containerpub/cpub/engine/host"
	"github.com/containerpub/cpub/engine/machine"
	"github.com/containerpub/cpub/sdk"
)

// Settings are what Run needs.
type Settings struct {
	// Machine is worker.hcl, and where the store, the providers and this worker's own folder are, which is made when missing: its cache lies
	// there, and what providers keep.
	*machine.Machine
	// Listen is where health, readiness and metrics are served; empty: where worker.hcl has metrics, or nowhere.
	Listen string
	// Reattach is the value of CPUB_REATTACH_PROVIDERS.
	Reattach string
	Log      *slog.Logger
	// Ready is called once, when the worker polls all its queues; may be nil.
	Ready func()
}

// Run serves pipelines and steps as worker.hcl says, until ctx ends; then steps under way detach, so that the next worker adopts them.
// What cannot be reached yet (the store, a provider's service, Temporal) is waited for, and said. What is wrong for good is an error.
func Run(ctx context.Context, s Settings) error {
	if s.Log == nil {
		s.Log = slog.New(slog.DiscardHandler)
	}
	if s.Listen == "" {
		s.Listen = s.Worker.MetricsListen
	}
	if err := os.MkdirAll(s.State, 0o700); err != nil {
		return fmt.Errorf("making the worker's folder: %w", err)
	}
	h, err := startHealth(ctx, s.Listen, s.Log)
	if err != nil {
		return err
	}
	defer h.close(ctx)
	temporal, err := s.temporal()
	if err != nil {
		return err
	}
	store, err := s.store(ctx)
	if err != nil {
		return stopped(ctx, err)
	}
	defer func() { _ = store.Close() }() // nothing is written by then
	providers, err := s.providers(ctx, store)
	if err != nil {
		return stopped(ctx, err)
	}
	p := Parts{
		Temporal: temporal, Plans: store, Host: providers, Policy: s.Worker.Policy, Serve: map[string]string{}, Log: s.Log, Ready: s.Ready,
	}
	for _, provider := range s.Worker.Providers {
		p.Instances = append(p.Instances, Instance{Name: provider.ID(), MaxConcurrent: provider.MaxConcurrent})
	}
	for _, serve := range s.Worker.Serve {
		p.Serve[serve.StepType] = serve.Instance
	}
	p.defaults()
	return errors.Join(p.run(ctx, h), providers.Close())
}

// temporal are the environment's and the profile's options, and worker.hcl's over them.
func (s *Settings) temporal() (tclient.Options, error) {
	o, err := envconfig.LoadDefaultClientOptions()
	if err != nil {
		return o, fmt.Errorf("reading Temporal's environment and profile: %w", err)
	}
	if t := s.Worker.Temporal; t != nil {
		if t.Address != "" {
			o.HostPort = t.Address
		}
		if t.Namespace != "" {
			o.Namespace = t.Namespace
		}
	}
	return o, nil
}

// store waits for the store.
func (s *Settings) store(ctx context.Context) (*artifact.Store, error) {
	if s.StoreURL == "" {
		return nil, errors.New("no store is named: write `store { url = … }` into worker.hcl, or set CPUB_STORE")
	}
	var store *artifact.Store
	err := await(ctx, s.Log, "opening the store", func(ctx context.Context) (err error) {
		store, err = artifact.Open(ctx, s.StoreURL)
		return err
	})
	return store, err
}

// providers starts the provider processes. A service of theirs that cannot be reached yet is waited for.
func (s *Settings) providers(ctx context.Context, store *artifact.Store) (*host.Host, error) {
	instances, err := s.Instances(ctx, s.State)
	if err != nil {
		return nil, err
	}
	var providers *host.Host
	var final error
	err = await(ctx, s.Log, "starting the providers", func(ctx context.Context) (err error) {
		providers, err = host.New(ctx, host.Options{
			Instances: instances, Registries: s.Worker.Registries, Buckets: s.Worker.Policy.Buckets, Artifacts: store, Cache: s.Cache(),
			StateDir: s.State, Reattach: s.Reattach, Logger: s.Log,
		})
		if e := new(sdk.Error); errors.As(err, &e) && e.Kind != sdk.KindTransient {
			final, err = err, nil
		}
		return err
	})
	return providers, errors.Join(err, final)
}
