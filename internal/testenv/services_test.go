package testenv

import (
	"strings"
	"testing"
)

func TestParseEnv(t *testing.T) {
	text := strings.Join([]string{
		"CPUB_DEV_DIR='/tmp/it'\\''s here'",
		"CPUB_STORE='file:///tmp/s?create_dir=1&no_tmp_dir=1'",
		"TEMPORAL_ADDRESS=127.0.0.1:1",
		"TEMPORAL_NAMESPACE=default",
		"CPUB_DEV_UI=http://127.0.0.1:2",
		"AWS_ENDPOINT_URL=http://127.0.0.1:3",
		"AWS_ACCESS_KEY_ID=K",
		"AWS_SECRET_ACCESS_KEY=S",
		"AWS_REGION=us-east-1",
		"CPUB_DEV_REGISTRY=localhost:4",
		"",
	}, "\n")
	env := parseEnv(t, text)
	if want := "/tmp/it's here"; env.Dir != want {
		t.Errorf("Dir = %q, want %q", env.Dir, want)
	}
	if want := "file:///tmp/s?create_dir=1&no_tmp_dir=1"; env.Store != want {
		t.Errorf("Store = %q, want %q", env.Store, want)
	}
	if want := "localhost:4"; env.Registry != want {
		t.Errorf("Registry = %q, want %q", env.Registry, want)
	}
	if len(env.Environ) != 10 || env.Environ[0] != "CPUB_DEV_DIR=/tmp/it's here" {
		t.Errorf("Environ = %q", env.Environ)
	}
	env.Setenv(t)
}
