// Package image pulls, pushes and keeps the images of one Podman store.
package image

import (
	"context"
	"fmt"
	"time"

	"github.com/containers/podman/v5/pkg/bindings/images"
	"github.com/containers/podman/v5/pkg/domain/entities/types"

	"github.com/containerpub/cpub/plugins/podman/internal/client"
	"github.com/containerpub/cpub/sdk"
)

// outage is how long a call waits for a Podman service that does not answer.
const outage = 30 * time.Second

// Store is the image store of one Podman service, and the registries that it exchanges images with. It is safe for
// concurrent use.
type Store struct {
	Client     *client.Client
	Registries Registries
	// Location names the store in located values.
	Location string

	pruning one
}

// Image is one image of the store.
type Image struct {
	ID     string // hex, without the algorithm
	Digest string // of its manifest: sha256:<hex>
	Size   int64
}

// Located is the image as a value between steps.
func (s *Store) Located(id string) sdk.Located { return sdk.Located{ID: id, Location: s.Location} }

// Local gives the id of a located image, which must be in this store. attr is the attribute that names it.
func (s *Store) Local(ctx context.Context, attr string, l sdk.Located) (string, error) {
	if l.Location != s.Location {
		return "", sdk.Permanentf("%s: the image is in the store %s, and this provider instance serves the store %s", attr, l.Location, s.Location)
	}
	// Not an inspect, which walks through all layers of the store.
	var there bool
	err := client.Retry(ctx, outage, func() (err error) {
		call, cancel := s.Client.Context(ctx)
		defer cancel()
		there, err = images.Exists(call, l.ID, nil)
		return err
	})
	if err != nil {
		return "", fmt.Errorf("looking for the image %s: %w", l.ID, err)
	}
	if !there {
		return "", sdk.Permanentf("%s: the image %s is no longer in the store (was it removed by hand?)", attr, l.ID)
	}
	return trimAlgorithm(l.ID), nil
}

// Inspect finds an image by its id or name; see client.NotFound.
func (s *Store) Inspect(ctx context.Context, nameOrID string) (Image, error) {
	got, err := s.inspect(ctx, nameOrID)
	if err != nil {
		return Image{}, err
	}
	return Image{ID: trimAlgorithm(got.ID), Digest: got.Digest.String(), Size: got.Size}, nil
}

func (s *Store) inspect(ctx context.Context, nameOrID string) (*types.ImageInspectReport, error) {
	var got *types.ImageInspectReport
	err := client.Retry(ctx, outage, func() (err error) {
		call, cancel := s.Client.Context(ctx)
		defer cancel()
		got, err = images.GetImage(call, nameOrID, nil)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("looking for the image %s: %w", nameOrID, err)
	}
	return got, nil
}

func trimAlgorithm(id string) string {
	const algorithm = "sha256:"
	if len(id) > len(algorithm) && id[:len(algorithm)] == algorithm {
		return id[len(algorithm):]
	}
	return id
}
