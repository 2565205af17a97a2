package artifact

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/containerpub/cpub/sdk"
)

// Verify tells whether the artifact is at hand: unpacked here, with bytes that have its digest, all of which it reads, and in the store. What
// is here and has another digest is removed.
func (c *Cache) Verify(ctx context.Context, a sdk.Artifact) (bool, error) {
	hexa, err := parseDigest(a.Digest)
	if err != nil {
		return false, err
	}
	path, read := filepath.Join(c.dir, "files", hexa), copyFile
	if a.MediaType == sdk.MediaTypeDirectory {
		path, read = filepath.Join(c.dir, "trees", hexa), packFolder
	}
	if _, err := os.Lstat(path); errors.Is(err, os.ErrNotExist) {
		return false, nil
	}
	m := newMeter()
	if err := read(writerWithContext{ctx, m}, path); err != nil {
		return false, fmt.Errorf("verifying %s: %w", a.Digest, err)
	}
	if m.digest() != a.Digest {
		return false, c.discard(path)
	}
	return c.store.Has(ctx, a.Digest)
}

func copyFile(w io.Writer, path string) error {
	f, err := os.Open(path)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = io.Copy(w, f)
	return err
}

// discard removes a kept file or folder, from its name first.
func (c *Cache) discard(path string) error {
	tmp, err := c.MkdirTemp("discard-")
	if err != nil {
		return fmt.Errorf("removing what was changed: %w", err)
	}
	if info, err := os.Lstat(path); err == nil && info.IsDir() {
		if err := os.Chmod(path, 0o700); err != nil { //nolint:gosec // what cannot be written cannot be moved
			return fmt.Errorf("removing what was changed: %w", err)
		}
	}
	if err := os.Rename(path, filepath.Join(tmp, "it")); err != nil {
		return fmt.Errorf("removing what was changed: %w", err)
	}
	return RemoveAll(tmp)
}
