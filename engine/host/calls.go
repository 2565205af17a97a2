package host

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"

	"github.com/containerpub/cpub/sdk"
)

// Described is what a running instance is.
type Described struct {
	// Instance names it: "podman.local".
	Instance string
	// Info is the provider's description; its steps have no Run.
	Info sdk.Info
	// Location names where the instance's located values exist; empty for none.
	Location string
	// MaxConcurrent is how many steps run at once; 0: without limit.
	MaxConcurrent int
}

// Describe tells what the instances are, in the order of Options.
func (h *Host) Describe(context.Context) []Described {
	var out []Described
	for _, i := range h.order {
		i.mu.Lock()
		out = append(out, Described{Instance: i.ID(), Info: i.info, Location: i.location, MaxConcurrent: i.MaxConcurrent})
		i.mu.Unlock()
	}
	return out
}

// Checked is what an instance says about its surroundings.
type Checked struct {
	Instance string
	Findings []sdk.Finding
	Err      error
}

// Check asks every instance what is wrong with its surroundings, in the order of Options.
func (h *Host) Check(ctx context.Context) []Checked {
	out := make([]Checked, len(h.order))
	_ = h.each(func(n int, i *instance) error { // each error stands in its place
		out[n].Instance = i.ID()
		s, err := i.wait(ctx)
		if err == nil {
			out[n].Findings, err = s.Check(ctx)
		}
		out[n].Err = err
		return nil
	})
	return out
}

// Release implements engine.Runner: every instance learns of the keys, which one of them has.
func (h *Host) Release(ctx context.Context, keys []string) error {
	return h.each(func(_ int, i *instance) error {
		s, err := i.wait(ctx)
		if err != nil {
			return err
		}
		return s.Release(ctx, keys)
	})
}

// Sweep has every instance remove what belongs to none of the live runs, and tells how many things that were.
func (h *Host) Sweep(ctx context.Context, live sdk.Sweep) (int, error) {
	removed := make([]int, len(h.order))
	err := h.each(func(n int, i *instance) error {
		s, err := i.wait(ctx)
		if err == nil {
			removed[n], err = s.Sweep(ctx, live)
		}
		return err
	})
	total := 0
	for _, n := range removed {
		total += n
	}
	return total, err
}

// each calls f for all instances at once and joins the errors, in the order of Options.
func (h *Host) each(f func(n int, i *instance) error) error {
	errs := make([]error, len(h.order))
	var all sync.WaitGroup
	for n, i := range h.order {
		all.Go(func() {
			if err := f(n, i); err != nil {
				errs[n] = fmt.Errorf("provider instance %s: %w", i.ID(), err)
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// Describe starts the provider at path, asks what it is, and stops it. It needs no configuration; stateDir is a folder for a
// moment's copy of the binary.
func Describe(ctx context.Context, path, stateDir string) (info sdk.Info, err error) {
	r, err := newRooms(stateDir)
	if err != nil {
		return sdk.Info{}, err
	}
	defer func() { err = errors.Join(err, r.close()) }()
	binary, err := r.copyBinary(path, "")
	if err != nil {
		return sdk.Info{}, err
	}
	t := times{}.withDefaults()
	spawner := newSpawner()
	defer spawner.close()
	s, err := launch(ctx, launchOptions{
		binary: binary, log: slog.New(slog.DiscardHandler), spawner: spawner, sockets: r.sockets.Dir(), times: t,
	})
	if err != nil {
		return sdk.Info{}, fmt.Errorf("describing provider %s: %w", path, err)
	}
	defer s.end()
	ctx, cancel := context.WithTimeout(ctx, t.start)
	defer cancel()
	info, err = s.Describe(ctx)
	if err != nil {
		return sdk.Info{}, fmt.Errorf("describing provider %s: %w", path, err)
	}
	return info, nil
}
