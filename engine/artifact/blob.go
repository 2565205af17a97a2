package artifact

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"gocloud.dev/blob"

	"github.com/containerpub/cpub/sdk"
)

// blobKey is where the bytes of a digest lie: in 256 folders, for file stores.
func blobKey(hexa string) string { return "blobs/sha256/" + hexa[:2] + "/" + hexa }

// Has tells whether the store has these bytes.
func (s *Store) Has(ctx context.Context, digest string) (bool, error) {
	hexa, err := parseDigest(digest)
	if err != nil {
		return false, err
	}
	ok, err := s.bucket.Exists(ctx, blobKey(hexa))
	if err != nil {
		return false, fmt.Errorf("looking for %s in the store: %w", digest, err)
	}
	return ok, nil
}

// Reader gives the bytes of a digest. Its end is reported only when they have the digest; otherwise Read's error wraps ErrCorrupt.
// The error wraps ErrNotFound where the store does not have them.
func (s *Store) Reader(ctx context.Context, digest string) (io.ReadCloser, error) {
	hexa, err := parseDigest(digest)
	if err != nil {
		return nil, err
	}
	r, err := s.bucket.NewReader(ctx, blobKey(hexa), nil)
	if err != nil {
		return nil, notFound("reading artifact "+digest, err)
	}
	return &verified{r: r, meter: newMeter(), digest: digest}, nil
}

// Put stores what r gives, as a file artifact. It passes through a temporary file, since its name is known at its end.
func (s *Store) Put(ctx context.Context, r io.Reader, name, mediaType string) (sdk.Artifact, error) {
	f, err := os.CreateTemp("", "cpub-put-")
	if err != nil {
		return sdk.Artifact{}, fmt.Errorf("storing %s: %w", name, err)
	}
	defer os.Remove(f.Name())
	defer f.Close()
	m := newMeter()
	if _, err := io.Copy(io.MultiWriter(f, m), readerWithContext{ctx, r}); err != nil {
		return sdk.Artifact{}, fmt.Errorf("storing %s: %w", name, err)
	}
	if mediaType == "" {
		mediaType = sdk.MediaTypeBytes
	}
	a := sdk.Artifact{Digest: m.digest(), Size: m.n, MediaType: mediaType, Name: name}
	return a, s.put(ctx, a.Digest, func(w io.Writer) error {
		if _, err := f.Seek(0, io.SeekStart); err != nil {
			return err
		}
		_, err := io.Copy(w, f)
		return err
	})
}

// PutDir stores a folder as a directory artifact: its canonical tar (sdk.WriteTar).
func (s *Store) PutDir(ctx context.Context, dir *os.Root, name string) (sdk.Artifact, error) {
	m := newMeter()
	if err := sdk.WriteTar(writerWithContext{ctx, m}, dir); err != nil {
		return sdk.Artifact{}, err
	}
	a := sdk.Artifact{Digest: m.digest(), Size: m.n, MediaType: sdk.MediaTypeDirectory, Name: name}
	return a, s.put(ctx, a.Digest, func(w io.Writer) error { return sdk.WriteTar(w, dir) })
}

// put stores what write writes, unless the store has it. What turns out to have another digest is not stored.
func (s *Store) put(ctx context.Context, digest string, write func(io.Writer) error) error {
	if has, err := s.Has(ctx, digest); err != nil || has {
		return err
	}
	hexa, err := parseDigest(digest)
	if err != nil {
		return err
	}
	ctx, abort := context.WithCancel(ctx)
	defer abort()
	w, err := s.bucket.NewWriter(ctx, blobKey(hexa), &blob.WriterOptions{ContentType: sdk.MediaTypeBytes})
	if err != nil {
		return fmt.Errorf("storing %s: %w", digest, err)
	}
	m := newMeter()
	err = write(io.MultiWriter(writerWithContext{ctx, w}, m))
	if err == nil && m.digest() != digest {
		err = fmt.Errorf("it changed while it was read: %w", ErrCorrupt)
	}
	if err != nil {
		abort() // so that Close drops what was written
		_ = w.Close()
		return fmt.Errorf("storing %s: %w", digest, err)
	}
	if err := w.Close(); err != nil {
		return fmt.Errorf("storing %s: %w", digest, err)
	}
	return nil
}

// putBytes stores data under its digest.
func (s *Store) putBytes(ctx context.Context, data []byte) (string, error) {
	m := newMeter()
	_, _ = m.Write(data) // never fails
	return m.digest(), s.put(ctx, m.digest(), func(w io.Writer) error {
		_, err := w.Write(data)
		return err
	})
}

// getBytes gives at most limit bytes of a digest, verified; more is an error.
func (s *Store) getBytes(ctx context.Context, digest string, limit int64) ([]byte, error) {
	r, err := s.Reader(ctx, digest)
	if err != nil {
		return nil, err
	}
	data, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = fmt.Errorf("%s has more than %d bytes", digest, limit)
	}
	return data, errors.Join(err, r.Close())
}

// readerWithContext ends reading when the context does.
type readerWithContext struct {
	ctx context.Context //nolint:containedctx // what the type is for
	r   io.Reader
}

func (r readerWithContext) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.r.Read(p)
}

// writerWithContext ends writing when the context does.
type writerWithContext struct {
	ctx context.Context //nolint:containedctx // what the type is for
	w   io.Writer
}

func (w writerWithContext) Write(p []byte) (int, error) {
	if err := w.ctx.Err(); err != nil {
		return 0, err
	}
	return w.w.Write(p)
}
