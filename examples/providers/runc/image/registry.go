//go:build linux

package image

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"net/http"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/containerpub/cpub/sdk"
)

// access is how a registry of worker.hcl is spoken to. Call done afterwards.
func access(ctx context.Context, r sdk.Registry) (options []remote.Option, done func(), err error) {
	config := &tls.Config{InsecureSkipVerify: r.Insecure, MinVersion: tls.VersionTLS12}
	if r.CA != "" {
		if config.RootCAs, err = x509.SystemCertPool(); err != nil {
			config.RootCAs = x509.NewCertPool()
		}
		if !config.RootCAs.AppendCertsFromPEM([]byte(r.CA)) {
			return nil, nil, sdk.Permanentf("registry %q: `ca` holds no PEM certificate", r.Host)
		}
	}
	through := &http.Transport{Proxy: http.ProxyFromEnvironment, TLSClientConfig: config}
	auth := authn.Anonymous
	if r.Username != "" {
		auth = &authn.Basic{Username: r.Username, Password: r.Password}
	}
	return []remote.Option{remote.WithContext(ctx), remote.WithAuth(auth), remote.WithTransport(through)}, through.CloseIdleConnections, nil
}
