package extract

import (
	"bufio"
	"compress/bzip2"
	"fmt"
	"io"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"github.com/mikelolasagasti/xz"
)

const (
	// maxWindow is the largest dictionary that a decompressor may allocate: what `zstd --long` and more than `xz -9` need.
	maxWindow  = 128 << 20
	readBuffer = 256 << 10
)

// decompress gives the tar inside of an archive. Close frees the decompressor.
func decompress(src io.Reader, format Format) (io.ReadCloser, error) {
	in := bufio.NewReaderSize(src, readBuffer)
	switch format {
	case Tar:
		return io.NopCloser(in), nil
	case TarGz:
		r, err := gzip.NewReader(in)
		if err != nil {
			return nil, fmt.Errorf("reading gzip: %w", err)
		}
		return r, nil
	case TarZst:
		r, err := zstd.NewReader(in, zstd.WithDecoderMaxWindow(maxWindow), zstd.WithDecoderMaxMemory(maxWindow), zstd.WithDecoderConcurrency(1))
		if err != nil {
			return nil, fmt.Errorf("reading zstd: %w", err)
		}
		return r.IOReadCloser(), nil
	case TarXz:
		r, err := xz.NewReader(in, maxWindow)
		if err != nil {
			return nil, fmt.Errorf("reading xz: %w", err)
		}
		return io.NopCloser(r), nil
	case TarBz2:
		return io.NopCloser(bzip2.NewReader(in)), nil
	case Unknown, Zip:
	}
	return nil, fmt.Errorf("%q is no compressed tar", format)
}

// tarStream is the decompressed tar: it counts what passes, stops bombs, heeds the context, and knows how many of the bytes
// that came last were zeros.
type tarStream struct {
	r      io.Reader
	source *sourceReader
	budget *budget
	zeros  int64 // zero bytes at the end of what was read
}

// Read implements io.Reader.
func (s *tarStream) Read(p []byte) (int, error) {
	if err := s.source.check(); err != nil {
		return 0, err
	}
	n, err := s.r.Read(p)
	last := n - 1
	for last >= 0 && p[last] == 0 {
		last--
	}
	if last >= 0 {
		s.zeros = 0
	}
	s.zeros += int64(n - 1 - last)
	if berr := s.budget.decompressed(int64(n)); berr != nil {
		return 0, berr
	}
	return n, err
}
