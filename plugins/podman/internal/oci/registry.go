package oci

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"sync/atomic"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/types"
	"golang.org/x/sync/errgroup"
)

// Registry is one image of a registry, there already or to be there. Failed requests that may pass are tried again a few times.
type Registry struct {
	ref    name.Reference
	puller *remote.Puller
	pusher *remote.Pusher
}

// NewRegistry is the image of that name, asked for with these options.
func NewRegistry(ref name.Reference, options []remote.Option) (*Registry, error) {
	puller, err := remote.NewPuller(options...)
	if err != nil {
		return nil, fmt.Errorf("preparing to read from %s: %w", ref.Context().RegistryStr(), err)
	}
	pusher, err := remote.NewPusher(options...)
	if err != nil {
		return nil, fmt.Errorf("preparing to write to %s: %w", ref.Context().RegistryStr(), err)
	}
	return &Registry{ref: ref, puller: puller, pusher: pusher}, nil
}

// SourceError is a failure to read from a source, as opposed to one of where it is copied to.
type SourceError struct{ Err error }

func (e *SourceError) Error() string { return e.Err.Error() }

// Unwrap is the failure.
func (e *SourceError) Unwrap() error { return e.Err }

// Root asks for the image.
func (r *Registry) Root(ctx context.Context) (v1.Descriptor, []byte, error) {
	got, err := r.puller.Get(ctx, r.ref)
	if err != nil {
		return v1.Descriptor{}, nil, &SourceError{fmt.Errorf("looking for %s: %w", r.ref, err)}
	}
	if err := checkManifest(got.Descriptor, got.Manifest); err != nil {
		return v1.Descriptor{}, nil, &SourceError{fmt.Errorf("%s: %w", r.ref, err)}
	}
	return got.Descriptor, got.Manifest, nil
}

// Manifest asks for a manifest.
func (r *Registry) Manifest(ctx context.Context, d v1.Descriptor) ([]byte, error) {
	got, err := r.puller.Get(ctx, r.ref.Context().Digest(d.Digest.String()))
	if err == nil {
		err = checkManifest(d, got.Manifest)
	}
	if err != nil {
		return nil, &SourceError{fmt.Errorf("reading the manifest %s of %s: %w", d.Digest, r.ref, err)}
	}
	return got.Manifest, nil
}

// Blob asks for a blob.
func (r *Registry) Blob(ctx context.Context, d v1.Descriptor) (io.ReadCloser, error) {
	layer, err := r.puller.Layer(ctx, r.ref.Context().Digest(d.Digest.String()))
	var body io.ReadCloser
	if err == nil {
		body, err = layer.Compressed()
	}
	if err != nil {
		return nil, &SourceError{fmt.Errorf("reading the blob %s of %s: %w", d.Digest, r.ref, err)}
	}
	return verify(body, d), nil
}

// Digest is what the registry has under the name, or the zero Hash.
func (r *Registry) Digest(ctx context.Context) (v1.Hash, error) {
	got, err := r.puller.Head(ctx, r.ref)
	var terr *transport.Error
	if errors.As(err, &terr) && terr.StatusCode == http.StatusNotFound {
		return v1.Hash{}, nil
	}
	if err != nil {
		return v1.Hash{}, fmt.Errorf("looking for %s: %w", r.ref, err)
	}
	return got.Digest, nil
}

// parallel is how many blobs are written at once.
const parallel = 4

// Write copies an image there, what the registry lacks of it: blobs first, what leads to them afterwards, and the name last. Then it checks
// that the registry gives the image back. done gets the bytes as they are written, or found to be there.
func (r *Registry) Write(ctx context.Context, i *Image, done func(n int64)) error {
	group, each := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for _, d := range i.blobs {
		group.Go(func() error { return r.writeBlob(each, i, d, done) })
	}
	if err := group.Wait(); err != nil {
		return err
	}
	for _, m := range i.manifests {
		var ref name.Reference = r.ref.Context().Digest(m.Digest.String())
		if m.Digest == i.Root.Digest {
			ref = r.ref
		}
		if err := r.pusher.Push(ctx, ref, m); err != nil {
			return fmt.Errorf("writing %s: %w", ref, err)
		}
		done(m.Size)
	}
	got, err := r.puller.Get(ctx, r.ref.Context().Digest(i.Root.Digest.String()))
	if err != nil {
		return fmt.Errorf("checking what %s has after the copy: %w", r.ref, err)
	}
	if err := checkManifest(i.Root, got.Manifest); err != nil {
		return fmt.Errorf("checking what %s has after the copy: %w", r.ref, err)
	}
	return nil
}

func (r *Registry) writeBlob(ctx context.Context, i *Image, d v1.Descriptor, done func(n int64)) error {
	l := &layer{ctx: ctx, src: i.Source, d: d, done: done}
	var upload v1.Layer = l
	// A registry can take a blob over from another of its repositories by itself.
	if from, ok := i.Source.(*Registry); ok && from.ref.Context().RegistryStr() == r.ref.Context().RegistryStr() {
		upload = &remote.MountableLayer{Layer: l, Reference: from.ref}
	}
	if err := r.pusher.Upload(ctx, r.ref.Context(), upload); err != nil {
		return fmt.Errorf("writing the blob %s to %s: %w", d.Digest, r.ref, err)
	}
	done(d.Size - l.read.Load())
	return nil
}

// layer is a blob as the registry's client wants it.
type layer struct {
	ctx  context.Context //nolint:containedctx // the interface has none
	src  Source
	d    v1.Descriptor
	done func(n int64)
	read atomic.Int64
}

func (l *layer) Digest() (v1.Hash, error)             { return l.d.Digest, nil }
func (l *layer) DiffID() (v1.Hash, error)             { return l.d.Digest, nil }
func (l *layer) Size() (int64, error)                 { return l.d.Size, nil }
func (l *layer) MediaType() (types.MediaType, error)  { return l.d.MediaType, nil }
func (l *layer) Uncompressed() (io.ReadCloser, error) { return l.Compressed() }
func (l *layer) Compressed() (io.ReadCloser, error) {
	body, err := l.src.Blob(l.ctx, l.d)
	if err != nil {
		return nil, err
	}
	l.done(-l.read.Swap(0)) // another try begins at the beginning
	return &counted{ReadCloser: body, done: func(n int64) {
		l.read.Add(n)
		l.done(n)
	}}, nil
}
