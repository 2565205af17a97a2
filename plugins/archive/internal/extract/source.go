package extract

import (
	"context"
	"errors"
	"fmt"
	"io"
)

// sourceReader reads the archive's file. It heeds the context, and remembers a failure of the file itself, so that decoders
// cannot disguise it as a fault of the archive.
type sourceReader struct {
	ctx context.Context //nolint:containedctx // an io.ReaderAt has no other way to be told
	src io.ReaderAt
	err error // the first failure that is not the end of the file
}

// ReadAt implements io.ReaderAt.
func (s *sourceReader) ReadAt(p []byte, off int64) (int, error) {
	if err := context.Cause(s.ctx); err != nil {
		s.fail(err)
		return 0, err
	}
	if off < 0 { // computed from what the archive says, which is then at fault
		return 0, io.ErrUnexpectedEOF
	}
	n, err := s.src.ReadAt(p, off)
	if err != nil && !errors.Is(err, io.EOF) {
		err = fmt.Errorf("reading the archive: %w", err)
		s.fail(err)
	}
	return n, err
}

func (s *sourceReader) fail(err error) {
	if s.err == nil {
		s.err = err
	}
}

// check reports whether the context has ended, for loops that decode much from little.
func (s *sourceReader) check() error {
	if err := context.Cause(s.ctx); err != nil {
		s.fail(err)
	}
	return s.err
}
