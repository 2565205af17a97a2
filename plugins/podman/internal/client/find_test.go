package client

import (
	"context"
	"errors"
	"net"
	"os"
	"strings"
	"testing"
	"time"
)

func TestFind(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	t.Setenv("CONTAINER_HOST", "unix:///from/env.sock")
	for _, c := range []struct{ connection, uri, err string }{
		{"unix:///a.sock", "unix:///a.sock", ""},
		{"tcp://h:1", "tcp://h:1", ""},
		{"", "unix:///from/env.sock", ""},
		{"ssh://u@h/run/podman.sock", "", "ssh connections are not served yet"},
		{"/run/podman.sock", "", "write unix:///"},
		{"%", "", "is no URI"},
	} {
		got, err := find(Settings{Connection: c.connection})
		if got.URI != c.uri || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
			t.Errorf("%q: %+v, %v", c.connection, got, err)
		}
	}
}

func TestFindWithoutAnEnvironment(t *testing.T) {
	for _, name := range []string{"HOME", "XDG_CONFIG_HOME", "XDG_RUNTIME_DIR", "CONTAINERS_CONF", "CONTAINER_HOST", "PATH"} {
		t.Setenv(name, "")
		if err := os.Unsetenv(name); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := find(Settings{}); err != nil || got.Source == "" {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestUnreachable(t *testing.T) {
	_, err := net.Dial("unix", t.TempDir()+"/nobody.sock")
	if !Unreachable(err) {
		t.Errorf("nobody listens: %v", err)
	}
	if Unreachable(nil) || Unreachable(context.Canceled) || Unreachable(errors.New("x")) {
		t.Error("what is no matter of the connection counts as one")
	}
}

func TestRetry(t *testing.T) {
	_, gone := net.Dial("unix", t.TempDir()+"/nobody.sock")
	calls := 0
	err := Retry(t.Context(), time.Minute, func() error {
		if calls++; calls < 3 {
			return gone
		}
		return nil
	})
	if err != nil || calls != 3 {
		t.Errorf("%d calls, %v", calls, err)
	}
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("enough"))
	if err := Retry(ctx, time.Minute, func() error { return gone }); err == nil || err.Error() != "enough" {
		t.Errorf("a retry that was cancelled: %v", err)
	}
}
