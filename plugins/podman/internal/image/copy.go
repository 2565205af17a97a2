package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"go.podman.io/image/v5/docker/reference"

	"github.com/containerpub/cpub/plugins/podman/internal/client"
	"github.com/containerpub/cpub/plugins/podman/internal/oci"
	"github.com/containerpub/cpub/sdk"
)

// CopyInput is contract.ImageCopy's input.
type CopyInput struct {
	Source      string        `json:"source"`
	Image       *sdk.Located  `json:"image"`
	Archive     *sdk.Artifact `json:"archive"`
	Destination string        `json:"destination"`
}

// CopyOutput is contract.ImageCopy's output.
type CopyOutput struct {
	Reference string        `json:"reference,omitempty"`
	Digest    string        `json:"digest"`
	Size      int64         `json:"size"`
	Archive   *sdk.Artifact `json:"archive,omitempty"`
	Cached    bool          `json:"cached"`
}

// Copy carries out image_copy. A repeated attempt copies what is not there yet.
func (s *Store) Copy(ctx context.Context, req *sdk.Request) (any, error) {
	var in CopyInput
	if err := req.Decode(&in); err != nil {
		return nil, err
	}
	given := 0
	for _, set := range []bool{in.Source != "", in.Image != nil, in.Archive != nil} {
		if set {
			given++
		}
	}
	switch {
	case given != 1:
		return nil, sdk.Invalidf("source", "name one of source, image and archive: %d are given", given)
	case in.Archive != nil && in.Destination == "":
		return nil, sdk.Invalidf("destination", "an archive is copied to a registry: name the destination")
	}
	c := copying{Store: s, req: req, in: in}
	out, err := c.do(ctx)
	if err != nil && ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return out, err
}

// copying is one image_copy under way.
type copying struct {
	*Store
	req *sdk.Request
	in  CopyInput

	mu    sync.Mutex
	done  int64
	total int64
	shown time.Time
}

func (c *copying) do(ctx context.Context) (any, error) {
	to, host, err := c.destination()
	if err != nil {
		return nil, err
	}
	if to != nil && c.in.Image != nil {
		return c.push(ctx)
	}
	src, from, closing, err := c.source(ctx)
	if err != nil {
		return nil, err
	}
	defer closing()
	img, err := oci.Find(ctx, src)
	if err != nil {
		return nil, c.failed(err, from, host)
	}
	c.total = img.Size
	if to == nil {
		return c.archive(ctx, img, from)
	}
	return c.registry(ctx, img, to, from, host)
}

// destination is where an image of a registry is copied to; nil without one.
func (c *copying) destination() (*oci.Registry, string, error) {
	if c.in.Destination == "" {
		return nil, "", nil
	}
	named, err := Parse("destination", c.in.Destination)
	if err != nil {
		return nil, "", err
	}
	if _, ok := named.(reference.Digested); ok {
		return nil, "", sdk.Invalidf("destination", "%q has a digest; write the tag to copy to", c.in.Destination)
	}
	reg, err := c.open(reference.TagNameOnly(named))
	return reg, reference.Domain(named), err
}

// open is an image of a registry that worker.hcl may know.
func (c *copying) open(named reference.Named) (*oci.Registry, error) {
	registry := c.Registries.Of(reference.Domain(named))
	ref, err := parseRemote(named.String(), registry)
	if err != nil {
		return nil, err
	}
	options, err := remoteOptions(registry)
	if err != nil {
		return nil, err
	}
	return oci.NewRegistry(ref, options)
}

// source opens what is copied; from is the host of its registry.
func (c *copying) source(ctx context.Context) (src oci.Source, from string, closing func(), err error) {
	path := ""
	switch {
	case c.in.Source != "":
		named, err := Parse("source", c.in.Source)
		if err != nil {
			return nil, "", nil, err
		}
		if !sdk.MatchReference(c.req.Rules.PullFrom, c.in.Source) {
			return nil, "", nil, Denied("registries.pull", c.in.Source, c.req.Rules.Source)
		}
		reg, err := c.open(reference.TagNameOnly(named))
		return reg, reference.Domain(named), func() {}, err
	case c.in.Image != nil:
		if path, err = c.export(ctx); err != nil {
			return nil, "", nil, err
		}
	default:
		if path, err = c.req.Path(c.in.Archive); err != nil {
			return nil, "", nil, err
		}
	}
	archive, err := oci.OpenArchive(path)
	if errors.Is(err, oci.ErrContent) {
		return nil, "", nil, sdk.Permanent(err)
	}
	if err != nil {
		return nil, "", nil, err
	}
	return archive, "", func() { _ = archive.Close() }, nil
}

