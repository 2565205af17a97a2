package client

import (
	"io"
	"net/http"
	"net/url"
)

// Call is one request to libpod's API.
type Call struct {
	Method string
	// Endpoint is the path below /libpod, with %s for each element of Path (which is escaped).
	Endpoint string
	Path     []string
	Query    url.Values
	Header   http.Header
	Body     io.Reader
}
