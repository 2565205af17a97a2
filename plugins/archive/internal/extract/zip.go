package extract

import (
	"archive/zip"
	"errors"
	"fmt"
	"io"
	"io/fs"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/zstd"
)

const (
	zipEncrypted = 0x1 // flag: the entry needs a password
	// directoryPerEntry is how many bytes of a zip's directory one allowed entry accounts for: an ordinary one needs a tenth.
	directoryPerEntry = 1024
	directoryFloor    = 1 << 20
)

// extractZip unpacks a zip.
func extractZip(source *sourceReader, size int64, sel *selection, t *tree) error {
	gate := &directoryGate{src: source, left: directoryFloor + t.budget.maxEntries*directoryPerEntry, max: t.budget.maxEntries}
	r, err := zip.NewReader(gate, size)
	if gate.err != nil {
		return gate.err
	}
	if errors.Is(err, zip.ErrFormat) {
		return &Error{Reason: "the zip is truncated or corrupt: it has no readable directory at its end", Err: err}
	}
	if err != nil && !errors.Is(err, zip.ErrInsecurePath) { // names are judged by us
		return err
	}
	gate.open = true
	r.RegisterDecompressor(zip.Deflate, flate.NewReader)
	r.RegisterDecompressor(zstd.ZipMethodWinZip, zstd.ZipDecompressor(zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderConcurrency(1)))
	chosen, err := chooseZip(r, sel, t.budget)
	if err != nil {
		return err
	}
	for _, c := range chosen {
		if err := source.check(); err != nil {
			return err
		}
		if err := zipEntry(source, c, t); err != nil {
			return err
		}
	}
	return nil
}

// chosenFile is an entry of a zip with the name that it is extracted under.
type chosenFile struct {
	*zip.File
	name string
}

// chooseZip picks the entries to extract and holds what the directory says of their sizes against the limits, so that a bomb
// which is honest is refused before anything is written.
func chooseZip(r *zip.Reader, sel *selection, b *budget) ([]chosenFile, error) {
	var chosen []chosenFile
	var total uint64
	for _, f := range r.File {
		if err := b.entry(); err != nil {
			return nil, err
		}
		name, ok, err := sel.choose(f.Name)
		if err != nil {
			return nil, err
		}
		if !ok {
			continue
		}
		if f.Flags&zipEncrypted != 0 {
			return nil, &Error{Entry: shorten(f.Name), Reason: "it is encrypted; make the archive again without a password"}
		}
		if total += f.UncompressedSize64; f.UncompressedSize64 > uint64(b.maxBytes) || total > uint64(b.maxBytes) { //nolint:gosec // not negative
			return nil, b.fits(b.maxBytes + 1)
		}
		chosen = append(chosen, chosenFile{f, name})
	}
	return chosen, nil
}

// zipEntry extracts one entry.
func zipEntry(source *sourceReader, c chosenFile, t *tree) error {
	mode := c.Mode()
	switch mode.Type() {
	case fs.ModeDir:
		if c.UncompressedSize64 != 0 {
			return &Error{Entry: shorten(c.Name), Reason: "it is a folder with content"}
		}
		return t.dir(c.name)
	case 0:
		in, err := openZip(source, c.File, t.budget)
		if err != nil {
			return err
		}
		defer func() { _ = in.Close() }()
		return t.file(c.name, mode, int64(c.UncompressedSize64), in, false) //nolint:gosec // within max_bytes
	case fs.ModeSymlink:
		if c.UncompressedSize64 > maxName {
			return &Error{Entry: shorten(c.Name), Reason: fmt.Sprintf("it is a symbolic link to a name of %d bytes", c.UncompressedSize64)}
		}
		in, err := openZip(source, c.File, t.budget)
		if err != nil {
			return err
		}
		defer func() { _ = in.Close() }()
		target, err := io.ReadAll(in)
		if err != nil {
			return inEntry(c.name, err)
		}
		return t.symlink(c.name, string(target), false)
	}
	return &Error{Entry: shorten(c.Name), Reason: fmt.Sprintf("it is neither file, folder nor symbolic link (%s); leave it out with exclude", mode.Type())}
}

// openZip opens one entry's content, counted and confined like a tar's.
func openZip(source *sourceReader, f *zip.File, b *budget) (io.ReadCloser, error) {
	in, err := f.Open()
	if errors.Is(err, zip.ErrAlgorithm) {
		return nil, &Error{Entry: shorten(f.Name), Reason: fmt.Sprintf("its compression method %d is not known; make the archive again with deflate", f.Method)}
	}
	if err != nil {
		return nil, inEntry(f.Name, err)
	}
	return &zipContent{ReadCloser: in, name: f.Name, source: source, budget: b}, nil
}

// zipContent is the content of one entry.
type zipContent struct {
	io.ReadCloser
	name   string
	source *sourceReader
	budget *budget
}

// Read implements io.Reader.
func (z *zipContent) Read(p []byte) (int, error) {
	if err := z.source.check(); err != nil {
		return 0, err
	}
	n, err := z.ReadCloser.Read(p)
	if errors.Is(err, zip.ErrFormat) {
		err = &Error{Entry: shorten(z.name), Reason: "it holds more than the zip's directory says"}
	}
	if errors.Is(err, zip.ErrChecksum) {
		err = &Error{Entry: shorten(z.name), Reason: "its checksum does not match: the archive is corrupt"}
	}
	if berr := z.budget.decompressed(int64(n)); berr != nil {
		return 0, berr
	}
	return n, err
}

// directoryGate lets zip.NewReader read only so much, because it keeps the whole directory in memory.
type directoryGate struct {
	src  io.ReaderAt
	left int64
	max  int64
	open bool // the directory was read, and what follows is content
	err  error
}

// ReadAt implements io.ReaderAt.
func (g *directoryGate) ReadAt(p []byte, off int64) (int, error) {
	if !g.open {
		if g.left -= int64(len(p)); g.left < 0 {
			g.err = &Error{Reason: fmt.Sprintf("the zip's directory is larger than max_entries = %d entries can need", g.max)}
			return 0, g.err
		}
	}
	return g.src.ReadAt(p, off)
}
