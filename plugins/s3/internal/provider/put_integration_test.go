//go:build integration

package provider

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/containerpub/cpub/plugins/s3/internal/fault"
	"github.com/containerpub/cpub/plugins/s3/internal/parts"
	"github.com/containerpub/cpub/plugins/s3/internal/put"
	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/sdktest"
)

func TestPutIntegration(t *testing.T) {
	g := startGateway(t)
	store := sdktest.ObjectStore{Bucket: bucket, Missing: "missing", Versioned: versioned, Put: g.put, Get: g.get}
	config := g.config(map[string]any{"part_size": "5MiB"})
	t.Run("suite", func(t *testing.T) {
		sdktest.ObjectPut(t, sdktest.New(t, New(), sdktest.Options{Config: config}), store)
	})
	t.Run("suite over the wire", func(t *testing.T) {
		sdktest.ObjectPut(t, sdktest.New(t, New(), sdktest.Options{Config: config, Wire: true}), store)
	})
	t.Run("leaves no parts when cut", func(t *testing.T) { putCut(t, g) })
	t.Run("leaves no parts when cancelled", func(t *testing.T) { putCancelled(t, g) })
	t.Run("removes a lost attempt's parts", func(t *testing.T) { putAfterLost(t, g) })
	t.Run("does not upload twice", func(t *testing.T) { putTwice(t, g) })
	t.Run("if_none_match in parts", func(t *testing.T) { putLargeOnce(t, g) })
	t.Run("what was put is fetched", func(t *testing.T) { putThenFetch(t, g) })
}

// putCut breaks the connections in the middle of every part, and mends them for the removal of the parts.
func putCut(t *testing.T, g *gateway) {
	p := startProxy(t, g.S3)
	p.upConn.Store(3 * mib)
	h := sdktest.New(t, New(), sdktest.Options{Config: g.config(map[string]any{"endpoint": p.url, "part_size": "5MiB"})})
	res := h.Run(sdktest.Call{Type: "object_put", Input: map[string]any{"bucket": bucket, "key": "cut", "file": h.Bytes("f", noise(20, 12*mib))}})
	if res.Err == nil || !fault.Transient(res.Err) {
		t.Errorf("error %v, want a transient one", res.Err)
	}
	if n := g.uploads(t); n > 0 {
		t.Errorf("%d uploads in parts are left", n)
	}
	if g.get(t, bucket, "cut") != nil {
		t.Error("a part of the object is there")
	}
}

func putCancelled(t *testing.T, g *gateway) {
	ctx, cancel := context.WithCancelCause(t.Context())
	defer cancel(nil)
	_, err := put.Put(ctx, g.Client, put.Object{Bucket: bucket, Key: "cancelled", Body: bytes.NewReader(noise(21, 25*mib)), Token: "t"}, &put.Options{
		Parts: parts.Parts{PartSize: 5 * mib, Concurrency: 1}, Progress: func(int64, int64) { cancel(sdk.ErrCancelled) },
	})
	if !errors.Is(err, sdk.ErrCancelled) {
		t.Errorf("error %v, want the context's cause", err)
	}
	for range 50 { // the gateway may still be reading the part that was cancelled
		if g.uploads(t) == 0 {
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
	t.Errorf("%d uploads in parts are left", g.uploads(t))
}

func putAfterLost(t *testing.T, g *gateway) {
	began, err := g.CreateMultipartUpload(t.Context(), &s3.CreateMultipartUploadInput{Bucket: aws.String(bucket), Key: aws.String("lost")})
	must(t, err)
	h := sdktest.New(t, New(), sdktest.Options{Config: g.config(map[string]any{"part_size": "5MiB"})})
	in := map[string]any{"bucket": bucket, "key": "lost", "file": h.Bytes("f", noise(22, 12*mib))}
	for attempt := 2; attempt <= 3; attempt++ { // the second time the upload is no more, which is fine
		res := h.Run(sdktest.Call{
			Type: "object_put", Input: in, Attempt: attempt, Checkpoint: []byte(`{"upload_id":"` + aws.ToString(began.UploadId) + `"}`),
		})
		res.Decode(&struct{}{})
		if len(res.LastCheckpoint()) == 0 {
			t.Error("the upload's id was not kept for the next attempt")
		}
	}
	if n := g.uploads(t); n > 0 {
		t.Errorf("%d uploads in parts are left", n)
	}
}

func putTwice(t *testing.T, g *gateway) {
	h := sdktest.New(t, New(), sdktest.Options{Config: g.config(nil)})
	in := map[string]any{"bucket": versioned, "key": "twice", "content": "x"}
	first := h.Run(sdktest.Call{Type: "object_put", Input: in})
	again := h.Run(sdktest.Call{Type: "object_put", Input: in, Key: first.Key, Attempt: 2})
	var a, b putOutput
	first.Decode(&a)
	again.Decode(&b)
	if a.VersionID == nil || b.VersionID == nil || *a.VersionID != *b.VersionID {
		t.Errorf("outputs %s, then %s: a repeated attempt made another version", first.Outputs, again.Outputs)
	}
	other := h.Run(sdktest.Call{Type: "object_put", Input: in})
	other.Decode(&b)
	if *a.VersionID == *b.VersionID {
		t.Error("another step's upload of the same content was not done")
	}
}

func putLargeOnce(t *testing.T, g *gateway) {
	h := sdktest.New(t, New(), sdktest.Options{Config: g.config(map[string]any{"part_size": "5MiB"})})
	in := map[string]any{"bucket": bucket, "key": "large-once", "file": h.Bytes("f", noise(23, 11*mib)), "if_none_match": true}
	first := h.Run(sdktest.Call{Type: "object_put", Input: in})
	first.Decode(&struct{}{})
	again := h.Run(sdktest.Call{Type: "object_put", Input: in, Key: first.Key, Attempt: 2})
	again.Decode(&struct{}{})
	wantError(t, h.Run(sdktest.Call{Type: "object_put", Input: in}).Err, sdk.KindPermanent, fault.CodeExists)
	if n := g.uploads(t); n > 0 {
		t.Errorf("%d uploads in parts are left", n)
	}
}

func putThenFetch(t *testing.T, g *gateway) {
	h := sdktest.New(t, New(), sdktest.Options{Config: g.config(map[string]any{"part_size": "5MiB"})})
	file := h.Bytes("f", noise(24, 23*mib))
	var up putOutput
	h.Run(sdktest.Call{Type: "object_put", Input: map[string]any{"bucket": bucket, "key": "round/trip ü+&", "file": file}}).Decode(&up)
	var down fetchOutput
	h.Run(g.fetchCall("", "round/trip ü+&")).Decode(&down)
	if up.ETag != down.ETag || down.File.Digest != file.Digest {
		t.Errorf("put %+v, fetched %+v", up, down)
	}
}