// export has Podman write an image of its store as an archive.
func (c *copying) export(ctx context.Context) (path string, err error) {
	id, err := c.Local(ctx, "image", *c.in.Image)
	if err != nil {
		return "", err
	}
	call, cancel := c.Client.Context(ctx)
	defer cancel()
	c.req.Progress(sdk.Progress{Message: "exporting " + id})
	resp, err := c.Client.Do(call, client.Call{
		Method: http.MethodGet, Endpoint: "/images/%s/get", Path: []string{id}, Query: url.Values{"format": {"oci-archive"}},
	})
	if err != nil {
		return "", fmt.Errorf("exporting the image %s: %w", id, err)
	}
	defer func() { _ = resp.Body.Close() }()
	path = filepath.Join(c.req.Scratch, "export.tar")
	f, err := os.Create(path)
	if err != nil {
		return "", err
	}
	_, err = io.Copy(f, resp.Body)
	if err = errors.Join(err, f.Close()); err != nil {
		return "", fmt.Errorf("exporting the image %s: %w", id, err)
	}
	return path, nil
}

// push copies an image of the store to a registry.
func (c *copying) push(ctx context.Context) (any, error) {
	out, err := c.pushTo(ctx, c.req, PushInput{Image: *c.in.Image, Destination: c.in.Destination})
	if err != nil {
		return nil, err
	}
	got, err := c.Inspect(ctx, c.in.Image.ID)
	return CopyOutput{Reference: out.Reference, Digest: out.Digest, Size: got.Size, Cached: out.Cached}, err
}

func (c *copying) archive(ctx context.Context, img *oci.Image, from string) (any, error) {
	path := filepath.Join(c.req.Scratch, "image.tar")
	f, err := os.Create(path)
	if err != nil {
		return nil, err
	}
	name := c.in.Source
	if strings.Contains(name, "@") {
		name = ""
	}
	err = img.WriteArchive(ctx, f, name, c.progress)
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, c.failed(err, from, "")
	}
	c.req.Logf("wrote %s as an archive", img.Root.Digest)
	return CopyOutput{Digest: img.Root.Digest.String(), Size: img.Size, Archive: sdk.File(path, "image.tar", "application/x-tar")}, nil
}

func (c *copying) registry(ctx context.Context, img *oci.Image, to *oci.Registry, from, host string) (any, error) {
	there, err := to.Digest(ctx)
	if err != nil {
		return nil, c.failed(err, "", host)
	}
	named, err := name.ParseReference(c.in.Destination)
	if err != nil {
		return nil, sdk.Invalidf("destination", "%w", err)
	}
	digest := img.Root.Digest.String()
	out := CopyOutput{Reference: named.Context().Name() + "@" + digest, Digest: digest, Size: img.Size, Cached: there == img.Root.Digest}
	if out.Cached {
		c.req.Logf("%s has %s already", c.in.Destination, digest)
		return out, nil
	}
	if err := to.Write(ctx, img, c.progress); err != nil {
		return nil, c.failed(err, from, host)
	}
	c.req.Logf("copied %s to %s", digest, c.in.Destination)
	return out, nil
}

// progress counts bytes, and tells them now and then.
func (c *copying) progress(n int64) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.done += n
	if time.Since(c.shown) < 200*time.Millisecond && c.done < c.total {
		return
	}
	c.shown = time.Now()
	c.req.Progress(sdk.Progress{Message: "copying", Done: c.done, Total: c.total, Unit: "bytes"})
}

// failed says what a failure means: of the registry that is read from, or of the one that is written to.
func (c *copying) failed(err error, from, to string) error {
	if errors.Is(err, oci.ErrContent) {
		return &sdk.Error{Kind: sdk.KindPermanent, Code: "digest", Err: err}
	}
	host := to
	if source := (*oci.SourceError)(nil); errors.As(err, &source) {
		host = from
	}
	return classify(err, host)
}
