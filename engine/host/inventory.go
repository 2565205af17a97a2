package host

import (
	"context"

	"github.com/containerpub/cpub/internal/wire"
	"github.com/containerpub/cpub/sdk"
)

// ErrUnable is wrapped by errors of what a provider has not the ability for.
var ErrUnable = wire.ErrUnable

// Items are what one instance has, or had.
type Items struct {
	Instance string
	// Location is that of the instance's located values; empty for none.
	Location string
	Items    []sdk.Item
	// Err tells what is missing in Items. It wraps ErrUnable for an instance that cannot tell.
	Err error
}

// Inventory asks every instance what there is of ours, in the order of Options.
func (h *Host) Inventory(ctx context.Context, q sdk.InventoryQuery) []Items {
	return h.items(ctx, func(s *session) ([]sdk.Item, error) { return s.Inventory(ctx, q) })
}

// Prune has every instance remove what belongs to none of the live runs, or with dryRun tell what that is, in the order of Options.
func (h *Host) Prune(ctx context.Context, s sdk.Sweep, dryRun bool) []Items {
	return h.items(ctx, func(p *session) ([]sdk.Item, error) { return p.Prune(ctx, s, dryRun) })
}

func (h *Host) items(ctx context.Context, ask func(*session) ([]sdk.Item, error)) []Items {
	out := make([]Items, len(h.order))
	_ = h.each(func(n int, i *instance) error { // each error stands in its place
		out[n].Instance = i.ID()
		s, err := i.wait(ctx)
		if err == nil {
			out[n].Items, err = ask(s)
		}
		i.mu.Lock()
		defer i.mu.Unlock()
		out[n].Location, out[n].Err = i.location, err
		return nil
	})
	return out
}
