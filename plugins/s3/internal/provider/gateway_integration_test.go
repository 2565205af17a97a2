//go:build integration

package provider

import (
	"bytes"
	"errors"
	"io"
	"math/rand/v2"
	"testing"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"

	"github.com/containerpub/cpub/plugins/s3/internal/client"
	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/sdktest"
)

const (
	bucket    = "objects"
	versioned = "versions"
)

// gateway is a real S3 gateway, with the test's own access to it.
type gateway struct {
	gatewayEnv
	*client.Client
}

func startGateway(t *testing.T) *gateway {
	t.Helper()
	g := &gateway{gatewayEnv: services(t)}
	var err error
	g.Client, err = client.New(t.Context(), client.Config{
		Endpoint: g.S3, Region: g.Region, PathStyle: true, AccessKeyID: g.AccessKey, SecretAccessKey: g.SecretKey,
	})
	must(t, err)
	for _, name := range []string{bucket, versioned} {
		_, err := g.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String(name)})
		must(t, err)
	}
	_, err = g.PutBucketVersioning(t.Context(), &s3.PutBucketVersioningInput{
		Bucket: aws.String(versioned), VersioningConfiguration: &types.VersioningConfiguration{Status: types.BucketVersioningStatusEnabled},
	})
	must(t, err)
	return g
}

// config is the provider's configuration for this gateway, with changes.
func (g *gateway) config(changes map[string]any) map[string]any {
	c := map[string]any{
		"endpoint": g.S3, "region": g.Region, "path_style": true, "access_key_id": g.AccessKey, "secret_access_key": g.SecretKey,
	}
	for k, v := range changes {
		c[k] = v
	}
	return c
}

// put writes an object past the provider.
func (g *gateway) put(t testing.TB, bucket, key string, content []byte) string {
	t.Helper()
	out, err := g.PutObject(t.Context(), &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: bytes.NewReader(content)})
	must(t, err)
	return aws.ToString(out.VersionId)
}

// get reads an object past the provider.
func (g *gateway) get(t testing.TB, bucket, key string) *sdktest.Object {
	t.Helper()
	out, err := g.GetObject(t.Context(), &s3.GetObjectInput{Bucket: &bucket, Key: &key})
	var none *types.NoSuchKey
	if errors.As(err, &none) {
		return nil
	}
	must(t, err)
	defer func() { must(t, out.Body.Close()) }()
	content, err := io.ReadAll(out.Body)
	must(t, err)
	return &sdktest.Object{Content: content, ContentType: aws.ToString(out.ContentType), Metadata: out.Metadata}
}

// uploads counts the uploads in parts that are neither completed nor removed.
func (g *gateway) uploads(t testing.TB) int {
	t.Helper()
	out, err := g.ListMultipartUploads(t.Context(), &s3.ListMultipartUploadsInput{Bucket: aws.String(bucket)})
	must(t, err)
	return len(out.Uploads)
}

// noise is content that cannot be guessed from its offset.
func noise(seed uint64, n int) []byte {
	b := make([]byte, n)
	r := rand.NewChaCha8([32]byte{byte(seed), byte(seed >> 8)})
	_, _ = r.Read(b)
	return b
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// wantError checks an error's kind and code.
func wantError(t *testing.T, err error, kind sdk.Kind, code string) {
	t.Helper()
	var e *sdk.Error
	if !errors.As(err, &e) {
		e = &sdk.Error{}
	}
	if err == nil || e.Kind != kind || e.Code != code {
		t.Errorf("error %v: kind %q and code %q, want %q and %q", err, e.Kind, e.Code, kind, code)
	}
}
