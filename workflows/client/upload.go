package client

import (
	"context"
	"fmt"
	"io"
	"os"

	"github.com/containerpub/cpub/engine/config"
	"github.com/containerpub/cpub/sdk"
)

// Uploads is where Upload puts artifacts. *artifact.Store is one.
type Uploads interface {
	Has(ctx context.Context, digest string) (bool, error)
	Put(ctx context.Context, r io.Reader, name, mediaType string) (sdk.Artifact, error)
	PutDir(ctx context.Context, dir *os.Root, name string) (sdk.Artifact, error)
}

// Upload puts what plans name with artifact() into the store, unless the store has it. each, which may be nil, is called before each that is
// sent. What changed since the plan was made is an error.
func (c *Client) Upload(ctx context.Context, uploads []config.Upload, each func(config.Upload)) error {
	if len(uploads) == 0 {
		return nil
	}
	if c.store == nil {
		return errNoStore
	}
	for _, u := range uploads {
		has, err := c.store.Has(ctx, u.Artifact.Digest)
		if err != nil {
			return storeError(err, "looking for an artifact")
		}
		if has {
			continue
		}
		if each != nil {
			each(u)
		}
		if err := c.upload(ctx, u); err != nil {
			return err
		}
	}
	return nil
}

func (c *Client) upload(ctx context.Context, u config.Upload) error {
	root, name, err := config.OpenUpload(u)
	if err != nil {
		return err
	}
	defer root.Close()
	var a sdk.Artifact
	if name == "" {
		a, err = c.store.PutDir(ctx, root, u.Artifact.Name)
	} else {
		f, openErr := root.Open(name)
		if openErr != nil {
			return fmt.Errorf("opening %s: %w", u.Path, openErr)
		}
		defer f.Close()
		a, err = c.store.Put(ctx, f, u.Artifact.Name, u.Artifact.MediaType)
	}
	if err != nil {
		return storeError(err, "uploading "+u.Path)
	}
	if a.Digest != u.Artifact.Digest {
		return fmt.Errorf("%s changed since the plan was made: run the command again", u.Path)
	}
	return nil
}
