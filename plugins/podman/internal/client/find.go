package client

import (
	"errors"
	"fmt"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"go.podman.io/common/pkg/config"

	"github.com/containerpub/cpub/sdk"
)

// Settings say which service to use.
type Settings struct {
	// Connection is a URI such as unix:///run/podman/podman.sock, or the name of one of Podman's connections; empty to look for one.
	Connection string
	// Identity, HostKey and KnownHosts are of ssh: see remote.Options.
	Identity, HostKey, KnownHosts string
	// TLSCA, TLSCert and TLSKey are of tcp: see remote.TCP.
	TLSCA, TLSCert, TLSKey string
	// Insecure allows tcp without TLS to other machines.
	Insecure bool
	// Podman is the podman binary of a service of our own; empty to look in PATH.
	Podman string
	// Registries are those whose CAs a service of our own is given.
	Registries []sdk.Registry
}

// Target is a service that was found. An empty URI means that there is none, so that one is started.
type Target struct {
	URI    string
	Source string
	// Identity is the file of a private key, and Machine tells that it is a virtual machine of `podman machine`, as Podman's own files say.
	Identity               string
	Machine                bool
	TLSCA, TLSCert, TLSKey string
}

// find looks for a service: the configured one, CONTAINER_CONNECTION, CONTAINER_HOST, Podman's default connection, the user's socket. The
// first that is named is taken, whether it answers or not: whoever names one does not want another.
func find(s Settings) (Target, error) {
	t, err := named(s)
	if err != nil || t.URI == "" {
		return t, err
	}
	for _, v := range []struct {
		to   *string
		from string
	}{{&t.Identity, s.Identity}, {&t.TLSCA, s.TLSCA}, {&t.TLSCert, s.TLSCert}, {&t.TLSKey, s.TLSKey}} {
		if v.from != "" {
			*v.to = v.from
		}
	}
	return checked(t)
}

func named(s Settings) (Target, error) {
	if strings.Contains(s.Connection, "://") {
		return Target{URI: s.Connection, Source: "connection in the provider's configuration"}, nil
	}
	if s.Connection != "" {
		return connection(s.Connection, "connection in the provider's configuration")
	}
	if name := os.Getenv("CONTAINER_CONNECTION"); name != "" {
		return connection(name, "CONTAINER_CONNECTION")
	}
	if uri := os.Getenv("CONTAINER_HOST"); uri != "" {
		return Target{URI: uri, Source: "CONTAINER_HOST", Identity: os.Getenv("CONTAINER_SSHKEY")}, nil
	}
	if t, err := connection("", "Podman's default connection"); err != nil || t.URI != "" {
		return t, err
	}
	for _, path := range sockets() {
		if answers(path) {
			return Target{URI: "unix://" + path, Source: "the user's socket"}, nil
		}
	}
	return Target{Source: "a service of its own"}, nil
}

// checked refuses what cannot be spoken to.
func checked(t Target) (Target, error) {
	u, err := url.Parse(t.URI)
	if err != nil {
		return Target{}, sdk.Permanentf("%s: %q is no URI: %w", t.Source, t.URI, err)
	}
	switch u.Scheme {
	case "unix", "tcp", "ssh":
		return t, nil
	default:
		return Target{}, sdk.Permanentf("%s: %q is not a connection to Podman; write unix:///path/to/podman.sock, "+
			"ssh://USER@HOST/path/to/podman.sock, tcp://HOST:PORT, or the name of one that `podman system connection list` shows", t.Source, t.URI)
	}
}

// connection is one of those that `podman system connection` keeps; the default one without a name, and none where there is no default.
// The home is the user's also where no HOME says so.
func connection(name, source string) (Target, error) {
	c, err := config.New(nil)
	if err != nil {
		return Target{}, fmt.Errorf("reading Podman's configuration: %w", err)
	}
	conn, err := c.GetConnection(name, name == "")
	if err != nil && name == "" {
		// There is no default: the library has no sentinel for that.
		return Target{}, nil
	}
	if err != nil {
		return Target{}, sdk.Permanentf("%s: %w; `podman system connection list` shows those that there are", source, err)
	}
	return Target{
		URI: conn.URI, Source: fmt.Sprintf("%s: %s", source, conn.Name), Identity: conn.Identity, Machine: conn.IsMachine,
		TLSCA: conn.TLSCA, TLSCert: conn.TLSCert, TLSKey: conn.TLSKey,
	}, nil
}

// sockets are where systemd puts the socket of the user's Podman.
func sockets() []string {
	if os.Getuid() == 0 {
		return []string{"/run/podman/podman.sock"}
	}
	dir := os.Getenv("XDG_RUNTIME_DIR")
	if dir == "" {
		dir = fmt.Sprintf("/run/user/%d", os.Getuid())
	}
	return []string{filepath.Join(dir, "podman", "podman.sock")}
}

// answers tells whether somebody listens on the socket.
func answers(path string) bool {
	c, err := net.DialTimeout("unix", path, time.Second) //nolint:noctx // it takes a second at most
	if err != nil {
		return false
	}
	return errors.Join(c.Close()) == nil
}

// socketPath is the path of a unix URI.
func socketPath(uri string) string { return strings.TrimPrefix(uri, "unix://") }
