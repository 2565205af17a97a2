package container

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"

	"github.com/containerpub/cpub/sdk"
)

// content is the name that what is collected gets in its folder.
const content = "content"

// allowance is how much may still be collected.
type allowance struct {
	bytes, entries int64
	most           string // the bytes at the beginning, for messages
}

// unpack makes the file or folder of a tar in root, under the name content, as far as the allowance goes. A tar as Podman gives it holds one
// thing, under its own name, or "/" where it is a volume itself. Nothing is made outside of root, and links are taken as they are, if they stay inside.
func unpack(r io.Reader, root *os.Root, wantFolder bool, left *allowance) error {
	tr, first := tar.NewReader(r), ""
	for n := 0; ; n++ {
		h, err := tr.Next()
		switch {
		case errors.Is(err, io.EOF) && n == 0:
			return errCollect{errors.New("there is nothing")}
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return fmt.Errorf("reading what Podman gives of it: %w", err)
		}
		name := rooted(h.Name)
		if n == 0 {
			if err := isWanted(h, wantFolder); err != nil {
				return errCollect{err}
			}
			first = name
		}
		inside, ok := below(name, first)
		if !ok {
			return fmt.Errorf("reading what Podman gives of it: %q is not in %q", h.Name, first)
		}
		if err := left.take(h.Size); err != nil {
			return errCollect{err}
		}
		if err := unpackEntry(tr, root, h, inside, first, left); err != nil {
			return err
		}
	}
}

// isWanted checks that the first entry is of the kind that was asked for.
func isWanted(h *tar.Header, folder bool) error {
	switch {
	case folder && h.Typeflag == tar.TypeReg:
		return errors.New("it is a file: without the `/` at the end of its path it is collected as one")
	case folder && h.Typeflag != tar.TypeDir:
		return errors.New("it is no folder, but a link or something else")
	case !folder && h.Typeflag == tar.TypeDir:
		return errors.New("it is a folder: with a `/` at the end of its path it is collected as one")
	case !folder && h.Typeflag != tar.TypeReg:
		return errors.New("it is no file, but a link or something else")
	}
	return nil
}

// rooted is the name of an entry from the root of its tar, which is "".
func rooted(name string) string { return strings.TrimPrefix(path.Clean("/"+name), "/") }

// below gives a name relative to the first one, "." for itself.
func below(name, first string) (string, bool) {
	if name == first {
		return ".", true
	}
	rest, ok := name, true
	if first != "" {
		rest, ok = strings.CutPrefix(name, first+"/")
	}
	return rest, ok && fs.ValidPath(rest)
}

func (l *allowance) take(size int64) error {
	l.entries--
	l.bytes -= size
	switch {
	case size < 0 || l.bytes < 0:
		return fmt.Errorf("all that is collected has more than %s (collect_limit)", l.most)
	case l.entries < 0:
		return fmt.Errorf("all that is collected has more than %d files, folders and links", maxCollected)
	}
	return nil
}

func unpackEntry(r io.Reader, root *os.Root, h *tar.Header, inside, first string, left *allowance) error {
	name := path.Join(content, inside)
	theirs := func(format string, args ...any) error {
		return errCollect{fmt.Errorf("%s: %w", inside, fmt.Errorf(format, args...))}
	}
	switch h.Typeflag {
	case tar.TypeDir:
		err := root.Mkdir(name, 0o755)
		if info, lerr := root.Lstat(name); errors.Is(err, fs.ErrExist) && lerr == nil && info.IsDir() {
			return nil // Podman names some folders twice
		}
		return err
	case tar.TypeReg:
		return unpackFile(r, root, name, h.Mode&0o111 != 0)
	case tar.TypeSymlink:
		if !sdk.LinkInside(inside, h.Linkname) {
			return theirs("a link that leads out of the folder, to %s, cannot be collected", h.Linkname)
		}
		return root.Symlink(h.Linkname, name)
	case tar.TypeLink:
		target, ok := below(rooted(h.Linkname), first)
		if !ok {
			return theirs("a hard link that leads out of the folder cannot be collected")
		}
		return link(root, path.Join(content, target), name, left)
	default:
		return theirs("only files, folders and links can be collected")
	}
}

// link makes a hard link, which counts as what it leads to: in an artifact it is a file of its own.
func link(root *os.Root, target, name string, left *allowance) error {
	info, err := root.Lstat(target)
	if err != nil {
		return err
	}
	left.entries++ // it is taken already
	if err := left.take(info.Size()); err != nil {
		return errCollect{err}
	}
	return root.Link(target, name)
}

func unpackFile(r io.Reader, root *os.Root, name string, executable bool) error {
	mode := os.FileMode(0o644)
	if executable {
		mode = 0o755
	}
	f, err := root.OpenFile(name, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err
	}
	_, err = io.Copy(f, r)
	return errors.Join(err, f.Close())
}
