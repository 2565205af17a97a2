// Package artifact is the content-addressed store of files and directories, of plans and of live log chunks, and the local cache
// of a worker. What is read is verified before its end is reported.
package artifact

import (
	"context"
	"errors"
	"fmt"
	"net/url"

	"gocloud.dev/blob"
	"gocloud.dev/blob/fileblob"
	"gocloud.dev/blob/memblob"
	"gocloud.dev/blob/s3blob"
	"gocloud.dev/gcerrors"
)

// ErrNotFound is wrapped by errors about what the store does not have.
var ErrNotFound = errors.New("not in the store")

// ErrCorrupt is wrapped by errors about bytes that do not have the digest they are stored under.
var ErrCorrupt = errors.New("the bytes do not have their digest")

// Store keeps bytes under their digests. Its methods may be called concurrently, by any number of processes over one place.
type Store struct {
	bucket *blob.Bucket
}

// Open opens the store at a URL:
//
//	file:///var/lib/cpub/store?create_dir=1&no_tmp_dir=1
//	s3://bucket?region=…&endpoint=…&use_path_style=true
//	mem://
//
// The place is looked at: one that cannot be reached is an error. Close it when done.
func Open(ctx context.Context, rawURL string) (*Store, error) {
	u, err := url.Parse(rawURL)
	if err != nil {
		return nil, fmt.Errorf("the store's URL %q: %w", rawURL, err)
	}
	bucket, err := openBucket(ctx, u)
	if err != nil {
		return nil, fmt.Errorf("opening the store %s: %w", u.Redacted(), err)
	}
	ok, err := bucket.IsAccessible(ctx)
	if err == nil && !ok {
		err = errors.New("it is not there, or these credentials do not reach it")
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening the store %s: %w", u.Redacted(), err), bucket.Close())
	}
	return &Store{bucket: bucket}, nil
}

func openBucket(ctx context.Context, u *url.URL) (*blob.Bucket, error) {
	switch u.Scheme {
	case fileblob.Scheme:
		// What is stored names itself, so that attribute files beside it are of no use.
		opener := &fileblob.URLOpener{Options: fileblob.Options{Metadata: fileblob.MetadataDontWrite, DirFileMode: 0o700}}
		return opener.OpenBucketURL(ctx, u)
	case s3blob.Scheme:
		return (&s3blob.URLOpener{}).OpenBucketURL(ctx, withoutResponseChecksums(u))
	case memblob.Scheme:
		return (&memblob.URLOpener{}).OpenBucketURL(ctx, u)
	default:
		return nil, fmt.Errorf("a store is a file://, s3:// or mem:// URL")
	}
}

// withoutResponseChecksums leaves the verifying to us, unless the URL says otherwise: every read has a digest, and the SDK warns on
// stderr about each multipart object that it cannot verify.
func withoutResponseChecksums(u *url.URL) *url.URL {
	const param = "response_checksum_validation"
	out, q := *u, u.Query()
	if !q.Has(param) {
		q.Set(param, "when_required")
		out.RawQuery = q.Encode()
	}
	return &out
}

// Close lets go of the store.
func (s *Store) Close() error { return s.bucket.Close() }

// notFound makes an error of the store ours.
func notFound(what string, err error) error {
	if gcerrors.Code(err) == gcerrors.NotFound {
		return fmt.Errorf("%s: %w", what, ErrNotFound)
	}
	return fmt.Errorf("%s: %w", what, err)
}
