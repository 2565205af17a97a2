package worker

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"

	tclient "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/contrib/envconfig"

	"github.com/containerpub/cpub/engine"
	"github.com/containerpub/cpub/engine/artifact"
	"github.com/containerpub/cpub/engine/config"
	"github.com/containerpub/cpub/engine/host"
	"github.com/containerpub/cpub/sdk"
)

// Settings are what Run needs.
type Settings struct {
	// Config is worker.hcl.
	Config *config.Worker
	// StateDir is this worker's own folder: its cache, and what providers keep. Absolute; made when missing.
	StateDir string
	// StoreURL names the store where worker.hcl does not.
	StoreURL string
	// BinDir is where providers are that have no path in worker.hcl; empty: beside this program.
	BinDir string
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
		s.Listen = s.Config.MetricsListen
	}
	if err := os.MkdirAll(s.StateDir, 0o700); err != nil {
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
		Temporal: temporal, Plans: store, Host: providers, Policy: s.Config.Policy, Serve: map[string]string{}, Log: s.Log, Ready: s.Ready,
	}
	for _, provider := range s.Config.Providers {
		p.Instances = append(p.Instances, Instance{Name: provider.ID(), MaxConcurrent: provider.MaxConcurrent})
	}
	for _, serve := range s.Config.Serve {
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
	if t := s.Config.Temporal; t != nil {
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
	url := s.Config.StoreURL
	if url == "" {
		url = s.StoreURL
	}
	if url == "" {
		return nil, errors.New("no store is named: write `store { url = … }` into worker.hcl, or set CPUB_STORE")
	}
	var store *artifact.Store
	err := await(ctx, s.Log, "opening the store", func(ctx context.Context) (err error) {
		store, err = artifact.Open(ctx, url)
		return err
	})
	return store, err
}

// providers starts the provider processes. A service of theirs that cannot be reached yet is waited for.
func (s *Settings) providers(ctx context.Context, store *artifact.Store) (*host.Host, error) {
	instances, err := s.instances(ctx)
	if err != nil {
		return nil, err
	}
	var providers *host.Host
	var final error
	err = await(ctx, s.Log, "starting the providers", func(ctx context.Context) (err error) {
		providers, err = host.New(ctx, host.Options{
			Instances: instances, Registries: s.Config.Registries, Artifacts: store, Cache: filepath.Join(s.StateDir, "cache"),
			StateDir: s.StateDir, Reattach: s.Reattach, Logger: s.Log,
		})
		if e := new(sdk.Error); errors.As(err, &e) && e.Kind != sdk.KindTransient {
			final, err = err, nil
		}
		return err
	})
	return providers, errors.Join(err, final)
}

// instances are worker.hcl's, their config blocks checked against what the providers say of themselves.
func (s *Settings) instances(ctx context.Context) ([]host.Instance, error) {
	var all []host.Instance
	infos := map[string]sdk.Info{}
	for _, p := range s.Config.Providers {
		path, err := s.binary(p)
		if err != nil {
			return nil, err
		}
		info, known := infos[path]
		if !known {
			if info, err = host.Describe(ctx, path, s.StateDir); err != nil {
				return nil, err
			}
			infos[path] = info
		}
		settings, diags := p.DecodeConfig(info.Config)
		if diags.HasErrors() {
			return nil, &engine.DiagnosticsError{Diags: diags, Files: s.Config.Files}
		}
		all = append(all, host.Instance{
			Provider: p.Name, Name: p.Instance, Path: path, SHA256: p.SHA256, MaxConcurrent: p.MaxConcurrent, Env: p.Env, Config: settings,
			Secrets: s.Config.SecretsOf(p),
		})
	}
	return all, nil
}

// binary is a provider's program.
func (s *Settings) binary(p config.Provider) (string, error) {
	if p.Path != "" {
		return p.Path, nil
	}
	dir := s.BinDir
	if dir == "" {
		var err error
		if dir, err = programDir(); err != nil {
			return "", err
		}
	}
	path := filepath.Join(dir, host.Prefix+p.Name)
	if _, err := os.Stat(path); err != nil {
		return "", fmt.Errorf("finding provider %s: it has no path in worker.hcl, and there is none beside this program: %w", p.Name, err)
	}
	return path, nil
}
