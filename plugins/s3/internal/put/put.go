// Package put uploads objects, large ones in parts, so that a repeated upload is the same upload and a failed one leaves
// nothing behind.
package put

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager"
	tmtypes "github.com/aws/aws-sdk-go-v2/feature/s3/transfermanager/types"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/containerpub/cpub/plugins/s3/internal/client"
	"github.com/containerpub/cpub/plugins/s3/internal/fault"
	"github.com/containerpub/cpub/plugins/s3/internal/parts"
	"github.com/containerpub/cpub/sdk"
)

// The user metadata that every object gets, by which a later attempt knows its own.
const (
	MetadataKey    = "cpub-key"    // the step's key
	MetadataSHA256 = "cpub-sha256" // of the content, in hex
)

const (
	// MinPartSize is what S3 wants parts to have at least.
	MinPartSize = 5 << 20
	// DefaultConcurrency is how many parts are sent at once. Each is held in memory.
	DefaultConcurrency = 4
	// MaxConcurrency bounds the memory that parts take.
	MaxConcurrency = 16

	// abortTimeout is how long removing a failed upload's parts may take, also when the step was cancelled.
	abortTimeout = 30 * time.Second
)

// Object is what to upload.
type Object struct {
	Bucket, Key string
	Body        io.ReadSeeker // from its start
	ContentType string
	Metadata    map[string]string
	IfNoneMatch bool // fail when the key is taken
	// Token is the same for all attempts of one upload, and no other's.
	Token string
}

// Options say how to upload. The zero value, and nil, mean the defaults.
type Options struct {
	// Parts are those of uploads larger than one; an upload up to PartSize has none.
	parts.Parts

	// Repeated says that an earlier attempt may have uploaded the object already.
	Repeated bool
	// Unfinished names an upload in parts that an earlier attempt began and may have left; empty: none.
	Unfinished string
	// Began is told the id of an upload in parts, before the first of them is sent.
	Began    func(uploadID string)
	Progress func(done, total int64)
}

// Result says what is there now.
type Result struct {
	ETag      string // without quotes
	VersionID string // empty: the bucket has no versions
	SHA256    string // of the content, in hex
	Adopted   bool   // an earlier attempt had uploaded it
}

// Put uploads an object. With IfNoneMatch an object that is there fails it for good, unless an earlier attempt made it, which
// Token tells. Parts of a failed upload are removed before it returns.
func Put(ctx context.Context, c *client.Client, o Object, opts *Options) (Result, error) {
	u := &upload{client: c, object: o, opts: opts.withDefaults()}
	if err := c.Authenticated(ctx); err != nil {
		return Result{}, err
	}
	if err := u.measure(ctx); err != nil {
		return Result{}, err
	}
	if err := u.abandon(ctx); err != nil {
		return Result{}, err
	}
	if u.opts.Repeated {
		if res, ok := u.adopt(ctx); ok {
			return res, nil
		}
	}
	return u.send(ctx)
}

func (o *Options) withDefaults() Options {
	var out Options
	if o != nil {
		out = *o
	}
	out.Parts = parts.Bounds{MinSize: MinPartSize, DefaultConcurrency: DefaultConcurrency, MaxConcurrency: MaxConcurrency}.Fit(out.Parts)
	if out.Began == nil {
		out.Began = func(string) {}
	}
	if out.Progress == nil {
		out.Progress = func(int64, int64) {}
	}
	return out
}

type upload struct {
	client *client.Client
	object Object
	opts   Options
	size   int64
	sum    []byte // SHA-256 of the content
}

// measure reads the content once, for its size and checksum.
func (u *upload) measure(ctx context.Context) error {
	h := sha256.New()
	n, err := io.Copy(h, &heeding{ctx, u.object.Body})
	if err == nil {
		_, err = u.object.Body.Seek(0, io.SeekStart)
	}
	if err != nil {
		return fmt.Errorf("reading what to upload: %w", err)
	}
	u.size, u.sum = n, h.Sum(nil)
	return nil
}

// abandon removes the parts that an earlier attempt left.
func (u *upload) abandon(ctx context.Context) error {
	if u.opts.Unfinished == "" {
		return nil
	}
	_, err := u.client.AbortMultipartUpload(ctx, &s3.AbortMultipartUploadInput{
		Bucket: &u.object.Bucket, Key: &u.object.Key, UploadId: &u.opts.Unfinished,
	})
	if err != nil && fault.Code(err) != "NoSuchUpload" && fault.Status(err) != http.StatusNotFound {
		return fault.Explain(ctx, "removing the parts of an earlier upload to", u.place(), err)
	}
	return nil
}

