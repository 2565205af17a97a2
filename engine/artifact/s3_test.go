//go:build integration

package artifact

import (
	"net/url"
	"strings"
	"testing"

	"github.com/containerpub/cpub/internal/testenv"
)

func TestS3Store(t *testing.T) {
	env := testenv.Services(t)
	env.Setenv(t)
	t.Setenv("AWS_ACCESS_KEY_ID", env.AccessKey)
	t.Setenv("AWS_SECRET_ACCESS_KEY", env.SecretKey)
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	s3 := func(bucket string) string {
		return "s3://" + bucket + "?" + url.Values{
			"region": {env.Region}, "endpoint": {env.S3}, "use_path_style": {"true"},
		}.Encode()
	}
	conformance(t, s3("functions"))
	t.Run("a bucket that is not there", func(t *testing.T) {
		s, err := Open(t.Context(), s3("nothing-here"))
		if err == nil {
			t.Fatal("it was opened", s.Close())
		}
		if !strings.Contains(err.Error(), "nothing-here") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("wrong credentials", func(t *testing.T) {
		t.Setenv("AWS_SECRET_ACCESS_KEY", "wrong")
		if s, err := Open(t.Context(), s3("functions")); err == nil {
			t.Fatal("it was opened", s.Close())
		}
	})
}
