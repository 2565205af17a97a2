package provider

import (
	"context"
	"encoding/json"
	"io"
	"os"
	"path"
	"strings"

	"github.com/containerpub/cpub/plugins/s3/internal/put"
	"github.com/containerpub/cpub/sdk"
)

type putInput struct {
	Bucket      string            `json:"bucket"`
	Key         string            `json:"key"`
	File        *sdk.Artifact     `json:"file"`
	Content     *string           `json:"content"`
	ContentType string            `json:"content_type"`
	Metadata    map[string]string `json:"metadata"`
	IfNoneMatch bool              `json:"if_none_match"`
}

type putOutput struct {
	ETag      string  `json:"etag"`
	VersionID *string `json:"version_id"`
	URL       string  `json:"url"`
}

// putCheckpoint is what an attempt leaves for the one after it.
type putCheckpoint struct {
	UploadID string `json:"upload_id"`
}

// runPut carries out object_put.
func (p *Provider) runPut(ctx context.Context, req *sdk.Request) (any, error) {
	var in putInput
	if err := req.Decode(&in); err != nil {
		return nil, err
	}
	if err := in.validate(); err != nil {
		return nil, err
	}
	body, contentType, closeBody, err := in.open(req)
	if err != nil {
		return nil, err
	}
	defer closeBody()
	res, err := put.Put(ctx, p.client, put.Object{
		Bucket: in.Bucket, Key: in.Key, Body: body, ContentType: contentType, Metadata: in.Metadata, IfNoneMatch: in.IfNoneMatch, Token: req.Key,
	}, p.putOptions(req, in))
	if err != nil {
		return nil, err
	}
	if res.Adopted {
		req.Logf("an earlier attempt had uploaded s3://%s/%s", in.Bucket, in.Key)
	}
	return putOutput{ETag: res.ETag, VersionID: optional(res.VersionID), URL: "s3://" + in.Bucket + "/" + in.Key}, nil
}

func (p *Provider) putOptions(req *sdk.Request, in putInput) *put.Options {
	var last putCheckpoint
	if len(req.Checkpoint) > 0 && json.Unmarshal(req.Checkpoint, &last) != nil {
		last = putCheckpoint{} // of another version: what it names is the bucket's lifecycle rules' to remove
	}
	sizes := p.settings.parts()
	sizes.Concurrency = (sizes.Concurrency + 1) / 2 // each part is held in memory
	return &put.Options{
		Parts:    sizes,
		Repeated: req.Attempt > 1, Unfinished: last.UploadID,
		Began: func(id string) {
			if err := req.SaveCheckpoint(putCheckpoint{id}); err != nil {
				req.Logf("the upload's id cannot be kept: %v", err)
			}
		},
		Progress: func(done, total int64) {
			req.Progress(sdk.Progress{Message: "uploading " + path.Base(in.Key), Done: done, Total: total, Unit: "bytes"})
		},
	}
}

func (in putInput) validate() error {
	if err := checkAddress(in.Bucket, in.Key); err != nil {
		return err
	}
	if in.File == nil && in.Content == nil {
		return sdk.Invalidf("file", "nothing is to be uploaded: set file, or content")
	}
	if in.File != nil && in.Content != nil {
		return sdk.Invalidf("content", "file and content exclude each other: set one")
	}
	for k, v := range in.Metadata {
		if !headerSafe(k) || !headerSafe(v) || k == "" || strings.ContainsAny(k, " :") {
			return sdk.Invalidf("metadata."+k, "names and values of metadata are printable ASCII, and names have no space or colon")
		}
		if l := strings.ToLower(k); l == put.MetadataKey || l == put.MetadataSHA256 {
			return sdk.Invalidf("metadata."+k, "%s is written by the step itself", l)
		}
	}
	if !headerSafe(in.ContentType) {
		return sdk.Invalidf("content_type", "%q is no media type", in.ContentType)
	}
	return nil
}

// headerSafe tells whether a string arrives unchanged in a header.
func headerSafe(s string) bool {
	for _, c := range []byte(s) {
		if c < ' ' || c > '~' {
			return false
		}
	}
	return strings.TrimSpace(s) == s
}

// open gives what to upload, from its start, and its media type.
func (in putInput) open(req *sdk.Request) (body io.ReadSeeker, contentType string, closeBody func(), err error) {
	contentType = in.ContentType
	if in.Content != nil {
		if contentType == "" {
			contentType = "text/plain; charset=utf-8"
		}
		return strings.NewReader(*in.Content), contentType, func() {}, nil
	}
	if contentType == "" {
		contentType = mediaType(in.File.MediaType)
	}
	file, err := req.Path(in.File)
	if err != nil {
		return nil, "", nil, err
	}
	f, err := os.Open(file)
	if err != nil {
		return nil, "", nil, err
	}
	return f, contentType, func() { _ = f.Close() }, nil
}
