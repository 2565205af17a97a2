package main

import (
	"io"
	"path/filepath"
	"strings"
	"testing"
)

func TestWrongUse(t *testing.T) {
	tests := []struct {
		args []string
		want string
	}{
		{[]string{"unexpected"}, "comes after --"},
		{[]string{"before", "--", "true"}, "comes after --"},
		{[]string{"--services", "minio", "--no-worker"}, `there is no "minio"`},
		{[]string{"--services", "s3"}, "a worker needs temporal"},
		{[]string{"--dir="}, "no state folder"},
		{[]string{"--nonsense"}, "unknown flag"},
		{[]string{"put", "file"}, "accepts 2 arg"},
	}
	for _, test := range tests {
		cmd := newCommand()
		cmd.SetArgs(test.args)
		cmd.SetOut(io.Discard)
		err := cmd.ExecuteContext(t.Context())
		if err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%v: error = %v, want one with %q", test.args, err, test.want)
		}
	}
}

func TestDefaultDir(t *testing.T) {
	t.Setenv("HOME", "/home/somebody")
	for xdg, want := range map[string]string{
		"":           "/home/somebody/.local/state/cpub-dev",
		"relative":   "/home/somebody/.local/state/cpub-dev", // XDG says to ignore these
		"/var/state": filepath.Join("/var/state", "cpub-dev"),
	} {
		t.Setenv("XDG_STATE_HOME", xdg)
		if got := defaultDir(); got != want {
			t.Errorf("XDG_STATE_HOME=%q: %q, want %q", xdg, got, want)
		}
	}
}
