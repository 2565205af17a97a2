package extract

import (
	"archive/tar"
	"errors"
	"fmt"
	"io"
)

// extractTar unpacks a tar, compressed or not.
func extractTar(source *sourceReader, size int64, format Format, sel *selection, t *tree) error {
	in, err := decompress(io.NewSectionReader(source, 0, size), format)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	stream := &tarStream{r: in, source: source, budget: t.budget}
	r := tar.NewReader(stream)
	for {
		before := t.budget.stream
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return stream.end(before)
		}
		if errors.Is(err, tar.ErrHeader) && before == 0 && format != Tar {
			return &Error{Reason: fmt.Sprintf("the file is compressed like a %s, but what is inside is no tar", format)}
		}
		if err != nil && !errors.Is(err, tar.ErrInsecurePath) { // names are judged by us
			return err
		}
		if err := tarEntry(r, h, sel, t); err != nil {
			return err
		}
	}
}

// tarEntry extracts one entry, or leaves it out.
func tarEntry(r *tar.Reader, h *tar.Header, sel *selection, t *tree) error {
	if err := t.budget.entry(); err != nil {
		return err
	}
	if h.Typeflag == tar.TypeXGlobalHeader {
		return nil
	}
	name, ok, err := sel.choose(h.Name)
	if err != nil {
		return err
	}
	if !ok {
		if err := t.budget.left(h.Size); err != nil {
			return err
		}
		_, err := io.Copy(io.Discard, r)
		return err
	}
	switch h.Typeflag {
	case tar.TypeReg, tar.TypeCont, tar.TypeGNUSparse:
		return t.file(name, h.FileInfo().Mode(), h.Size, r, true)
	case tar.TypeDir:
		return t.dir(name)
	case tar.TypeSymlink:
		return t.symlink(name, h.Linkname, true)
	case tar.TypeLink:
		target, ok, err := sel.target(h.Linkname)
		if err != nil {
			return &Error{Entry: h.Name, Reason: "as a hard link", Err: err}
		}
		if !ok {
			return &Error{Entry: h.Name, Reason: fmt.Sprintf("it is a hard link to %q, which strip_components, include or exclude leave out", h.Linkname)}
		}
		return t.hardlink(name, target)
	case tar.TypeChar, tar.TypeBlock:
		return &Error{Entry: h.Name, Reason: "it is a device, which is never extracted; leave it out with exclude"}
	case tar.TypeFifo:
		return &Error{Entry: h.Name, Reason: "it is a named pipe, which is never extracted; leave it out with exclude"}
	}
	return &Error{Entry: h.Name, Reason: fmt.Sprintf("its type %q is not known", h.Typeflag)}
}

// end checks what follows the last entry: the marker of zero blocks must be there, and then nothing but zeros. Reading on to
// the very end also makes the decompressor check its checksum. before is where the last entry's content ended.
func (s *tarStream) end(before int64) error {
	if s.budget.stream-before < tarBlock || s.zeros < tarBlock {
		return &Error{Reason: "the archive is truncated: the tar has no end marker"}
	}
	buf := make([]byte, 32<<10)
	for {
		want := s.zeros
		n, err := s.Read(buf)
		if n > 0 && s.zeros != want+int64(n) {
			return &Error{Reason: "there is more data after the end of the archive"}
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
