package artifact

import (
	"archive/tar"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/containerpub/cpub/sdk"
)

// Unpack makes the files of a directory artifact below dir, an empty folder. It takes what sdk.WriteTar writes: folders, files and
// links that stay inside. All are read-only. It reads r to its end, so that a verified reader has spoken when it returns nil;
// whoever called removes dir after an error.
func Unpack(ctx context.Context, r io.Reader, dir *os.Root) error {
	r = readerWithContext{ctx, r}
	tr := tar.NewReader(r)
	var folders []string
	for {
		h, err := tr.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("unpacking: %w", err)
		}
		if err := unpackEntry(tr, h, dir); err != nil {
			return fmt.Errorf("unpacking %q: %w", h.Name, err)
		}
		if h.Typeflag == tar.TypeDir {
			folders = append(folders, strings.TrimSuffix(h.Name, "/"))
		}
	}
	if _, err := io.Copy(io.Discard, r); err != nil {
		return fmt.Errorf("unpacking: %w", err)
	}
	for i := len(folders) - 1; i >= 0; i-- {
		if err := dir.Chmod(folders[i], 0o555); err != nil {
			return fmt.Errorf("unpacking %q: %w", folders[i], err)
		}
	}
	return nil
}

func unpackEntry(r io.Reader, h *tar.Header, dir *os.Root) error {
	name := strings.TrimSuffix(h.Name, "/")
	if !fs.ValidPath(name) || name == "." {
		return fmt.Errorf("the name leads out of the folder")
	}
	switch h.Typeflag {
	case tar.TypeDir:
		return dir.Mkdir(name, 0o755)
	case tar.TypeSymlink:
		if !sdk.LinkInside(name, h.Linkname) {
			return fmt.Errorf("the link leads out of the folder, to %q", h.Linkname)
		}
		return dir.Symlink(h.Linkname, name)
	case tar.TypeReg:
		return unpackFile(r, h, dir, name)
	default:
		return fmt.Errorf("entries of type %q are not possible", h.Typeflag)
	}
}

func unpackFile(r io.Reader, h *tar.Header, dir *os.Root, name string) error {
	f, err := dir.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	if err == nil {
		mode := os.FileMode(0o444)
		if h.Mode&0o111 != 0 {
			mode = 0o555
		}
		err = f.Chmod(mode)
	}
	return errors.Join(err, f.Close())
}
