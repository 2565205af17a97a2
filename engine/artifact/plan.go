package artifact

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"strings"
)

// MaxPlanSize is the most bytes that a plan, or another document that Temporal's history names by its digest, may have.
const MaxPlanSize = 1 << 20

// PutPlan stores an encoded plan and gives its digest.
func (s *Store) PutPlan(ctx context.Context, data []byte) (string, error) {
	if len(data) > MaxPlanSize {
		return "", fmt.Errorf("the plan has %d bytes, more than the %d that are possible", len(data), MaxPlanSize)
	}
	return s.putBytes(ctx, data)
}

// Plan gives the encoded plan of that digest, verified. The error wraps ErrNotFound where the store does not have it.
func (s *Store) Plan(ctx context.Context, digest string) ([]byte, error) {
	return s.getBytes(ctx, digest, MaxPlanSize)
}

// Publish makes a plan the one that a pipeline's name starts in a Temporal namespace, in place of the one before.
func (s *Store) Publish(ctx context.Context, namespace, pipeline, digest string) error {
	if _, err := parseDigest(digest); err != nil {
		return err
	}
	if has, err := s.Has(ctx, digest); err != nil {
		return err
	} else if !has {
		return fmt.Errorf("publishing pipeline %q: its plan %s: %w", pipeline, digest, ErrNotFound)
	}
	if err := s.bucket.WriteAll(ctx, publishedKey(namespace, pipeline), []byte(digest), nil); err != nil {
		return fmt.Errorf("publishing pipeline %q: %w", pipeline, err)
	}
	return nil
}

// Published gives the digest of the plan that is published under a pipeline's name. The error wraps ErrNotFound where there is none.
func (s *Store) Published(ctx context.Context, namespace, pipeline string) (string, error) {
	r, err := s.bucket.NewReader(ctx, publishedKey(namespace, pipeline), nil)
	if err != nil {
		return "", notFound(fmt.Sprintf("the published pipeline %q of namespace %q", pipeline, namespace), err)
	}
	data, err := io.ReadAll(io.LimitReader(r, 256))
	if err = errors.Join(err, r.Close()); err != nil {
		return "", fmt.Errorf("reading what is published as %q: %w", pipeline, err)
	}
	digest := strings.TrimSpace(string(data))
	if _, err := parseDigest(digest); err != nil {
		return "", fmt.Errorf("reading what is published as %q: %w", pipeline, err)
	}
	return digest, nil
}

func publishedKey(namespace, pipeline string) string {
	return "published/" + segment(namespace) + "/" + segment(pipeline)
}

// segment makes one segment of a key of any text.
func segment(s string) string {
	return strings.ReplaceAll(url.PathEscape(s), ".", "%2E")
}
