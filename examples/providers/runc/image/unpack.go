//go:build linux

package image

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"slices"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"

	"github.com/containerpub/cpub/sdk"
)

// unpacking is an image on its way into a folder. What is below the folder is reached through an os.Root: no name and no link of an
// image, however made, leads out of it. And links are made last, so that no file is ever written through one.
type unpacking struct {
	root  *os.Root
	shift Shift
	links []*tar.Header // symbolic and hard
	dirs  []*tar.Header
}

// unpack writes an image's files. Layers are laid over each other with their whiteouts by go-containerregistry, which checks the
// digests of what it reads.
func (s *Store) unpack(req *sdk.Request, img v1.Image, dir, doing string) error {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer func() { _ = root.Close() }()
	u := &unpacking{root: root, shift: s.Shift}
	if err := root.Lchown(".", s.Shift.UID, s.Shift.GID); err != nil {
		return err
	}
	files := mutate.Extract(img)
	defer func() { _ = files.Close() }()
	counted := &counter{r: files, left: s.MaxBytes, tell: func(read int64) {
		req.Progress(sdk.Progress{Message: doing, Done: read, Unit: "bytes"})
	}}
	archive := tar.NewReader(counted)
	for {
		header, err := archive.Next()
		if errors.Is(err, io.EOF) {
			return u.finish()
		}
		if err != nil {
			return err
		}
		if err := u.add(header, archive); err != nil {
			return fmt.Errorf("unpacking %q: %w", header.Name, err)
		}
	}
}

// add takes one entry.
func (u *unpacking) add(h *tar.Header, content io.Reader) error {
	h.Name = strings.TrimPrefix(path.Clean("/"+h.Name), "/")
	if h.Name == "" {
		h.Name = "."
	}
	if err := u.parents(path.Dir(h.Name)); err != nil {
		return err
	}
	switch h.Typeflag {
	case tar.TypeDir:
		if err := u.root.Mkdir(h.Name, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
			return err
		}
		u.dirs = append(u.dirs, h)
		return u.own(h)
	case tar.TypeReg:
		file, err := u.root.OpenFile(h.Name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		_, err = io.Copy(file, content)
		return errors.Join(err, file.Close(), u.own(h), u.root.Chtimes(h.Name, h.ModTime, h.ModTime))
	case tar.TypeSymlink, tar.TypeLink:
		u.links = append(u.links, h)
	}
	return nil // devices and pipes: a runtime makes those of /dev, and others are of no good
}

// parents makes the folders above an entry that have no entry of their own so far.
func (u *unpacking) parents(dir string) error {
	if dir == "." {
		return nil
	}
	err := u.root.Mkdir(dir, 0o755)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if errors.Is(err, fs.ErrNotExist) {
		if err = u.parents(path.Dir(dir)); err == nil {
			err = u.root.Mkdir(dir, 0o755)
		}
	}
	if err != nil {
		return err
	}
	return u.root.Lchown(dir, u.shift.UID, u.shift.GID)
}

// own gives a file or folder its owner, and then its mode, which a new owner takes bits from.
func (u *unpacking) own(h *tar.Header) error {
	uid, gid, err := u.shift.ids(h.Uid, h.Gid)
	if err != nil {
		return sdk.Permanent(err)
	}
	if err := u.root.Lchown(h.Name, uid, gid); err != nil || h.Typeflag == tar.TypeSymlink {
		return err
	}
	return u.root.Chmod(h.Name, h.FileInfo().Mode())
}

// finish makes the links, and gives folders their times, which what came into them changed.
func (u *unpacking) finish() error {
	for _, kind := range []byte{tar.TypeSymlink, tar.TypeLink} {
		for _, h := range u.links {
			if h.Typeflag != kind {
				continue
			}
			if err := u.link(h); err != nil {
				return fmt.Errorf("unpacking the link %q: %w", h.Name, err)
			}
		}
	}
	for _, h := range slices.Backward(u.dirs) {
		if err := u.root.Chtimes(h.Name, h.ModTime, h.ModTime); err != nil {
			return err
		}
	}
	return nil
}

func (u *unpacking) link(h *tar.Header) error {
	if h.Typeflag == tar.TypeSymlink {
		if err := u.root.Symlink(h.Linkname, h.Name); err != nil {
			return sdk.Permanent(err) // one layer has files below what is a link in another
		}
		return u.own(h)
	}
	return u.root.Link(strings.TrimPrefix(path.Clean("/"+h.Linkname), "/"), h.Name)
}

// counter tells how much was read, and reads no more than it may.
type counter struct {
	r          io.Reader
	read, left int64
	told       int64
	tell       func(read int64)
}

// tellEvery is how many bytes come between two reports.
const tellEvery = 4 << 20

func (c *counter) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.read, c.left = c.read+int64(n), c.left-int64(n)
	if c.left < 0 {
		return 0, sdk.Permanentf("the image is larger than the %d bytes that `max_image` of worker.hcl allows", c.read+c.left)
	}
	if c.read-c.told >= tellEvery {
		c.told = c.read
		c.tell(c.read)
	}
	return n, err
}
