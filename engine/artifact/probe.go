package artifact

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"time"

	"gocloud.dev/blob"
	"gocloud.dev/gcerrors"
)

// Probe is what a store did with an object that was written to try it.
type Probe struct {
	// Err is why an object cannot be written, read back or deleted; nil where all of that works.
	Err error
	// Overwrites tells that the store ignores the condition "only where there is nothing yet": of two workers that write one chunk of a log,
	// the second then destroys what the first one wrote.
	Overwrites bool
	// Time is the store's clock when it took the object, to the second; zero where it does not tell.
	Time time.Time
}

// Probe writes an object of a few bytes, reads it, writes it again under the condition that it is not there, and deletes it.
func (s *Store) Probe(ctx context.Context) (p Probe) {
	key, data := "doctor/"+rand.Text(), []byte("written by cpub doctor; it may be deleted\n")
	if err := s.bucket.WriteAll(ctx, key, data, &blob.WriterOptions{ContentType: "text/plain"}); err != nil {
		return Probe{Err: fmt.Errorf("writing to the store: %w", err)}
	}
	defer func() {
		if err := s.bucket.Delete(ctx, key); err != nil {
			p.Err = errors.Join(p.Err, fmt.Errorf("deleting from the store: %w", err))
		}
	}()
	read, err := s.bucket.ReadAll(ctx, key)
	if err == nil && !bytes.Equal(read, data) {
		err = ErrCorrupt
	}
	if err != nil {
		return Probe{Err: fmt.Errorf("reading from the store: %w", err)}
	}
	if a, err := s.bucket.Attributes(ctx, key); err == nil {
		p.Time = a.ModTime
	}
	switch err := s.bucket.WriteAll(ctx, key, data, &blob.WriterOptions{ContentType: "text/plain", IfNotExist: true}); gcerrors.Code(err) {
	case gcerrors.OK:
		p.Overwrites = true
	case gcerrors.FailedPrecondition:
	default:
		p.Err = fmt.Errorf("writing to the store on a condition: %w", err)
	}
	return p
}
