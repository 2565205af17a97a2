package artifact

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/containerpub/cpub/sdk"
)

// ErrUnfit is wrapped by errors about files that can be no artifact: not there, not inside, a device, a link that leads out.
var ErrUnfit = errors.New("this cannot be an artifact")

// AddFile takes the regular file at name below dir into cache and store. It follows no link out of dir.
func (c *Cache) AddFile(ctx context.Context, dir *os.Root, name string) (sdk.Artifact, error) {
	f, err := sdk.OpenRegular(dir, name)
	if err != nil {
		return sdk.Artifact{}, fmt.Errorf("%w: %w", ErrUnfit, err)
	}
	defer f.Close()
	m, err := c.keepFile(ctx, f, c.filePath)
	if err != nil {
		return sdk.Artifact{}, err
	}
	a := sdk.Artifact{Digest: m.digest(), Size: m.n, MediaType: sdk.MediaTypeBytes}
	return a, c.store.put(ctx, a.Digest, func(w io.Writer) error {
		kept, err := os.Open(c.filePath(a.Digest))
		if err != nil {
			return err
		}
		defer kept.Close()
		_, err = io.Copy(w, kept)
		return err
	})
}

func (c *Cache) filePath(digest string) string {
	return filepath.Join(c.dir, "files", digest[len(digestPrefix):])
}

// AddDir takes the folder at name below dir into cache and store, as a directory artifact. It follows no link out of dir, and refuses
// what sdk.WriteTar refuses.
func (c *Cache) AddDir(ctx context.Context, dir *os.Root, name string) (sdk.Artifact, error) {
	src, err := dir.OpenRoot(name)
	if err != nil {
		return sdk.Artifact{}, fmt.Errorf("%w: %w", ErrUnfit, err)
	}
	defer src.Close()
	m, tmp, err := c.copyTree(ctx, src)
	if err != nil {
		return sdk.Artifact{}, err
	}
	a := sdk.Artifact{Digest: m.digest(), Size: m.n, MediaType: sdk.MediaTypeDirectory}
	path := filepath.Join(c.dir, "trees", a.Digest[len(digestPrefix):])
	err = c.busy.do(ctx, path, func() error {
		if _, err := os.Lstat(path); err == nil || !errors.Is(err, fs.ErrNotExist) {
			return errors.Join(err, RemoveAll(tmp))
		}
		return keepTree(tmp, path)
	})
	if err != nil {
		return sdk.Artifact{}, err
	}
	return a, c.store.put(ctx, a.Digest, func(w io.Writer) error { return packFolder(w, path) })
}

// errCopy is what the packing of a copy sees when the unpacking has failed.
var errCopy = errors.New("the copy failed")

// copyTree copies a folder to a temporary one by way of its canonical tar, of which it gives digest and size.
func (c *Cache) copyTree(ctx context.Context, src *os.Root) (*meter, string, error) {
	r, w := io.Pipe()
	m := newMeter()
	packed := make(chan error, 1)
	go func() {
		err := sdk.WriteTar(io.MultiWriter(w, m), src)
		w.CloseWithError(err)
		packed <- err
	}()
	tmp, err := c.unpack(ctx, r)
	r.CloseWithError(errCopy) // wakes the packing, should it still be at it
	perr := <-packed
	if err == nil && perr != nil {
		err = RemoveAll(tmp)
	}
	switch {
	case perr != nil && !errors.Is(perr, errCopy):
		return nil, "", errors.Join(fmt.Errorf("%w: %w", ErrUnfit, perr), err)
	case err != nil || perr != nil:
		return nil, "", errors.Join(err, perr)
	}
	return m, tmp, nil
}

func packFolder(w io.Writer, path string) error {
	root, err := os.OpenRoot(path)
	if err != nil {
		return fmt.Errorf("opening a kept folder: %w", err)
	}
	defer root.Close()
	return sdk.WriteTar(w, root)
}
