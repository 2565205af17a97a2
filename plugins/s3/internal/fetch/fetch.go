// Package fetch downloads objects in parallel ranges, goes on where an earlier download stopped, and believes nothing that it
// has not verified.
package fetch

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/containerpub/cpub/plugins/s3/internal/client"
	"github.com/containerpub/cpub/plugins/s3/internal/fault"
	"github.com/containerpub/cpub/plugins/s3/internal/parts"
)

// The bounds and defaults of Options.
const (
	MinPartSize        = 1 << 20
	DefaultConcurrency = 8
	MaxConcurrency     = 64

	maxParts = 10_000
	// maxRounds is how often a download starts anew because the object was replaced in the meantime.
	maxRounds = 3
)

// Object names what to download.
type Object struct {
	Bucket, Key string
	VersionID   string // empty: the newest
}

// Options say how to download. The zero value, and nil, mean the defaults.
type Options struct {
	parts.Parts // the ranges

	SHA256   string // what the content must have, in lower-case hex; empty: anything
	Progress func(done, total int64)
	Logf     func(format string, args ...any)
}

// Result says what was downloaded.
type Result struct {
	Path        string // the content, in the download's folder
	ETag        string // without quotes
	VersionID   string // empty: the bucket has no versions
	ContentType string
	Size        int64
	Cached      bool // all of it was there already
}

// errChanged says that the object is no longer the one that the download began with.
var errChanged = errors.New("the object was replaced while it was downloaded")

// Fetch downloads an object into dir, a folder of this download alone, which it makes. A transient failure leaves there what
// the next call needs to go on; any other leaves nothing. A repeated call with everything there verifies it and is quick. Two
// calls for one folder at once: the second fails as transient.
func Fetch(ctx context.Context, c *client.Client, o Object, dir string, opts *Options) (Result, error) {
	f := &fetcher{client: c, object: o, opts: opts.withDefaults()}
	if err := c.Authenticated(ctx); err != nil {
		return Result{}, err
	}
	lock, err := lockDir(dir)
	if err != nil {
		return Result{}, err
	}
	defer lock.release()
	res, err := f.rounds(ctx, dir)
	if err != nil && !fault.Transient(err) {
		if rerr := os.RemoveAll(dir); rerr != nil {
			return Result{}, errors.Join(err, fmt.Errorf("removing the download: %w", rerr))
		}
	}
	return res, err
}

type fetcher struct {
	client *client.Client
	object Object
	opts   Options
}

func (o *Options) withDefaults() Options {
	var out Options
	if o != nil {
		out = *o
	}
	out.Parts = parts.Bounds{MinSize: MinPartSize, DefaultConcurrency: DefaultConcurrency, MaxConcurrency: MaxConcurrency}.Fit(out.Parts)
	if out.Progress == nil {
		out.Progress = func(int64, int64) {}
	}
	if out.Logf == nil {
		out.Logf = func(string, ...any) {}
	}
	return out
}

// rounds downloads, and starts anew when the object is replaced meanwhile.
func (f *fetcher) rounds(ctx context.Context, dir string) (Result, error) {
	for range maxRounds {
		res, err := f.round(ctx, dir)
		if !errors.Is(err, errChanged) {
			return res, err
		}
		f.opts.Logf("%v; starting anew", err)
	}
	return Result{}, fmt.Errorf("downloading %s: %w, %d times in a row", f.place(), errChanged, maxRounds)
}

// round is one download of one state of the object.
func (f *fetcher) round(ctx context.Context, dir string) (res Result, err error) {
	// One ordinary request comes first: only its answer tells a missing bucket from a missing key, and for a small object
	// it is all that is needed.
	out, err := f.client.GetObject(ctx, f.request())
	if err != nil {
		return Result{}, f.explain(ctx, err)
	}
	defer func() { _ = out.Body.Close() }()
	if out.ContentLength == nil || aws.ToString(out.ETag) == "" {
		return Result{}, fmt.Errorf("downloading %s: %s does not say which ETag and length the object has", f.place(), f.client.Endpoint())
	}
	id := f.identity(out)
	dl, err := openDownload(dir, id, f.opts.Logf)
	if err != nil {
		return Result{}, err
	}
	defer func() { err = errors.Join(err, dl.close()) }()

	cached := len(dl.missing()) == 0 && id.Size > 0
	if err := f.parts(ctx, dl, out.Body); err != nil {
		return Result{}, err
	}
	if err := f.verify(ctx, dl, out); err != nil {
		return Result{}, errors.Join(err, dl.discard())
	}
	path, err := dl.complete()
	if err != nil {
		return Result{}, err
	}
	return Result{
		Path: path, ETag: unquote(id.ETag), VersionID: id.VersionID, ContentType: aws.ToString(out.ContentType), Size: id.Size, Cached: cached,
	}, nil
}

func (f *fetcher) request() *s3.GetObjectInput {
	in := &s3.GetObjectInput{Bucket: &f.object.Bucket, Key: &f.object.Key, ChecksumMode: types.ChecksumModeEnabled}
	if f.object.VersionID != "" {
		in.VersionId = &f.object.VersionID
	}
	return in
}

// identity is what makes two answers be about the same bytes.
func (f *fetcher) identity(out *s3.GetObjectOutput) identity {
	id := identity{
		Bucket: f.object.Bucket, Key: f.object.Key, ETag: aws.ToString(out.ETag), Size: *out.ContentLength, PartSize: f.opts.PartSize,
	}
	if v := aws.ToString(out.VersionId); v != "null" {
		id.VersionID = v
	}
	for id.Size > id.PartSize*maxParts {
		id.PartSize *= 2
	}
	return id
}

func (f *fetcher) place() fault.Place {
	return f.client.Place(f.object.Bucket, f.object.Key, f.object.VersionID)
}

func (f *fetcher) explain(ctx context.Context, err error) error {
	return fault.Explain(ctx, "downloading", f.place(), err)
}

func unquote(etag string) string {
	if n := len(etag); n >= 2 && etag[0] == '"' && etag[n-1] == '"' {
		return etag[1 : n-1]
	}
	return etag
}

// readerFunc makes a function an io.Reader.
type readerFunc func([]byte) (int, error)

func (r readerFunc) Read(p []byte) (int, error) { return r(p) }
