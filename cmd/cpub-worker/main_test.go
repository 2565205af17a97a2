package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/containerpub/cpub/engine/config"
)

func TestRunRefuses(t *testing.T) {
	dir := t.TempDir()
	wrong := filepath.Join(dir, "wrong.hcl")
	if err := os.WriteFile(wrong, []byte("provider \"podman\" \"local\" {\n  max_concurrent = \"many\"\n}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	empty := filepath.Join(dir, "empty.hcl")
	if err := os.WriteFile(empty, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("CPUB_STORE", "")
	for name, tt := range map[string]struct {
		args []string
		code int
		want string
	}{
		"an unknown flag":  {[]string{"-nope"}, exitUsage, "cpub-worker -help"},
		"an argument":      {[]string{"x"}, exitUsage, `unexpected argument "x"`},
		"a log level":      {[]string{"-log-level", "loud"}, exitUsage, "debug, info, warn or error"},
		"a log format":     {[]string{"-log-format", "xml"}, exitUsage, "json or text"},
		"no worker.hcl":    {[]string{"-config", filepath.Join(dir, "none.hcl")}, exitUsage, "none.hcl"},
		"a wrong value":    {[]string{"-config", wrong, "-state", dir}, exitUsage, "wrong.hcl:2"},
		"no store":         {[]string{"-config", empty, "-state", dir}, exitFailed, "CPUB_STORE"},
		"a listen address": {[]string{"-config", empty, "-state", dir, "-listen", "nowhere"}, exitFailed, "listening"},
	} {
		t.Run(name, func(t *testing.T) {
			var stdout, stderr bytes.Buffer
			if code := run(t.Context(), tt.args, &stdout, &stderr); code != tt.code {
				t.Errorf("exit code %d, want %d", code, tt.code)
			}
			if !strings.Contains(stderr.String(), tt.want) {
				t.Errorf("stderr lacks %q:\n%s", tt.want, stderr.String())
			}
		})
	}
}

func TestHelp(t *testing.T) {
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), []string{"-help"}, &stdout, &stderr); code != 0 || !strings.Contains(stdout.String(), "-config") || stderr.Len() > 0 {
		t.Errorf("exit code %d, stdout %q, stderr %q", code, stdout.String(), stderr.String())
	}
}

func TestStateDir(t *testing.T) {
	t.Setenv("STATE_DIRECTORY", "/var/lib/cpub")
	if got, err := stateDir(""); got != "/var/lib/cpub" || err != nil {
		t.Errorf("got %s, %v", got, err)
	}
	t.Setenv("STATE_DIRECTORY", "")
	t.Setenv("XDG_STATE_HOME", "/x")
	if got, err := stateDir(""); got != "/x/cpub/worker" || err != nil {
		t.Errorf("got %s, %v", got, err)
	}
	if got, err := stateDir("rel"); !filepath.IsAbs(got) || err != nil {
		t.Errorf("got %s, %v", got, err)
	}
}

func TestWithoutAFileOrProviders(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("CPUB_WORKER_CONFIG", "")
	for _, args := range [][]string{{"-state", t.TempDir()}, {"-print-config", "-state", t.TempDir()}} {
		var stdout, stderr bytes.Buffer
		code := run(t.Context(), args, &stdout, &stderr)
		if code != exitUsage || !strings.Contains(stderr.String(), "there is no provider beside this program") {
			t.Errorf("%v: exit code %d, %s", args, code, &stderr)
		}
	}
}

func TestConfigFile(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("CPUB_WORKER_CONFIG", "")
	check := func(f flags, want string) {
		t.Helper()
		if got, err := f.configFile(); got != want || err != nil {
			t.Errorf("it is %q, %v, want %q", got, err, want)
		}
	}
	check(flags{}, "")
	if err := os.WriteFile("worker.hcl", []byte("# mine\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	check(flags{}, "worker.hcl")
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), []string{"-print-config"}, &stdout, &stderr); code != 0 || stdout.String() != "# mine\n" {
		t.Errorf("-print-config: exit code %d, %q, %s", code, &stdout, &stderr)
	}
	t.Setenv("CPUB_WORKER_CONFIG", "/etc/cpub/worker.hcl")
	check(flags{}, "/etc/cpub/worker.hcl")
	check(flags{config: "mine.hcl"}, "mine.hcl")
}

func TestLocalS3(t *testing.T) {
	for _, name := range []string{"AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_REGION", "AWS_DEFAULT_REGION"} {
		t.Setenv(name, "")
	}
	t.Setenv("AWS_ACCESS_KEY_ID", "K")
	t.Setenv("AWS_SECRET_ACCESS_KEY", "S")
	for endpoint, local := range map[string]bool{
		"": false, "http://127.0.0.1:9000": true, "http://localhost:9000": true, "http://[::1]:9000": true,
		"https://s3.example.com": false, "http://localhost.example.com": false, "http://127.0.0.1@example.com": false, "://": false,
	} {
		t.Setenv("AWS_ENDPOINT_URL", endpoint)
		got := localS3()
		if (got != nil) != local {
			t.Errorf("%q: %+v", endpoint, got)
		}
		if want := (config.MachineS3{Endpoint: endpoint, Region: "us-east-1", AccessKey: "K", SecretKey: "S"}); got != nil && *got != want {
			t.Errorf("%q: %+v", endpoint, got)
		}
	}
	t.Setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9000")
	t.Setenv("AWS_ENDPOINT_URL_S3", "https://s3.example.com")
	if got := localS3(); got != nil {
		t.Errorf("the endpoint of S3 alone is elsewhere, and got %+v", got)
	}
}
