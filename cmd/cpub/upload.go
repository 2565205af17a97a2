package main

import (
	"context"

	"github.com/containerpub/cpub/engine/config"
	"github.com/containerpub/cpub/workflows/client"
)

// upload puts what the module names with artifact() into the store.
func upload(ctx context.Context, c *stdio, cl *client.Client, m *module) error {
	uploads, err := m.Uploads()
	if err != nil {
		return err
	}
	return cl.Upload(ctx, uploads, func(u config.Upload) {
		c.note("uploading %s (%d bytes)", u.Path, u.Artifact.Size)
	})
}
