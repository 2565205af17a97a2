package sdk

import (
	"archive/tar"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"strings"
	"time"
)

// WriteTar writes the canonical tar of a folder, over which the digest of a directory artifact is taken: entries depth first, the
// names of each folder in byte order; owners 0, times 0, modes 0644, or 0755 for folders and what may be executed; links
// symbolic, relative and inside the folder. Anything else (devices, sockets, links out) is an error. Hard links become files.
func WriteTar(w io.Writer, dir *os.Root) error {
	tw := tar.NewWriter(w)
	err := fs.WalkDir(dir.FS(), ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if name == "." {
			return nil
		}
		return WriteTarEntry(tw, dir, name, name, d)
	})
	if err != nil {
		return fmt.Errorf("packing %s: %w", dir.Name(), err)
	}
	return tw.Close()
}

// WriteTarEntry writes one entry of a folder under a name, in the form that WriteTar gives it.
func WriteTarEntry(tw *tar.Writer, dir *os.Root, name, as string, d fs.DirEntry) error {
	header := &tar.Header{Name: as, ModTime: time.Unix(0, 0)}
	switch d.Type() {
	case fs.ModeDir:
		header.Typeflag, header.Mode, header.Name = tar.TypeDir, 0o755, as+"/"
		return tw.WriteHeader(header)
	case fs.ModeSymlink:
		target, err := dir.Readlink(name)
		if err != nil {
			return err
		}
		if !LinkInside(name, target) {
			return fmt.Errorf("the link %s leads out of the folder, to %s", name, target)
		}
		header.Typeflag, header.Mode, header.Linkname = tar.TypeSymlink, 0o777, target
		return tw.WriteHeader(header)
	case 0:
		return writeFile(tw, dir, name, header)
	default:
		return fmt.Errorf("%s is neither a file, nor a folder, nor a link", name)
	}
}

func writeFile(tw *tar.Writer, dir *os.Root, name string, header *tar.Header) error {
	f, err := OpenRegular(dir, name)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return err
	}
	header.Typeflag, header.Mode, header.Size = tar.TypeReg, 0o644, info.Size()
	if info.Mode()&0o111 != 0 {
		header.Mode = 0o755
	}
	if err := tw.WriteHeader(header); err != nil {
		return err
	}
	if n, err := io.CopyN(tw, f, info.Size()); err != nil {
		return fmt.Errorf("%s has %d bytes where it had %d: it changed while it was read", name, n, info.Size())
	}
	return nil
}

// OpenRegular opens a regular file below dir for reading; a FIFO or device is an error, and never blocks.
func OpenRegular(dir *os.Root, name string) (*os.File, error) {
	f, err := dir.OpenFile(name, os.O_RDONLY|nonBlock, 0)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = fmt.Errorf("%s is no regular file", name)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// LinkInside tells whether a symbolic link at name stays in the folder, wherever the links on its way lead: it may go up only at its
// start, where the folders are real ones.
func LinkInside(name, target string) bool {
	if target == "" || path.IsAbs(target) || strings.ContainsRune(target, '\\') {
		return false
	}
	p := path.Join(path.Dir(name), target)
	if p == ".." || strings.HasPrefix(p, "../") {
		return false
	}
	down := false
	for part := range strings.SplitSeq(target, "/") {
		if part == ".." && down {
			return false
		}
		down = down || part != ".." && part != "." && part != ""
	}
	return true
}
