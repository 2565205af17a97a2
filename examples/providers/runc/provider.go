//go:build linux

// Package runc is a provider that runs containers without Podman: it unpacks images itself, and gives them to a plain OCI runtime.
// It shows that a standard step type is not bound to a product: what a pipeline says of image_pull and container_run holds here as it
// does there, and worker.hcl alone tells which of the two carries them out.
//
// The package image pulls, unpacks and keeps images; the package container runs them.
package runc

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync/atomic"

	"github.com/zclconf/go-cty/cty"

	"github.com/containerpub/cpub/examples/providers/runc/container"
	"github.com/containerpub/cpub/examples/providers/runc/image"
	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/contract"
	"github.com/containerpub/cpub/sdk/schema"
)

// Version is the provider's.
const Version = "0.1.0"

// Provider runs containers with an OCI runtime. Make it with New.
type Provider struct {
	settings settings
	service  atomic.Pointer[service]
}

// service is what there is once the provider is configured.
type service struct {
	images *image.Store
	runner *container.Runner
}

// settings are the `config` block.
type settings struct {
	Runc     string      `json:"runc"`
	Init     string      `json:"init"`
	RunDir   string      `json:"run_dir"`
	MaxImage schema.Size `json:"max_image"`
}

// New is a provider that waits for its configuration.
func New() *Provider {
	return &Provider{settings: settings{Runc: "/usr/sbin/runc", Init: "/usr/bin/catatonit", RunDir: "/run/cpub-runc", MaxImage: 8 << 30}}
}

// Info describes the provider.
func (p *Provider) Info() sdk.Info {
	return sdk.Info{
		Name: "runc", Version: Version,
		Config: schema.Object{Attrs: []schema.Attr{
			{Name: "runc", Type: cty.String, Default: `"/usr/sbin/runc"`, Doc: "The OCI runtime: runc, or one with the same commands."},
			{Name: "init", Type: cty.String, Default: `"/usr/bin/catatonit"`, Doc: "The static program that is a container's first process, and reaps the others."},
			{Name: "run_dir", Type: cty.String, Default: `"/run/cpub-runc"`, Doc: "Where the roots of running containers are mounted."},
			{Name: "max_image", Type: cty.String, Format: schema.FormatSize, Default: `"8GiB"`, Doc: "The most that an unpacked image may take."},
		}},
		Steps: []sdk.StepType{
			p.step(contract.ImagePull(), func(s *service) runFunc { return s.images.RunPull }),
			p.step(containerRun(), func(s *service) runFunc { return s.runner.Run }),
		},
	}
}

// containerRun is the contract without its abilities. What an author asks of those is refused before a run's first step.
func containerRun() contract.Type {
	t := contract.ContainerRun()
	for _, ability := range contract.ContainerRun().Abilities {
		t = t.Without(ability.Name)
	}
	return t
}

type runFunc = func(ctx context.Context, req *sdk.Request) (any, error)

// step is a step type whose Run is found once the provider is configured.
func (p *Provider) step(t contract.Type, pick func(*service) runFunc) sdk.StepType {
	return sdk.StepType{Name: t.Name, Doc: t.Doc, Input: t.Input, Output: t.Output, Run: func(ctx context.Context, req *sdk.Request) (any, error) {
		s, err := p.configured()
		if err != nil {
			return nil, err
		}
		return pick(s)(ctx, req)
	}}
}

func (p *Provider) configured() (*service, error) {
	if s := p.service.Load(); s != nil {
		return s, nil
	}
	return nil, errors.New("the provider runc is not configured")
}

// Configure makes the store of images in the instance's folder. It gives the store's name, a random one.
func (p *Provider) Configure(ctx context.Context, c sdk.Configuration) (string, error) {
	if err := c.Decode(&p.settings); err != nil {
		return "", err
	}
	findings, err := p.Check(ctx)
	if err != nil {
		return "", err
	}
	for _, f := range findings {
		if !f.OK && !f.Warning {
			return "", sdk.Permanentf("the provider runc cannot work here: %s: %s", f.Detail, f.Remedy)
		}
	}
	location, err := locate(c.StateDir)
	if err != nil {
		return "", fmt.Errorf("naming the store of images: %w", err)
	}
	shift, err := image.HostShift()
	if err != nil {
		return "", sdk.Permanent(err)
	}
	images := &image.Store{Dir: c.StateDir, Location: location, Registries: c.Registries, Shift: shift, MaxBytes: int64(p.settings.MaxImage)}
	runner := &container.Runner{
		Images: images, Dir: filepath.Join(c.StateDir, "containers"), RunDir: filepath.Join(p.settings.RunDir, location),
		Runc: p.settings.Runc, Init: p.settings.Init,
	}
	p.service.Store(&service{images: images, runner: runner})
	return location, nil
}

// Close leaves containers alone, and takes away the folder of their mounts where there are none.
func (p *Provider) Close() error {
	if s := p.service.Load(); s != nil {
		s.runner.Tidy()
	}
	return nil
}

// Release removes what the keys kept: containers that have ended, and their hold on images.
func (p *Provider) Release(ctx context.Context, keys []string) error {
	s, err := p.configured()
	if err != nil {
		return err
	}
	var errs []error
	for _, key := range keys {
		errs = append(errs, s.runner.Remove(ctx, key), s.images.Release(key))
	}
	return errors.Join(errs...)
}

// Sweep removes what belongs to no live run, and images that nobody used for a week.
func (p *Provider) Sweep(ctx context.Context, sweep sdk.Sweep) (int, error) {
	s, err := p.configured()
	if err != nil {
		return 0, err
	}
	containers, cerr := s.runner.Sweep(ctx, sweep)
	images, ierr := s.images.Sweep(sweep, s.runner.Uses())
	return containers + images, errors.Join(cerr, ierr)
}

// locate gives the random name of the store in a folder; the first time, it makes one.
func locate(dir string) (string, error) {
	path := filepath.Join(dir, "location")
	err := image.WriteNew(path, image.Random())
	if err != nil && !errors.Is(err, os.ErrExist) {
		return "", err
	}
	name, err := os.ReadFile(path)
	return string(name), err
}
