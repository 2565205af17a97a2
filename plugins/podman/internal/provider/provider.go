// Package provider is the podman provider: it serves the step types of images, containers, pods and services on one Podman
// service.
package provider

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"github.com/zclconf/go-cty/cty"

	"github.com/containerpub/cpub/plugins/podman/internal/build"
	"github.com/containerpub/cpub/plugins/podman/internal/client"
	"github.com/containerpub/cpub/plugins/podman/internal/container"
	"github.com/containerpub/cpub/plugins/podman/internal/identity"
	"github.com/containerpub/cpub/plugins/podman/internal/image"
	"github.com/containerpub/cpub/plugins/podman/internal/pod"
	quadlet "github.com/containerpub/cpub/plugins/podman/internal/service"
	"github.com/containerpub/cpub/plugins/podman/steps"
	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/contract"
	"github.com/containerpub/cpub/sdk/schema"
)

// Version is the provider's version.
const Version = "0.1.0"

// Provider serves the step types on the Podman service that Configure finds. The zero value is ready for Configure.
type Provider struct {
	mu       sync.Mutex
	settings client.Settings
	service  *service
}

// service is what there is once Configure has found Podman.
type service struct {
	client   *client.Client
	images   *image.Store
	runner   *container.Runner
	builder  *build.Builder
	pods     *pod.Runner
	services *quadlet.Runner
}

// New is a provider that waits for its configuration.
func New() *Provider { return &Provider{} }

// settings are the `config` block.
type settings struct {
	Connection string `json:"connection"`
	Identity   string `json:"identity"`
	HostKey    string `json:"host_key"`
	KnownHosts string `json:"known_hosts"`
	TLSCA      string `json:"tls_ca"`
	TLSCert    string `json:"tls_cert"`
	TLSKey     string `json:"tls_key"`
	Insecure   bool   `json:"insecure"`
	Podman     string `json:"podman"`
}

// Info describes the provider.
func (p *Provider) Info() sdk.Info {
	return sdk.Info{
		Name: "podman", Version: Version,
		Config: schema.Object{Attrs: []schema.Attr{
			{
				Name: "connection", Type: cty.String,
				Doc: "Where Podman is: `unix:///run/podman/podman.sock`, `ssh://USER@HOST/run/podman/podman.sock`, `tcp://HOST:PORT`, or the name of a " +
					"connection of `podman system connection`. Left out: CONTAINER_CONNECTION, CONTAINER_HOST, Podman's default connection, " +
					"the user's socket, else a service that is started for this instance and stopped with it.",
			},
			{
				Name: "identity", Type: cty.String,
				Doc: "The file of the private key for ssh. Left out: the connection's, CONTAINER_SSHKEY, the ssh agent, ~/.ssh/id_ed25519 and its kin.",
			},
			{
				Name: "host_key", Type: cty.String,
				Doc: "The host key that the machine shows over ssh, such as `ssh-ed25519 AAAA…`; no other is accepted. Left out: `known_hosts`.",
			},
			{
				Name: "known_hosts", Type: cty.String,
				Doc: "A file of known hosts for ssh. Left out: ~/.ssh/known_hosts and /etc/ssh/ssh_known_hosts. A machine that is in none is refused.",
			},
			{Name: "tls_ca", Type: cty.String, Doc: "The CA of the service's certificate over tcp, in PEM."},
			{Name: "tls_cert", Type: cty.String, Doc: "Our certificate over tcp, in PEM; `tls_key` is its key."},
			{Name: "tls_key", Type: cty.String, Doc: "The key of `tls_cert`, in PEM."},
			{
				Name: "insecure", Type: cty.Bool, Default: "false",
				Doc: "Allows tcp without TLS to another machine: whoever is on the way commands that Podman.",
			},
			{Name: "podman", Type: cty.String, Default: `"podman"`, Doc: "The podman binary of a service that is started."},
		}},
		Steps: []sdk.StepType{
			step(contract.ImageBuild(), p.run(func(s *service) runFunc { return s.builder.Run })),
			step(contract.ImagePush(), p.run(func(s *service) runFunc { return s.images.Push })),
			step(contract.ImagePull(), p.run(func(s *service) runFunc { return s.images.RunPull })),
			step(contract.ImageCopy(), p.run(func(s *service) runFunc { return s.images.Copy })),
			step(contract.ImagePrune(), p.run(func(s *service) runFunc { return s.images.RunPrune })),
			step(contract.ContainerRun(), p.run(func(s *service) runFunc { return s.runner.Run })),
			step(steps.Pod(), p.run(func(s *service) runFunc { return s.pods.Run })),
			step(steps.Service(), p.run(func(s *service) runFunc { return s.services.Run })),
		},
	}
}

