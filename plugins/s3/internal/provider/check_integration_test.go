//go:build integration

package provider

import (
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/aws/aws-sdk-go-v2/aws"
	"github.com/aws/aws-sdk-go-v2/service/s3"

	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/sdktest"
)

// TestCheck causes everything that Check knows at a real gateway, does what its remedy says, and finds it well.
func TestCheck(t *testing.T) {
	g := startGateway(t)
	late := skewed(t, g.S3, -time.Hour)
	buckets := []string{bucket, "any-*"}
	caused := map[string]bool{}
	for _, tc := range []struct {
		finding string
		config  map[string]any
		detail  string
		remedy  string
		well    map[string]any // what the remedy makes of the config
		cure    func()
	}{
		{findingConfig, map[string]any{"part_size": "1MiB"}, "from 5MiB to 1GiB", "config block", nil, nil},
		{findingCredentials, map[string]any{"access_key_id": nil, "secret_access_key": nil, "profile": nil}, "no credentials", "set access_key_id", nil, nil},
		{findingReachable, map[string]any{"endpoint": "http://127.0.0.1:1"}, "cannot reach", "check endpoint", nil, nil},
		{findingAccepted, map[string]any{"secret_access_key": "wrong"}, "secret access key is wrong", "correct access_key_id", nil, nil},
		{findingRegion, map[string]any{"region": "elsewhere"}, "region", "correct region", nil, nil},
		{findingClock, map[string]any{"endpoint": late}, "this machine's", "chronyc makestep", nil, nil},
		{findingBucket, nil, "does not exist", "aws s3 mb s3://missing", nil, func() {
			_, err := g.CreateBucket(t.Context(), &s3.CreateBucketInput{Bucket: aws.String("missing")})
			must(t, err)
		}},
	} {
		t.Run(tc.finding, func(t *testing.T) {
			caused[tc.finding] = true
			for _, name := range []string{"AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_PROFILE"} {
				t.Setenv(name, "")
			}
			t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
			t.Setenv("HOME", t.TempDir())
			asked := buckets
			if tc.finding == findingBucket {
				asked = append(slices.Clone(buckets), "missing")
			}
			f := find(t, check(t, g.config(tc.config), asked), tc.finding)
			if f.OK || !strings.Contains(f.Detail, tc.detail) || !strings.Contains(f.Remedy, tc.remedy) {
				t.Errorf("%+v", f)
			}
			if tc.cure != nil {
				tc.cure()
			}
			for _, f := range check(t, g.config(tc.well), asked) {
				if !f.OK || f.Remedy != "" || f.Detail == "" {
					t.Errorf("after the remedy: %+v", f)
				}
			}
		})
	}
	for _, name := range findings() {
		if !caused[name] {
			t.Errorf("no test causes %s", name)
		}
	}
}

// A store that no policy lets anybody use needs no credentials.
func TestNoBucketsNoCredentials(t *testing.T) {
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
	t.Setenv("HOME", t.TempDir())
	f := find(t, check(t, map[string]any{"region": "us-east-1"}, nil), findingCredentials)
	if f.OK || !f.Warning {
		t.Errorf("%+v", f)
	}
}

// check is what a provider with that configuration finds, whether it takes it or not.
func check(t *testing.T, config map[string]any, buckets []string) []sdk.Finding {
	t.Helper()
	p := New()
	_, _ = sdktest.TryNew(t, p, sdktest.Options{Config: config, Buckets: buckets}) // Check tells what is wrong with it
	found, err := p.Check(t.Context())
	must(t, err)
	return found
}

func find(t *testing.T, found []sdk.Finding, name string) sdk.Finding {
	t.Helper()
	for _, f := range found {
		if f.Name == name && (name != findingBucket || f.Subject == "missing") {
			return f
		}
	}
	t.Fatalf("no %s in %+v", name, found)
	return sdk.Finding{}
}

// skewed is the gateway with another time.
func skewed(t *testing.T, gateway string, by time.Duration) string {
	t.Helper()
	u, err := url.Parse(gateway)
	must(t, err)
	proxy := &httputil.ReverseProxy{
		Rewrite: func(r *httputil.ProxyRequest) {
			r.SetURL(u)
			r.Out.Host = r.In.Host // it is signed
		},
		ModifyResponse: func(r *http.Response) error {
			r.Header.Set("Date", time.Now().Add(by).UTC().Format(http.TimeFormat))
			return nil
		},
	}
	s := httptest.NewServer(proxy)
	t.Cleanup(s.Close)
	return s.URL
}
