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
	// Connection is a URI such as unix:///run/podman/podman.sock; empty to look for one.
	Connection string
	// Podman is the podman binary of a service of our own; empty to look in PATH.
	Podman string
	// Registries are those whose CAs a service of our own is given.
	Registries []sdk.Registry
}

// Target is a service that was found. An empty URI means that there is none, so that one is started.
type Target struct {
	URI    string
	Source string
}

// find looks for a service: the configured one, CONTAINER_HOST, Podman's default connection, the user's socket. The first
// that is named is taken, whether it answers or not: whoever names one does not want another.
func find(s Settings) (Target, error) {
	if s.Connection != "" {
		return checked(Target{s.Connection, "connection in the provider's configuration"})
	}
	if uri := os.Getenv("CONTAINER_HOST"); uri != "" {
		return checked(Target{uri, "CONTAINER_HOST"})
	}
	uri, err := defaultConnection()
	if err != nil {
		return Target{}, err
	}
	if uri != "" {
		return checked(Target{uri, "Podman's default connection"})
	}
	for _, path := range sockets() {
		if answers(path) {
			return Target{"unix://" + path, "the user's socket"}, nil
		}
	}
	return Target{Source: "a service of its own"}, nil
}

// checked refuses what cannot be spoken to.
func checked(t Target) (Target, error) {
	u, err := url.Parse(t.URI)
	if err != nil {
		return Target{}, fmt.Errorf("%s: %q is no URI: %w", t.Source, t.URI, err)
	}
	switch u.Scheme {
	case "unix", "tcp":
		return t, nil
	case "ssh":
		return Target{}, fmt.Errorf("%s: ssh connections are not served yet; forward the socket (`ssh -L /tmp/podman.sock:%s …`) and use unix:///tmp/podman.sock",
			t.Source, u.Path)
	default:
		return Target{}, fmt.Errorf("%s: %q is not a connection to Podman; write unix:///path/to/podman.sock", t.Source, t.URI)
	}
}

// defaultConnection is the URI of the connection that `podman system connection default` names, or empty. The home is the
// user's also where no HOME says so.
func defaultConnection() (string, error) {
	c, err := config.New(nil)
	if err != nil {
		return "", fmt.Errorf("reading Podman's configuration: %w", err)
	}
	conn, err := c.GetConnection("", true)
	if err != nil {
		// There is no default: the library has no sentinel for that.
		return "", nil //nolint:nilerr // no connection is an ordinary answer
	}
	return conn.URI, nil
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