type runFunc = func(ctx context.Context, req *sdk.Request) (any, error)

func step(t contract.Type, run runFunc) sdk.StepType {
	return sdk.StepType{Name: t.Name, Doc: t.Doc, Input: t.Input, Output: t.Output, Run: run}
}

// run is a step's Run on the service that there will be.
func (p *Provider) run(pick func(*service) runFunc) runFunc {
	return func(ctx context.Context, req *sdk.Request) (any, error) {
		s, err := p.configured()
		if err != nil {
			return nil, err
		}
		return pick(s)(ctx, req)
	}
}

func (p *Provider) configured() (*service, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.service == nil {
		return nil, errors.New("the podman provider is not configured")
	}
	return p.service, nil
}

// Configure connects to Podman and gives the name of its store.
func (p *Provider) Configure(ctx context.Context, c sdk.Configuration) (string, error) {
	var cfg settings
	if err := c.Decode(&cfg); err != nil {
		return "", err
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.settings = client.Settings{
		Connection: cfg.Connection, Identity: cfg.Identity, HostKey: cfg.HostKey, KnownHosts: cfg.KnownHosts,
		TLSCA: cfg.TLSCA, TLSCert: cfg.TLSCert, TLSKey: cfg.TLSKey, Insecure: cfg.Insecure, Podman: cfg.Podman, Registries: c.Registries,
	}
	conn, err := client.Open(ctx, p.settings)
	if err != nil {
		return "", err
	}
	location, err := identity.Of(ctx, conn)
	if err != nil {
		return "", errors.Join(err, conn.Close())
	}
	images := &image.Store{Client: conn, Registries: c.Registries, Location: location}
	runner := &container.Runner{Client: conn, Images: images}
	p.service = &service{
		client: conn, images: images, runner: runner,
		builder:  &build.Builder{Client: conn, Images: images},
		pods:     &pod.Runner{Client: conn, Images: images, Containers: runner},
		services: &quadlet.Runner{Client: conn, Images: images, Containers: runner},
	}
	return location, nil
}

// Close ends the connection, and the service if it is the provider's own. Containers run on.
func (p *Provider) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.service == nil {
		return nil
	}
	err := p.service.client.Close()
	p.service = nil
	return err
}

// Release removes the containers and the names of images that the keys kept.
func (p *Provider) Release(ctx context.Context, keys []string) error {
	s, err := p.configured()
	if err != nil {
		return err
	}
	if err := errors.Join(s.runner.Release(ctx, keys), s.images.Release(ctx, keys)); err != nil {
		return fmt.Errorf("releasing: %w", err)
	}
	return nil
}

// Sweep removes what belongs to no live run.
func (p *Provider) Sweep(ctx context.Context, sweep sdk.Sweep) (int, error) {
	s, err := p.configured()
	if err != nil {
		return 0, err
	}
	containers, cerr := s.runner.Sweep(ctx, sweep)
	names, ierr := s.images.Sweep(ctx, sweep)
	builds, berr := s.builder.Sweep(ctx, sweep)
	pods, perr := s.pods.Sweep(ctx, sweep)
	return containers + names + builds + pods, errors.Join(cerr, ierr, berr, perr)
}
