// Package oci copies images between registries and archives (an OCI image layout in a tar), byte by byte: whatever platforms, layers and
// other content an image has, the copy has the same digest. Everything is verified by its digest while it is read.
package oci

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash"
	"io"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// Source is where an image is copied from. Its methods are safe for concurrent use.
type Source interface {
	// Root is what the image's name stands for now: its descriptor, and the bytes of its manifest.
	Root(ctx context.Context) (v1.Descriptor, []byte, error)
	// Manifest gives the bytes of a manifest.
	Manifest(ctx context.Context, d v1.Descriptor) ([]byte, error)
	// Blob opens a layer, a configuration or the like.
	Blob(ctx context.Context, d v1.Descriptor) (io.ReadCloser, error)
}

// ErrContent is in the tree of an error about an image whose content is not what its digests say, or that is no image at all.
var ErrContent = errors.New("the image is damaged")

// maxManifest is the most bytes of one manifest, and maxManifests the most manifests of one image.
const (
	maxManifest  = 4 << 20
	maxManifests = 1000
)

// Image is an image of a source: everything that its root leads to.
type Image struct {
	Source
	// Root is the descriptor of the whole.
	Root v1.Descriptor
	// Size is the bytes of all blobs and manifests.
	Size int64

	manifests []manifest // those that others lead to come first, the root last
	blobs     []v1.Descriptor
	seen      map[v1.Hash]bool
}

// manifest is a manifest or an index.
type manifest struct {
	v1.Descriptor
	raw []byte
}

// RawManifest and MediaType make a manifest what registries take.
func (m manifest) RawManifest() ([]byte, error) { return m.raw, nil }

// MediaType is the manifest's.
func (m manifest) MediaType() (types.MediaType, error) { return m.Descriptor.MediaType, nil }

// Find reads all manifests of a source's image.
func Find(ctx context.Context, src Source) (*Image, error) {
	root, raw, err := src.Root(ctx)
	if err != nil {
		return nil, err
	}
	i := &Image{Source: src, Root: root, seen: map[v1.Hash]bool{}}
	return i, i.add(ctx, root, raw)
}

// links are what a manifest or an index leads to.
type links struct {
	SchemaVersion int             `json:"schemaVersion"`
	MediaType     types.MediaType `json:"mediaType"`
	Config        *v1.Descriptor  `json:"config"`
	Layers        []v1.Descriptor `json:"layers"`
	Manifests     []v1.Descriptor `json:"manifests"`
}

func (i *Image) add(ctx context.Context, d v1.Descriptor, raw []byte) error {
	if i.seen[d.Digest] {
		return nil
	}
	i.seen[d.Digest] = true
	var l links
	if err := json.Unmarshal(raw, &l); err != nil {
		return fmt.Errorf("%w: reading the manifest %s: %w", ErrContent, d.Digest, err)
	}
	if l.SchemaVersion != 2 || l.Config == nil && l.Manifests == nil {
		return fmt.Errorf("%w: the manifest %s is neither of an image nor of a list of images (%s)", ErrContent, d.Digest, d.MediaType)
	}
	for _, child := range l.Manifests {
		if len(i.seen) > maxManifests {
			return fmt.Errorf("%w: it has more than %d manifests", ErrContent, maxManifests)
		}
		below, err := i.Manifest(ctx, child)
		if err != nil {
			return err
		}
		if err := i.add(ctx, child, below); err != nil {
			return err
		}
	}
	if l.Config != nil {
		i.addBlob(*l.Config)
	}
	for _, layer := range l.Layers {
		i.addBlob(layer)
	}
	i.manifests = append(i.manifests, manifest{d, raw})
	i.Size += d.Size
	return nil
}

func (i *Image) addBlob(d v1.Descriptor) {
	// What may not be passed on lies where its URLs lead.
	if i.seen[d.Digest] || len(d.URLs) > 0 && !d.MediaType.IsDistributable() {
		return
	}
	i.seen[d.Digest] = true
	i.blobs = append(i.blobs, d)
	i.Size += d.Size
}

// digestOf is the digest of bytes.
func digestOf(b []byte) v1.Hash {
	sum := sha256.Sum256(b)
	return v1.Hash{Algorithm: "sha256", Hex: hex.EncodeToString(sum[:])}
}

// checkManifest checks that bytes are what a descriptor says.
func checkManifest(d v1.Descriptor, raw []byte) error {
	if got := digestOf(raw); got != d.Digest || d.Size != int64(len(raw)) {
		return fmt.Errorf("%w: a manifest of %d bytes that should hash to %s has %d and hashes to %s", ErrContent, d.Size, d.Digest, len(raw), got)
	}
	return nil
}

// verified is a blob that is checked before its end is reported.
type verified struct {
	io.ReadCloser
	want v1.Descriptor
	hash hash.Hash
	n    int64
}

func verify(r io.ReadCloser, want v1.Descriptor) io.ReadCloser {
	return &verified{ReadCloser: r, want: want, hash: sha256.New()}
}

func (v *verified) Read(p []byte) (int, error) {
	n, err := v.ReadCloser.Read(p)
	_, _ = v.hash.Write(p[:n]) // never fails
	v.n += int64(n)
	if v.n > v.want.Size {
		return n, fmt.Errorf("%w: %s has more than its %d bytes", ErrContent, v.want.Digest, v.want.Size)
	}
	if errors.Is(err, io.EOF) {
		sum, _ := hex.DecodeString(v.want.Digest.Hex)
		if v.n != v.want.Size || !bytes.Equal(v.hash.Sum(nil), sum) {
			return n, fmt.Errorf("%w: what should be %s, of %d bytes, has %d and hashes to sha256:%x", ErrContent, v.want.Digest, v.want.Size, v.n, v.hash.Sum(nil))
		}
	}
	return n, err
}
