package client

import (
	"errors"
	"strings"
	"testing"

	"github.com/containerpub/cpub/plugins/s3/internal/fault"
	"github.com/containerpub/cpub/sdk"
)

// alone takes away whatever the machine has of the chain.
func alone(t *testing.T) {
	t.Helper()
	for _, name := range []string{"AWS_REGION", "AWS_DEFAULT_REGION", "AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"} {
		t.Setenv(name, "")
	}
	t.Setenv("HOME", t.TempDir())
	t.Setenv("AWS_EC2_METADATA_DISABLED", "true")
}

func TestNew(t *testing.T) {
	for _, tt := range []struct {
		name             string
		config           Config
		env              map[string]string
		endpoint, region string
	}{
		{"endpoint", Config{Endpoint: "http://h:1", Region: "r"}, nil, "http://h:1", "r"},
		{"endpoint without region", Config{Endpoint: "http://h:1"}, nil, "http://h:1", "us-east-1"},
		{"chain", Config{}, map[string]string{"AWS_ENDPOINT_URL": "http://e:1", "AWS_REGION": "er"}, "http://e:1", "er"},
		{"config before chain", Config{Endpoint: "http://h:1", Region: "r"}, map[string]string{"AWS_ENDPOINT_URL": "http://e:1", "AWS_REGION": "er"}, "http://h:1", "r"},
		{"Amazon", Config{Region: "eu-north-1"}, nil, "Amazon S3 in eu-north-1", "eu-north-1"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			alone(t)
			for k, v := range tt.env {
				t.Setenv(k, v)
			}
			c, err := New(t.Context(), tt.config)
			if err != nil {
				t.Fatal(err)
			}
			if c.Endpoint() != tt.endpoint || c.region != tt.region {
				t.Errorf("endpoint %q and region %q, want %q and %q", c.Endpoint(), c.region, tt.endpoint, tt.region)
			}
		})
	}
}

func TestNewRefuses(t *testing.T) {
	for _, tt := range []struct {
		config Config
		want   string
	}{
		{Config{}, "no region"},
		{Config{Endpoint: "localhost:9000"}, "is not a URL"},
		{Config{Endpoint: "ftp://h"}, "is not a URL"},
		{Config{Region: "r", AccessKeyID: "a"}, "belong together"},
		{Config{Region: "r", SecretAccessKey: "a"}, "belong together"},
		{Config{Region: "r", SessionToken: "a"}, "session_token needs"},
		{Config{Region: "r", Profile: "none"}, "none"},
	} {
		alone(t)
		if _, err := New(t.Context(), tt.config); err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("%+v: error %v, want %q in it", tt.config, err, tt.want)
		}
	}
}

func TestAuthenticated(t *testing.T) {
	alone(t)
	c, err := New(t.Context(), Config{Region: "r"})
	if err != nil {
		t.Fatal(err)
	}
	err = c.Authenticated(t.Context())
	var e *sdk.Error
	if !errors.As(err, &e) || e.Code != fault.CodeCredentials || !strings.Contains(err.Error(), "no credentials for Amazon S3 in r") {
		t.Errorf("error %v", err)
	}
}
