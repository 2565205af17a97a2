package image

import (
	"context"
	"fmt"
	"slices"

	"github.com/containers/podman/v5/pkg/bindings/images"
	"github.com/containers/podman/v5/pkg/bindings/system"
	"github.com/containers/podman/v5/pkg/domain/entities/types"

	"github.com/containerpub/cpub/plugins/podman/internal/client"
	"github.com/containerpub/cpub/sdk"
)

// The states of images: kept by our names alone, or by others too.
const (
	stateKept  = "kept for a run"
	stateNamed = "named"
)

// Items tells of the images that are kept for runs, each one once. With sizes, what several images of the store share is an item of its own.
func (s *Store) Items(ctx context.Context, sizes bool) ([]sdk.Item, error) {
	return s.items(ctx, sizes, func(kept) bool { return true })
}

// Prune is Sweep, and tells which images are kept no more. With dryRun all names stay.
func (s *Store) Prune(ctx context.Context, sweep sdk.Sweep, dryRun bool) ([]sdk.Item, error) {
	unwanted := unwantedBy(sweep)
	items, err := s.items(ctx, true, unwanted)
	if err != nil {
		return nil, err
	}
	items = slices.DeleteFunc(items, func(i sdk.Item) bool { return i.Kind == sdk.ItemLayers })
	for n := range items {
		if items[n].State == stateNamed { // it stays
			items[n].Bytes, items[n].Shared = 0, 0
		}
	}
	if dryRun || len(items) == 0 {
		return items, nil
	}
	_, err = s.drop(ctx, unwanted)
	return items, err
}

// items tells of the images of which wanted tells one name at least. An image that another name keeps too takes nothing by ours.
func (s *Store) items(ctx context.Context, sizes bool, wanted func(kept) bool) ([]sdk.Item, error) {
	call, cancel := s.Client.Context(ctx)
	defer cancel()
	all, err := images.List(call, new(images.ListOptions))
	if err != nil {
		return nil, fmt.Errorf("listing images: %w", err)
	}
	var items []sdk.Item
	for _, i := range all {
		if item, ok := itemOf(i, wanted); ok {
			items = append(items, item)
		}
	}
	if !sizes || len(items) == 0 {
		return items, nil
	}
	return s.measure(ctx, items)
}

func itemOf(i *types.ImageSummary, wanted func(kept) bool) (sdk.Item, bool) {
	item := sdk.Item{Kind: sdk.ItemImage, ID: trimAlgorithm(i.ID), Bytes: sdk.Unknown, Shared: sdk.Unknown}
	ours := 0
	for _, name := range i.RepoTags {
		k, ok := parseKept(name)
		switch {
		case !ok:
			item.Name = name
		case wanted(k):
			ours++
			item.Key, item.Created = k.key, k.since
		}
	}
	if ours == 0 {
		return item, false
	}
	if ours == len(i.RepoTags) {
		item.State = stateKept
	} else {
		item.State = stateNamed
	}
	return item, true
}

// measure adds sizes. Podman tells what of an image others share, but not what all of those are together.
func (s *Store) measure(ctx context.Context, items []sdk.Item) ([]sdk.Item, error) {
	call, cancel := s.Client.Context(ctx)
	defer cancel()
	usage, err := system.DiskUsage(call, nil)
	if err != nil {
		return items, fmt.Errorf("asking Podman what its images take: %w", err)
	}
	reports := map[string]*types.SystemDfImageReport{}
	for _, r := range usage.Images {
		reports[trimAlgorithm(r.ImageID)] = r
	}
	layers := map[string]int64{}
	for n := range items {
		r := reports[items[n].ID]
		if r == nil {
			continue // it went
		}
		items[n].Bytes, items[n].Shared = r.UniqueSize, r.SharedSize
		if r.SharedSize > 0 {
			if err := s.layersOf(ctx, items[n], layers); err != nil {
				return items, err
			}
		}
	}
	return append(items, shared(items, layers)...), nil
}

// layersOf notes how large each layer of an image is. Where Podman's history does not show that, the image's shared part stands for its layers.
func (s *Store) layersOf(ctx context.Context, item sdk.Item, layers map[string]int64) error {
	call, cancel := s.Client.Context(ctx)
	defer cancel()
	image, err := images.GetImage(call, item.ID, nil)
	if client.NotFound(err) {
		return nil
	}
	if err != nil || image.RootFS == nil {
		return fmt.Errorf("looking at the layers of image %s: %w", item.ID, err)
	}
	history, err := images.History(call, item.ID, nil)
	if client.NotFound(err) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("looking at the layers of image %s: %w", item.ID, err)
	}
	var sizes []int64 // the newest first
	for _, h := range history {
		if h.Size > 0 {
			sizes = append(sizes, h.Size)
		}
	}
	if len(sizes) != len(image.RootFS.Layers) {
		layers[item.ID] = item.Shared
		return nil
	}
	slices.Reverse(sizes)
	for n, layer := range image.RootFS.Layers {
		layers[layer.String()] = sizes[n]
	}
	return nil
}

// shared is what the images share with each other or with others of the store: their layers without what each has alone.
func shared(items []sdk.Item, layers map[string]int64) []sdk.Item {
	var total int64
	for _, size := range layers {
		total += size
	}
	for _, i := range items {
		if i.Shared > 0 {
			total -= i.Bytes
		}
	}
	if total <= 0 {
		return nil
	}
	return []sdk.Item{{Kind: sdk.ItemLayers, Name: "shared by images", Bytes: total, Shared: 0}}
}
