package artifact

import (
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"gocloud.dev/blob"
)

// Object is one thing as it lies in the store.
type Object struct {
	Key      string // with slashes
	Size     int64
	Modified time.Time
}

// Objects calls each for everything in the store whose key begins with the prefix, in the order of the keys, until it returns an error, which
// Objects returns.
func (s *Store) Objects(ctx context.Context, prefix string, each func(Object) error) error {
	for it := s.bucket.List(&blob.ListOptions{Prefix: prefix}); ; {
		o, err := it.Next(ctx)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("listing the store: %w", err)
		}
		if err := each(Object{Key: o.Key, Size: o.Size, Modified: o.ModTime}); err != nil {
			return err
		}
	}
}