// adopt finds the object as an earlier attempt of this upload made it. That it cannot be looked at means no.
func (u *upload) adopt(ctx context.Context) (Result, bool) {
	out, err := u.client.HeadObject(ctx, &s3.HeadObjectInput{Bucket: &u.object.Bucket, Key: &u.object.Key})
	if err != nil || out.Metadata[MetadataKey] != u.object.Token || out.Metadata[MetadataSHA256] != hex.EncodeToString(u.sum) {
		return Result{}, false
	}
	return u.result(out.ETag, out.VersionId, true), true
}

// send uploads the content.
func (u *upload) send(ctx context.Context) (Result, error) {
	began := &announcing{Client: u.client.Client, began: u.opts.Began}
	tm := transfermanager.New(began, func(o *transfermanager.Options) {
		o.PartSizeBytes, o.MultipartUploadThreshold = u.opts.PartSize, u.opts.PartSize
		o.Concurrency = u.opts.Concurrency
		o.FailTimeout = abortTimeout
		o.ObjectProgressListeners.Register(listener{u.opts.Progress, u.size})
	})
	out, err := tm.UploadObject(ctx, u.input())
	if err == nil {
		return u.result(out.ETag, out.VersionID, false), nil
	}
	taken := u.object.IfNoneMatch && fault.Status(err) == http.StatusPreconditionFailed
	if !taken {
		return Result{}, fault.Explain(ctx, "uploading to", u.place(), err)
	}
	if res, ok := u.adopt(ctx); ok {
		return res, nil
	}
	return Result{}, &sdk.Error{Kind: sdk.KindPermanent, Code: fault.CodeExists, Err: fmt.Errorf(
		"uploading to %s: there is an object with this key already, and if_none_match forbids to replace it", u.place())}
}

func (u *upload) input() *transfermanager.UploadObjectInput {
	meta := map[string]string{MetadataKey: u.object.Token, MetadataSHA256: hex.EncodeToString(u.sum)}
	for k, v := range u.object.Metadata {
		meta[k] = v
	}
	in := &transfermanager.UploadObjectInput{
		Bucket: &u.object.Bucket, Key: &u.object.Key, Body: u.object.Body, Metadata: meta,
		ChecksumAlgorithm: tmtypes.ChecksumAlgorithmSha256,
	}
	if u.size < u.opts.PartSize {
		in.ContentLength = &u.size
		in.ChecksumSHA256 = aws.String(base64.StdEncoding.EncodeToString(u.sum))
	}
	if u.object.ContentType != "" {
		in.ContentType = &u.object.ContentType
	}
	if u.object.IfNoneMatch {
		in.IfNoneMatch = aws.String("*")
	}
	return in
}

func (u *upload) result(etag, version *string, adopted bool) Result {
	res := Result{ETag: unquote(aws.ToString(etag)), SHA256: hex.EncodeToString(u.sum), Adopted: adopted}
	if v := aws.ToString(version); v != "null" {
		res.VersionID = v
	}
	return res
}

func (u *upload) place() fault.Place { return u.client.Place(u.object.Bucket, u.object.Key, "") }

func unquote(etag string) string {
	if n := len(etag); n >= 2 && etag[0] == '"' && etag[n-1] == '"' {
		return etag[1 : n-1]
	}
	return etag
}

// announcing is a client that tells the id of an upload in parts as soon as there is one, so that it can be removed by
// another process should this one die.
type announcing struct {
	*s3.Client
	began func(uploadID string)
}

// CreateMultipartUpload implements transfermanager.S3APIClient.
func (a *announcing) CreateMultipartUpload(ctx context.Context, in *s3.CreateMultipartUploadInput, opts ...func(*s3.Options)) (*s3.CreateMultipartUploadOutput, error) {
	out, err := a.Client.CreateMultipartUpload(ctx, in, opts...)
	if err != nil {
		return nil, err
	}
	a.began(aws.ToString(out.UploadId))
	return out, nil
}

// listener passes progress on.
type listener struct {
	progress func(done, total int64)
	total    int64
}

// OnObjectBytesTransferred implements transfermanager.ObjectBytesTransferredListener.
func (l listener) OnObjectBytesTransferred(_ context.Context, e *transfermanager.ObjectBytesTransferredEvent) {
	l.progress(e.BytesTransferred, l.total)
}

// heeding is a reader that ends with its context.
type heeding struct {
	ctx context.Context //nolint:containedctx // an io.Reader has no other way to be told
	r   io.Reader
}

// Read implements io.Reader.
func (h *heeding) Read(p []byte) (int, error) {
	if err := context.Cause(h.ctx); err != nil {
		return 0, errors.Join(err)
	}
	return h.r.Read(p)
}
