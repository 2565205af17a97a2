package main

import (
	"bytes"
	"os"
	"path/filepath"
	"strings"
	"testing"
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

func TestPrintConfig(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("CPUB_WORKER_CONFIG", "")
	if err := os.WriteFile("worker.hcl", []byte("# mine\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var stdout, stderr bytes.Buffer
	if code := run(t.Context(), []string{"-print-config"}, &stdout, &stderr); code != 0 || stdout.String() != "# mine\n" {
		t.Errorf("-print-config: exit code %d, %q, %s", code, &stdout, &stderr)
	}
}
