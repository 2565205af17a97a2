package image

import (
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/containerpub/cpub/sdk"
)

// Registries are the registries that worker.hcl knows.
type Registries []sdk.Registry

// Of is the registry of that host. One that is not known is spoken to without credentials, over checked TLS.
func (r Registries) Of(host string) sdk.Registry {
	for _, reg := range r {
		if reg.Host == host {
			return reg
		}
	}
	return sdk.Registry{Host: host}
}

// authHeader is the X-Registry-Auth header for a registry, empty without credentials.
func authHeader(r sdk.Registry) http.Header {
	if r.Username == "" {
		return nil
	}
	// Strings always have a JSON form.
	b, _ := json.Marshal(map[string]string{"username": r.Username, "password": r.Password, "serveraddress": r.Host})
	return http.Header{"X-Registry-Auth": {base64.URLEncoding.EncodeToString(b)}}
}

// tlsVerify is Podman's parameter of that name.
func tlsVerify(r sdk.Registry) string {
	if r.Insecure {
		return "false"
	}
	return "true"
}

// parseRemote reads a reference for asking the registry ourselves.
func parseRemote(ref string, r sdk.Registry) (name.Reference, error) {
	opts := []name.Option{name.StrictValidation}
	if r.Insecure {
		opts = append(opts, name.Insecure)
	}
	parsed, err := name.ParseReference(ref, opts...)
	if err != nil {
		return nil, fmt.Errorf("reading the reference %q: %w", ref, err)
	}
	return parsed, nil
}

// remoteOptions are how to ask the registry ourselves.
func remoteOptions(r sdk.Registry) ([]remote.Option, error) {
	transport := remote.DefaultTransport.(*http.Transport).Clone() //nolint:forcetypeassert // it is documented so
	transport.TLSClientConfig = &tls.Config{InsecureSkipVerify: r.Insecure, MinVersion: tls.VersionTLS12}
	if r.CA != "" {
		pool, err := x509.SystemCertPool()
		if err != nil {
			pool = x509.NewCertPool()
		}
		if !pool.AppendCertsFromPEM([]byte(r.CA)) {
			return nil, sdk.Permanentf("registry %q: `ca` holds no PEM certificate", r.Host)
		}
		transport.TLSClientConfig.RootCAs = pool
	}
	auth := authn.Anonymous
	if r.Username != "" {
		auth = &authn.Basic{Username: r.Username, Password: r.Password}
	}
	return []remote.Option{remote.WithAuth(auth), remote.WithTransport(transport)}, nil
}
