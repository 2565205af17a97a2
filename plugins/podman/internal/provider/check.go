package provider

import (
	"context"

	"github.com/containerpub/cpub/plugins/podman/internal/client"
	"github.com/containerpub/cpub/plugins/podman/internal/doctor"
	"github.com/containerpub/cpub/sdk"
)

// Check looks at Podman and its host.
func (p *Provider) Check(ctx context.Context) ([]sdk.Finding, error) {
	p.mu.Lock()
	s, settings := p.service, p.settings
	p.mu.Unlock()
	var open *client.Client
	if s != nil {
		open = s.client
	}
	return doctor.Check(ctx, open, settings), nil
}
