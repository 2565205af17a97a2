package oci

import (
	"archive/tar"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// The files of an image layout.
const (
	layoutFile = "oci-layout"
	layoutText = `{"imageLayoutVersion":"1.0.0"}`
	indexFile  = "index.json"
	blobPrefix = "blobs/sha256/"
	// refName is the annotation that names an image of a layout.
	refName = "org.opencontainers.image.ref.name"
)

// layoutIndex is index.json.
type layoutIndex struct {
	SchemaVersion int             `json:"schemaVersion"`
	MediaType     types.MediaType `json:"mediaType,omitempty"`
	Manifests     []v1.Descriptor `json:"manifests"`
}

// WriteArchive writes the image as an archive. The same image under the same name gives the same bytes. name may be empty; done gets the
// bytes as they are written.
func (i *Image) WriteArchive(ctx context.Context, w io.Writer, name string, done func(n int64)) error {
	root := v1.Descriptor{MediaType: i.Root.MediaType, Size: i.Root.Size, Digest: i.Root.Digest}
	if name != "" {
		root.Annotations = map[string]string{refName: name}
	}
	index, err := json.Marshal(layoutIndex{SchemaVersion: 2, MediaType: types.OCIImageIndex, Manifests: []v1.Descriptor{root}})
	if err != nil {
		return fmt.Errorf("writing %s: %w", indexFile, err)
	}
	a := archiveWriter{tw: tar.NewWriter(w), done: done}
	a.text(layoutFile, []byte(layoutText))
	a.text(indexFile, index)
	a.folder("blobs/")
	a.folder(blobPrefix)
	raw := map[v1.Hash][]byte{}
	all := slices.Clone(i.blobs)
	for _, m := range i.manifests {
		raw[m.Digest] = m.raw
		all = append(all, m.Descriptor)
	}
	slices.SortFunc(all, func(x, y v1.Descriptor) int { return strings.Compare(x.Digest.Hex, y.Digest.Hex) })
	for _, d := range all {
		if text, ok := raw[d.Digest]; ok {
			a.text(blobPrefix+d.Digest.Hex, text)
			a.count(d.Size)
			continue
		}
		a.blob(ctx, i.Source, d)
	}
	if a.err != nil {
		return a.err
	}
	return a.tw.Close()
}

// archiveWriter writes entries until one fails.
type archiveWriter struct {
	tw   *tar.Writer
	done func(n int64)
	err  error
}

func (a *archiveWriter) header(h tar.Header) bool {
	if a.err == nil {
		h.ModTime = time.Unix(0, 0)
		a.err = a.tw.WriteHeader(&h)
	}
	return a.err == nil
}

func (a *archiveWriter) folder(name string) {
	a.header(tar.Header{Typeflag: tar.TypeDir, Name: name, Mode: 0o755})
}

func (a *archiveWriter) text(name string, text []byte) {
	if a.header(tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: 0o644, Size: int64(len(text))}) {
		_, a.err = a.tw.Write(text)
	}
}

func (a *archiveWriter) blob(ctx context.Context, src Source, d v1.Descriptor) {
	if !a.header(tar.Header{Typeflag: tar.TypeReg, Name: blobPrefix + d.Digest.Hex, Mode: 0o644, Size: d.Size}) {
		return
	}
	r, err := src.Blob(ctx, d)
	if err != nil {
		a.err = err
		return
	}
	_, err = io.Copy(a.tw, &counted{ReadCloser: r, done: a.count})
	a.err = errors.Join(err, r.Close())
}

func (a *archiveWriter) count(n int64) {
	if a.done != nil {
		a.done(n)
	}
}

// counted tells how many bytes were read.
type counted struct {
	io.ReadCloser
	done func(n int64)
}

func (c *counted) Read(p []byte) (int, error) {
	n, err := c.ReadCloser.Read(p)
	c.done(int64(n))
	return n, err
}

// Archive is an archive that is read from. Close it.
type Archive struct {
	file  *os.File
	blobs map[string]section // by the hex of their digests
	index layoutIndex
}

type section struct{ offset, size int64 }

// maxEntries is the most files that an archive has.
const maxEntries = 100_000

// OpenArchive finds what is in an archive, without reading its blobs.
func OpenArchive(path string) (*Archive, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	a := &Archive{file: f, blobs: map[string]section{}}
	if err := a.scan(); err != nil {
		return nil, errors.Join(fmt.Errorf("reading the archive: %w", err), f.Close())
	}
	return a, nil
}

func (a *Archive) scan() error {
	for tr, n := tar.NewReader(a.file), 0; ; n++ {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("%w: it is no tar: %w", ErrContent, err)
		}
		if n > maxEntries {
			return fmt.Errorf("%w: it has more than %d entries", ErrContent, maxEntries)
		}
		name := strings.TrimPrefix(h.Name, "./")
		hex, blob := strings.CutPrefix(name, blobPrefix)
		switch {
		case h.Typeflag != tar.TypeReg:
		case name == indexFile:
			text, err := io.ReadAll(io.LimitReader(tr, maxManifest))
			if err != nil {
				return err
			}
			if err := json.Unmarshal(text, &a.index); err != nil {
				return fmt.Errorf("%w: reading %s: %w", ErrContent, indexFile, err)
			}
		case blob:
			at, err := a.file.Seek(0, io.SeekCurrent) // a tar is read in whole blocks, so that this is where the content begins
			if err != nil {
				return err
			}
			a.blobs[hex] = section{at, h.Size}
		}
	}
	if len(a.index.Manifests) != 1 {
		return fmt.Errorf("%w: it is no OCI archive of one image: its %s names %d", ErrContent, indexFile, len(a.index.Manifests))
	}
	return nil
}

// Close closes the file.
func (a *Archive) Close() error { return a.file.Close() }

// Root is the archive's only image.
func (a *Archive) Root(ctx context.Context) (v1.Descriptor, []byte, error) {
	d := a.index.Manifests[0]
	raw, err := a.Manifest(ctx, d)
	return d, raw, err
}

// Manifest reads a manifest.
func (a *Archive) Manifest(ctx context.Context, d v1.Descriptor) ([]byte, error) {
	if d.Size > maxManifest {
		return nil, fmt.Errorf("%w: the manifest %s has more than %d bytes", ErrContent, d.Digest, maxManifest)
	}
	r, err := a.Blob(ctx, d)
	if err != nil {
		return nil, err
	}
	defer func() { _ = r.Close() }()
	return io.ReadAll(r)
}

// Blob reads a blob.
func (a *Archive) Blob(_ context.Context, d v1.Descriptor) (io.ReadCloser, error) {
	s, ok := a.blobs[d.Digest.Hex]
	if !ok || d.Digest.Algorithm != "sha256" {
		return nil, fmt.Errorf("%w: the archive has no blob %s", ErrContent, d.Digest)
	}
	return verify(io.NopCloser(io.NewSectionReader(a.file, s.offset, s.size)), d), nil
}
