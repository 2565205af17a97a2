package client

import (
	"context"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/containerpub/cpub/sdk"
)

// connections is what `podman system connection add` and `podman machine init` keep.
const connections = `{"Connection": {"Default": "machine", "Connections": {
	"far": {"URI": "ssh://u@far:2222/run/podman.sock", "Identity": "/keys/far"},
	"tls": {"URI": "tcp://far:1", "TLSCA": "/ca", "TLSCert": "/cert", "TLSKey": "/key"},
	"machine": {"URI": "ssh://core@127.0.0.1:50000/run/user/501/podman/podman.sock", "Identity": "/keys/machine", "IsMachine": true}}}}`

func TestFind(t *testing.T) {
	config := t.TempDir()
	t.Setenv("HOME", t.TempDir())
	t.Setenv("XDG_CONFIG_HOME", config)
	t.Setenv("CONTAINER_SSHKEY", "/keys/env")
	t.Setenv("PODMAN_CONNECTIONS_CONF", filepath.Join(config, "connections.json"))
	if err := os.WriteFile(filepath.Join(config, "connections.json"), []byte(connections), 0o600); err != nil {
		t.Fatal(err)
	}
	far := Target{URI: "ssh://u@far:2222/run/podman.sock", Source: "connection in the provider's configuration: far", Identity: "/keys/far"}
	mine := far
	mine.Identity = "/mine"
	env := far
	env.Source = "CONTAINER_CONNECTION: far"
	for name, c := range map[string]struct {
		settings         Settings
		connection, host string // of the environment
		want             Target
		err              string
	}{
		"a socket":                {settings: Settings{Connection: "unix:///a.sock"}, host: "unix:///x", want: Target{URI: "unix:///a.sock", Source: far.Source[:len(far.Source)-5]}},
		"tcp":                     {settings: Settings{Connection: "tcp://h:1", TLSCA: "/c"}, want: Target{URI: "tcp://h:1", Source: far.Source[:len(far.Source)-5], TLSCA: "/c"}},
		"a name":                  {settings: Settings{Connection: "far"}, want: far},
		"a name and a key":        {settings: Settings{Connection: "far", Identity: "/mine"}, want: mine},
		"CONTAINER_HOST":          {host: "ssh://a@b/c", want: Target{URI: "ssh://a@b/c", Source: "CONTAINER_HOST", Identity: "/keys/env"}},
		"both of the environment": {connection: "far", host: "unix:///x", want: env},
		"the default": {want: Target{
			URI: "ssh://core@127.0.0.1:50000/run/user/501/podman/podman.sock", Source: "Podman's default connection: machine",
			Identity: "/keys/machine", Machine: true,
		}},
		"TLS by name": {connection: "tls", want: Target{
			URI: "tcp://far:1", Source: "CONTAINER_CONNECTION: tls", TLSCA: "/ca", TLSCert: "/cert", TLSKey: "/key",
		}},
		"no such name":        {settings: Settings{Connection: "near"}, err: `connection "near" not found`},
		"no such name in env": {connection: "near", err: "CONTAINER_CONNECTION"},
		"a path":              {settings: Settings{Connection: "/run/podman.sock"}, err: "podman system connection list"},
		"another scheme":      {settings: Settings{Connection: "http://x"}, err: "ssh://USER@HOST/path"},
		"no URI":              {settings: Settings{Connection: "unix://%"}, err: "is no URI"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("CONTAINER_CONNECTION", c.connection)
			t.Setenv("CONTAINER_HOST", c.host)
			got, err := find(c.settings)
			if got != c.want || (err == nil) != (c.err == "") || err != nil && !strings.Contains(err.Error(), c.err) {
				t.Errorf("%+v, %v; want %+v, %q", got, err, c.want, c.err)
			}
		})
	}
}

// TestReachRefuses is what is not even dialled.
func TestReachRefuses(t *testing.T) {
	for name, c := range map[string]struct {
		target   Target
		settings Settings
		err      string
	}{
		"plain tcp to elsewhere": {target: Target{URI: "tcp://192.0.2.1:1"}, err: "insecure = true"},
		"half a key pair":        {target: Target{URI: "tcp://192.0.2.1:1", TLSCert: "/c"}, err: "tls_cert and tls_key"},
		"no such CA":             {target: Target{URI: "tcp://192.0.2.1:1", TLSCA: "/nowhere"}, err: "reading tls_ca"},
		"a password":             {target: Target{URI: "ssh://u:p@192.0.2.1/s"}, err: "password"},
		"a machine elsewhere":    {target: Target{URI: "ssh://core@192.0.2.1/s", Machine: true}, err: "loopback"},
		"no known hosts":         {target: Target{URI: "ssh://u@192.0.2.1/s"}, settings: Settings{KnownHosts: "/nowhere"}, err: "known hosts"},
		"no host key":            {target: Target{URI: "ssh://u@192.0.2.1/s"}, settings: Settings{HostKey: "AAAA"}, err: "host_key"},
	} {
		l, err := reach(t.Context(), c.target, c.settings)
		var se *sdk.Error
		if l != nil || !errors.As(err, &se) || se.Kind != sdk.KindPermanent || !strings.Contains(err.Error(), c.err) {
			t.Errorf("%s: %v, want a permanent error that says %q", name, err, c.err)
		}
		if err != nil && strings.Contains(err.Error(), "u:p") {
			t.Errorf("%s: the password is told: %v", name, err)
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
