package extract

import (
	"fmt"

	"github.com/containerpub/cpub/sdk/schema"
)

// ratioFloor is the size up to which content is no bomb, however small its archive.
const ratioFloor = 1 << 20

// budget counts what comes out of an archive, and stops when it is too much.
type budget struct {
	maxBytes, maxEntries int64
	maxRatio             float64
	archive              int64 // size of the archive

	bytes   int64 // content of extracted files
	skipped int64 // content that was read and left out
	stream  int64 // all bytes that came out of the decompressor
	entries int64 // entries of the archive and folders that they imply
}

func newBudget(o Options, archive int64) *budget {
	b := &budget{maxBytes: o.MaxBytes, maxEntries: o.MaxEntries, maxRatio: o.MaxRatio, archive: archive}
	if b.maxBytes <= 0 {
		b.maxBytes = DefaultMaxBytes
	}
	if b.maxEntries <= 0 {
		b.maxEntries = DefaultMaxEntries
	}
	if b.maxRatio <= 0 {
		b.maxRatio = DefaultMaxRatio
	}
	return b
}

// entry counts one entry.
func (b *budget) entry() error {
	b.entries++
	if b.entries > b.maxEntries {
		return &Error{Reason: fmt.Sprintf("the archive has more than max_entries = %d entries", b.maxEntries)}
	}
	return nil
}

// fits tells whether n more bytes may come, so that a file that says its size is refused before it is written.
func (b *budget) fits(n int64) error {
	if n < 0 || n > b.maxBytes-b.bytes-b.skipped {
		return &Error{Reason: fmt.Sprintf("the archive holds more than max_bytes = %s", schema.Size(b.maxBytes))}
	}
	return nil
}

// extracted counts n bytes of a file.
func (b *budget) extracted(n int64) error {
	if err := b.fits(n); err != nil {
		return err
	}
	b.bytes += n
	return nil
}

// left counts n bytes of a file that is left out.
func (b *budget) left(n int64) error {
	if err := b.fits(n); err != nil {
		return err
	}
	b.skipped += n
	return nil
}

// decompressed counts n bytes that came out of the decompressor.
func (b *budget) decompressed(n int64) error {
	b.stream += n
	if b.stream > ratioFloor && float64(b.stream) > b.maxRatio*float64(b.archive) {
		return &Error{Reason: fmt.Sprintf("the archive's content is more than max_ratio = %g times its size", b.maxRatio)}
	}
	return nil
}
