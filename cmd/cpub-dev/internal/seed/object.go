package seed

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/config"
	"github.com/aws/aws-sdk-go-v2/service/s3"
	"github.com/aws/aws-sdk-go-v2/service/s3/types"
)

// Object uploads path to target ("s3://BUCKET/KEY") and makes the bucket if there is none. A folder is packed as tar.gz first.
// Endpoint and credentials are the SDK's own (AWS_ENDPOINT_URL, AWS_ACCESS_KEY_ID, ...).
func Object(ctx context.Context, path, target string) error {
	bucket, key, ok := strings.Cut(strings.TrimPrefix(target, "s3://"), "/")
	if !ok || bucket == "" || key == "" || !strings.HasPrefix(target, "s3://") {
		return fmt.Errorf("%q is no object: write s3://BUCKET/KEY", target)
	}
	f, cleanup, err := open(path)
	if err != nil {
		return err
	}
	defer cleanup()
	cfg, err := config.LoadDefaultConfig(ctx)
	if err != nil {
		return fmt.Errorf("reading the S3 settings: %w", err)
	}
	client := s3.NewFromConfig(cfg, func(o *s3.Options) { o.UsePathStyle = true })
	if err := ensureBucket(ctx, client, bucket); err != nil {
		return err
	}
	if _, err := client.PutObject(ctx, &s3.PutObjectInput{Bucket: &bucket, Key: &key, Body: f}); err != nil {
		return fmt.Errorf("uploading to %s: %w", target, err)
	}
	return nil
}

func ensureBucket(ctx context.Context, client *s3.Client, bucket string) error {
	_, err := client.CreateBucket(ctx, &s3.CreateBucketInput{Bucket: aws.String(bucket)})
	var owned *types.BucketAlreadyOwnedByYou
	var exists *types.BucketAlreadyExists
	if err != nil && !errors.As(err, &owned) && !errors.As(err, &exists) {
		return fmt.Errorf("making bucket %q: %w", bucket, err)
	}
	return nil
}

// open gives the file at path, or the folder at path as a tar.gz in a temporary file.
func open(path string) (f *os.File, cleanup func(), err error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, nil, err
	}
	if !info.IsDir() {
		f, err = os.Open(path) //nolint:gosec // the user names the file
		return f, func() { f.Close() }, err
	}
	f, err = os.CreateTemp("", "cpub-dev-*.tar.gz")
	if err != nil {
		return nil, nil, err
	}
	cleanup = func() {
		f.Close()
		os.Remove(f.Name())
	}
	if err = WriteTarGz(f, path); err == nil {
		_, err = f.Seek(0, 0)
	}
	if err != nil {
		cleanup()
		return nil, nil, err
	}
	return f, cleanup, nil
}
