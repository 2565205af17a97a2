// Package extract unpacks archives that nobody vouches for. Whatever an archive says, nothing is written outside of the
// destination, nothing but files, folders and links to them comes out, and nothing half extracted stays.
package extract

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
)

// The limits that hold where Options leaves them zero.
const (
	DefaultMaxBytes   = 1 << 30
	DefaultMaxEntries = 100_000
	DefaultMaxRatio   = 200
)

// Options says what to extract and how much at most. The zero value extracts everything, within the default limits.
type Options struct {
	// Format is the expected format; Unknown means to detect it. An archive of another format is an error.
	Format Format
	// StripComponents is how many leading components of each name are dropped. Entries with no more than that are left out.
	StripComponents int
	// Include and Exclude are patterns of names after stripping, with `*`, `?`, `[a-z]`, `{a,b}` and `**` for any number of
	// folders. A pattern that matches a folder covers everything in it. An empty Include means everything; Exclude wins.
	Include, Exclude []string
	// MaxBytes is how much all files may hold together. What is left out counts too, since it has to be read.
	MaxBytes int64
	// MaxEntries is how many entries the archive may have, folders that entries imply included.
	MaxEntries int64
	// MaxRatio is how many times larger than the archive its content may be. It is not looked at below a MiB.
	MaxRatio float64
	// Progress is told the number of extracted entries and bytes from time to time; may be nil.
	Progress func(entries, bytes int64)
}

// Result says what was extracted.
type Result struct {
	Format  Format
	Entries int64 // files, folders and links in the archive that were extracted
	Bytes   int64 // content of the files; a hard link counts as another file
}

// Error is a fault of the archive, or of what was asked for: extracting it again cannot help. All other errors are of the
// machine or the context.
type Error struct {
	Entry  string // the entry's name, or empty
	Attr   string // the option that has a bad value, as pipelines spell it, or empty
	Reason string
	Err    error // what caused it, or nil
}

func (e *Error) Error() string {
	s := e.Reason
	if e.Entry != "" {
		s = fmt.Sprintf("entry %q: %s", e.Entry, e.Reason)
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

// Unwrap gives what caused it.
func (e *Error) Unwrap() error { return e.Err }

// Extract unpacks the archive into dest, which must not exist yet while its parent does. It works in a scratch folder beside
// dest, and dest appears, complete, only when all went well. Files get mode 0644, or 0755 when anyone may execute them,
// folders 0755; owners and times are not kept. Faults of the archive are *Error.
func Extract(ctx context.Context, archive string, dest string, opts Options) (Result, error) {
	src, err := os.Open(archive)
	if err != nil {
		return Result{}, fmt.Errorf("opening the archive: %w", err)
	}
	defer func() { _ = src.Close() }()
	info, err := src.Stat()
	if err != nil {
		return Result{}, fmt.Errorf("opening the archive: %w", err)
	}
	if !info.Mode().IsRegular() {
		return Result{}, &Error{Reason: "the archive is not a file"}
	}
	if _, err := os.Lstat(dest); !errors.Is(err, fs.ErrNotExist) {
		return Result{}, fmt.Errorf("the destination %s is there already", filepath.Base(dest))
	}
	scratch, err := os.MkdirTemp(filepath.Dir(dest), ".extract-*")
	if err != nil {
		return Result{}, fmt.Errorf("making a scratch folder: %w", err)
	}
	defer func() { _ = os.RemoveAll(scratch) }()

	res, err := into(&sourceReader{ctx: ctx, src: src}, info.Size(), scratch, opts)
	if err != nil {
		return Result{}, err
	}
	if err := os.Chmod(scratch, 0o755); err != nil {
		return Result{}, fmt.Errorf("setting the mode of the destination: %w", err)
	}
	if err := os.Rename(scratch, dest); err != nil {
		return Result{}, fmt.Errorf("moving what was extracted into place: %w", err)
	}
	return res, nil
}

// into unpacks an archive of size bytes into an empty folder.
func into(source *sourceReader, size int64, dir string, opts Options) (Result, error) {
	sel, err := newSelection(opts)
	if err != nil {
		return Result{}, err
	}
	format, err := detect(source, size, opts.Format)
	if err != nil {
		return Result{}, err
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		return Result{}, fmt.Errorf("opening the scratch folder: %w", err)
	}
	defer func() { _ = root.Close() }()

	budget := newBudget(opts, size)
	tree := newTree(root, budget, opts.Progress)
	defer tree.close()
	if format == Zip {
		err = extractZip(source, size, sel, tree)
	} else {
		err = extractTar(source, size, format, sel, tree)
	}
	if err == nil && tree.entries == 0 && sel.skipped > 0 {
		err = &Error{Reason: fmt.Sprintf("nothing was extracted: strip_components, include and exclude left out all %d entries", sel.skipped)}
	}
	if err != nil {
		return Result{}, classify(err, source)
	}
	return Result{Format: format, Entries: tree.entries, Bytes: budget.bytes}, nil
}

// classify makes what a decoder said about its input an *Error, and leaves faults of the machine and the context alone.
func classify(err error, source *sourceReader) error {
	if source.err != nil {
		return source.err
	}
	var known *Error
	var path *fs.PathError
	var link *os.LinkError
	if errors.As(err, &known) || errors.As(err, &path) || errors.As(err, &link) {
		return err
	}
	if errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.EOF) {
		return &Error{Reason: "the archive is truncated", Err: err}
	}
	return &Error{Reason: "the archive is corrupt", Err: err}
}
