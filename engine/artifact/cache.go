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

// Cache keeps artifacts of a store as files and unpacked folders on the local disk, all read-only, for steps to read. Several processes
// may share its folder. What is half there lies in a private folder of the process, which is swept when that process is gone.
// Its methods may be called concurrently.
type Cache struct {
	store *Store
	dir   string // absolute, without links
	own   *OwnFolder
	busy  flight
}

// NewCache opens a cache in dir, making it where needed, and sweeps what dead processes left. Close it when done.
func NewCache(dir string, store *Store) (*Cache, error) {
	for _, sub := range []string{"files", "trees", "tmp"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o700); err != nil {
			return nil, fmt.Errorf("opening the artifact cache: %w", err)
		}
	}
	dir, err := filepath.Abs(dir)
	if err == nil {
		dir, err = filepath.EvalSymlinks(dir)
	}
	if err != nil {
		return nil, fmt.Errorf("opening the artifact cache: %w", err)
	}
	own, err := NewOwnFolder(filepath.Join(dir, "tmp"))
	if err != nil {
		return nil, fmt.Errorf("opening the artifact cache: %w", err)
	}
	return &Cache{store: store, dir: dir, own: own}, nil
}

// Close removes what is temporary. Artifacts stay.
func (c *Cache) Close() error { return c.own.Close() }

// MkdirTemp makes a private, empty folder that is swept with the process, on the same disk as the artifacts. Its path has no
// symbolic links. Remove it with RemoveAll.
func (c *Cache) MkdirTemp(pattern string) (string, error) { return os.MkdirTemp(c.own.dir, pattern) }

// Path gives where the artifact is, read-only: a file, or the folder of a directory artifact. It fetches what is not there yet. The
// error wraps ErrNotFound or ErrCorrupt where the store is at fault.
func (c *Cache) Path(ctx context.Context, a sdk.Artifact) (string, error) {
	hexa, err := parseDigest(a.Digest)
	if err != nil {
		return "", err
	}
	if a.MediaType == sdk.MediaTypeDirectory {
		path := filepath.Join(c.dir, "trees", hexa)
		return path, c.busy.do(ctx, path, func() error { return c.fetchTree(ctx, a, path) })
	}
	path := filepath.Join(c.dir, "files", hexa)
	return path, c.busy.do(ctx, path, func() error { return c.fetchFile(ctx, a, path) })
}

func (c *Cache) fetchFile(ctx context.Context, a sdk.Artifact, path string) error {
	if _, err := os.Lstat(path); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	r, err := c.store.Reader(ctx, a.Digest)
	if err != nil {
		return err
	}
	defer r.Close()
	_, err = c.keepFile(ctx, r, func(string) string { return path })
	return err
}

// keepFile writes r to a temporary file, and gives it the name that its digest asks for.
func (c *Cache) keepFile(ctx context.Context, r io.Reader, name func(digest string) string) (*meter, error) {
	f, err := os.CreateTemp(c.own.dir, "file-")
	if err != nil {
		return nil, fmt.Errorf("keeping an artifact: %w", err)
	}
	defer os.Remove(f.Name())
	m := newMeter()
	_, err = io.Copy(io.MultiWriter(f, m), readerWithContext{ctx, r})
	if err == nil {
		err = errors.Join(f.Chmod(0o444), f.Sync())
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return nil, fmt.Errorf("keeping an artifact: %w", err)
	}
	if err := os.Rename(f.Name(), name(m.digest())); err != nil {
		return nil, fmt.Errorf("keeping an artifact: %w", err)
	}
	return m, nil
}

func (c *Cache) fetchTree(ctx context.Context, a sdk.Artifact, path string) error {
	if _, err := os.Lstat(path); err == nil || !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	r, err := c.store.Reader(ctx, a.Digest)
	if err != nil {
		return err
	}
	defer r.Close()
	tmp, err := c.unpack(ctx, r)
	if err != nil {
		return err
	}
	return keepTree(tmp, path)
}

// unpack unpacks a tar into a new temporary folder.
func (c *Cache) unpack(ctx context.Context, r io.Reader) (string, error) {
	tmp, err := c.MkdirTemp("tree-")
	if err != nil {
		return "", fmt.Errorf("keeping an artifact: %w", err)
	}
	root, err := os.OpenRoot(tmp)
	if err == nil {
		err = errors.Join(Unpack(ctx, r, root), root.Close())
	}
	if err != nil {
		return "", errors.Join(err, RemoveAll(tmp))
	}
	return tmp, nil
}

// keepTree gives a finished folder its name. Whoever was first wins: both are the same.
func keepTree(tmp, path string) error {
	if err := os.Rename(tmp, path); err != nil {
		if _, serr := os.Lstat(path); serr == nil {
			return RemoveAll(tmp)
		}
		return errors.Join(fmt.Errorf("keeping an artifact: %w", err), RemoveAll(tmp))
	}
	return os.Chmod(path, 0o555) // last: a folder that cannot be written cannot be moved either
}

// RemoveAll removes a folder also where folders in it are read-only.
func RemoveAll(dir string) error {
	if os.RemoveAll(dir) == nil {
		return nil
	}
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if err == nil && d.IsDir() {
			err = os.Chmod(path, 0o700) //nolint:gosec // a folder needs x
		}
		return err
	})
	return errors.Join(err, os.RemoveAll(dir))
}
