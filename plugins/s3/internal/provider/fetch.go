package provider

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path"
	"path/filepath"
	"strings"
	"syscall"

	"github.com/containerpub/cpub/plugins/s3/internal/fetch"
	"github.com/containerpub/cpub/sdk"
)

type fetchInput struct {
	Bucket    string `json:"bucket"`
	Key       string `json:"key"`
	VersionID string `json:"version_id"`
	SHA256    string `json:"sha256"`
}

type fetchOutput struct {
	File      *sdk.Artifact `json:"file"`
	ETag      string        `json:"etag"`
	Size      int64         `json:"size"`
	VersionID *string       `json:"version_id"`
	Cached    bool          `json:"cached"`
}

// runFetch carries out object_fetch. What has arrived is kept under the step's key until the key is released: the next
// attempt goes on with it, whether this one was lost or failed, because every part of it is verified.
func (p *Provider) runFetch(ctx context.Context, req *sdk.Request) (any, error) {
	var in fetchInput
	if err := req.Decode(&in); err != nil {
		return nil, err
	}
	sum, err := in.validate()
	if err != nil {
		return nil, err
	}
	own := p.download(req.Key)
	if err := own.claim(req.Run); err != nil {
		return nil, err
	}
	res, err := fetch.Fetch(ctx, p.client, fetch.Object{Bucket: in.Bucket, Key: in.Key, VersionID: in.VersionID}, own.content(), &fetch.Options{
		Parts: p.settings.parts(), SHA256: sum, Logf: req.Logf,
		Progress: func(done, total int64) {
			req.Progress(sdk.Progress{Message: "downloading " + path.Base(in.Key), Done: done, Total: total, Unit: "bytes"})
		},
	})
	if err != nil {
		return nil, err
	}
	dest := filepath.Join(req.Scratch, "object")
	if err := share(res.Path, dest); err != nil {
		return nil, err
	}
	req.Logf("s3://%s/%s has %d bytes, ETag %s", in.Bucket, in.Key, res.Size, res.ETag)
	return fetchOutput{
		File: sdk.File(dest, path.Base(in.Key), mediaType(res.ContentType)), ETag: res.ETag, Size: res.Size,
		VersionID: optional(res.VersionID), Cached: res.Cached,
	}, nil
}

// validate checks the input and gives the expected SHA-256 in lower-case hex, or nothing.
func (in fetchInput) validate() (string, error) {
	if err := checkAddress(in.Bucket, in.Key); err != nil {
		return "", err
	}
	sum := strings.ToLower(strings.TrimPrefix(in.SHA256, "sha256:"))
	if b, err := hex.DecodeString(sum); err != nil || len(b) != 0 && len(b) != 32 {
		return "", sdk.Invalidf("sha256", "sha256 = %q: a SHA-256 has 64 hex digits", in.SHA256)
	}
	return sum, nil
}

func checkAddress(bucket, key string) error {
	if bucket == "" || strings.Contains(bucket, "/") {
		return sdk.Invalidf("bucket", "%q is no name that a bucket can have", bucket)
	}
	if key == "" || len(key) > 1024 {
		return sdk.Invalidf("key", "a key has 1 to 1024 bytes, and this has %d", len(key))
	}
	return nil
}

// share makes a file that stays where it is available under another name, by a link where that is possible.
func share(from, to string) error {
	err := os.Link(from, to)
	if err == nil {
		return nil
	}
	if !errors.Is(err, syscall.EXDEV) && !errors.Is(err, syscall.EPERM) && !errors.Is(err, syscall.EMLINK) {
		return fmt.Errorf("handing over the download: %w", err)
	}
	if err := copyFile(from, to); err != nil {
		return fmt.Errorf("handing over the download: %w", err)
	}
	return nil
}

func copyFile(from, to string) (err error) {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer func() { _ = in.Close() }()
	out, err := os.OpenFile(to, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	_, err = io.Copy(out, in)
	return err
}

func mediaType(s string) string {
	if s == "" || s == "binary/octet-stream" {
		return sdk.MediaTypeBytes
	}
	return s
}

// optional is nil for an empty string.
func optional(s string) *string {
	if s == "" {
		return nil
	}
	return &s
}
