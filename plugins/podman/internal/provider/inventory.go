package provider

import (
	"context"
	"errors"
	"slices"

	"github.com/containerpub/cpub/sdk"
)

// Inventory tells of our containers, of those that builds work in, and of the images that are kept for runs.
func (p *Provider) Inventory(ctx context.Context, q sdk.InventoryQuery) ([]sdk.Item, error) {
	s, err := p.configured()
	if err != nil {
		return nil, err
	}
	containers, cerr := s.runner.Items(ctx, q)
	builds, berr := s.builder.Items(ctx, q.Usage)
	items := append(containers, builds...)
	var ierr error
	if q.Sizes || !q.Usage { // who asks for usage alone asks often, and images use nothing
		var images []sdk.Item
		images, ierr = s.images.Items(ctx, q.Sizes)
		items = append(items, images...)
	}
	return items, errors.Join(cerr, berr, ierr)
}

// Prune removes what belongs to no live run, and tells what that is.
func (p *Provider) Prune(ctx context.Context, sweep sdk.Sweep, dryRun bool) ([]sdk.Item, error) {
	s, err := p.configured()
	if err != nil {
		return nil, err
	}
	items, cerr := s.runner.Prune(ctx, sweep, dryRun)
	images, ierr := s.images.Prune(ctx, sweep, dryRun)
	builds, berr := s.builder.Prune(ctx, sweep, dryRun)
	pods, perr := s.pods.Prune(ctx, sweep, dryRun)
	return slices.Concat(items, images, builds, pods), errors.Join(cerr, ierr, berr, perr)
}
