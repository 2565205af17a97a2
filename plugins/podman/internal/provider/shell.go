package provider

import (
	"context"

	"github.com/containerpub/cpub/sdk"
)

// Shell opens a shell in what a container_run starts with.
func (p *Provider) Shell(ctx context.Context, s *sdk.Shell) (int, error) {
	service, err := p.configured()
	if err != nil {
		return 0, err
	}
	if s.StepType != "container_run" {
		return 0, sdk.Permanentf("a step of the type %s has no container of its own to open a shell in", s.StepType)
	}
	return service.runner.Shell(ctx, s)
}
