// Package identity names a Podman store, so that what exists in it alone can be told from what is in another.
package identity

import (
	"context"
	"crypto/rand"
	"fmt"
	"strings"

	"github.com/containers/podman/v5/pkg/bindings/volumes"
	"github.com/containers/podman/v5/pkg/domain/entities/types"

	"github.com/containerpub/cpub/plugins/podman/internal/client"
)

// Volume is the volume whose label holds the store's name: it lives and dies with the store, and every worker that reaches
// the store reads the same.
const Volume = "cpub-identity"

// Label is the label.
const Label = "io.cpub.location"

// Of reads the store's name, a random id, giving it one the first time.
func Of(ctx context.Context, c *client.Client) (string, error) {
	call, cancel := c.Context(ctx)
	defer cancel()
	v, err := volumes.Inspect(call, Volume, nil)
	if client.NotFound(err) {
		opts := types.VolumeCreateOptions{Name: Volume, Label: map[string]string{Label: strings.ToLower(rand.Text())}}
		// Another worker may be first: what is there then counts.
		_, cerr := volumes.Create(call, opts, nil)
		if v, err = volumes.Inspect(call, Volume, nil); err != nil && cerr != nil {
			return "", fmt.Errorf("naming the Podman store: %w", cerr)
		}
	}
	if err != nil {
		return "", fmt.Errorf("reading the name of the Podman store: %w", err)
	}
	name := v.Labels[Label]
	if name == "" {
		return "", fmt.Errorf("the volume %s has no label %s: it is not ours; remove it (`podman volume rm %s`) if nothing needs it", Volume, Label, Volume)
	}
	return name, nil
}
