package doctor

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/containerpub/cpub/sdk"
)

// What is looked at of each registry of worker.hcl.
const (
	nameRegistry            = "registry_reachable"
	nameRegistryTLS         = "registry_tls"
	nameRegistryCredentials = "registry_credentials"
	nameRegistryInsecure    = "registry_insecure"
	nameRegistryClock       = "registry_clock"
)

// registryTime is how long one registry may take.
const registryTime = 15 * time.Second

// registries looks at all of them at once.
func registries(ctx context.Context, all []sdk.Registry) []Finding {
	found := make([][]Finding, len(all))
	var looks sync.WaitGroup
	for n, r := range all {
		looks.Go(func() { found[n] = registry(ctx, r) })
	}
	looks.Wait()
	var out []Finding
	for _, f := range found {
		out = append(out, f...)
	}
	return out
}

func registry(ctx context.Context, r sdk.Registry) []Finding {
	ctx, cancel := context.WithTimeout(ctx, registryTime)
	defer cancel()
	add := func(f Finding) []Finding { return []Finding{f} }
	settings := &tls.Config{InsecureSkipVerify: r.Insecure, MinVersion: tls.VersionTLS12} //nolint:gosec // `insecure` is what the operator wrote
	if r.CA != "" && !r.Insecure {
		pool, err := x509.SystemCertPool()
		if err != nil {
			pool = x509.NewCertPool()
		}
		if !pool.AppendCertsFromPEM([]byte(r.CA)) {
			return add(fault(GroupRegistries, nameRegistryTLS, r.Host, "`ca_file` holds no certificate", "let `ca_file` name a file with certificates in PEM"))
		}
		settings.RootCAs = pool
	}
	watch := &dates{inner: &http.Transport{TLSClientConfig: settings, Proxy: http.ProxyFromEnvironment, DisableKeepAlives: true}}
	scheme, status, err := visit(ctx, watch, r)
	if err != nil {
		return add(unreachableRegistry(r, err))
	}
	found := []Finding{fine(GroupRegistries, nameRegistry, r.Host, "%s://%s answers", scheme, r.Host)}
	found = append(found, transportOf(r, scheme))
	if !watch.date.IsZero() {
		found = append(found, clock(GroupRegistries, nameRegistryClock, r.Host, watch.date, watch.before, watch.after))
	}
	return append(found, credentials(ctx, watch.inner, scheme, status, r)...)
}

// visit asks for /v2/, by https, and by http where that is allowed. It gives the scheme by which there was an answer, and its status.
func visit(ctx context.Context, t http.RoundTripper, r sdk.Registry) (scheme string, status int, err error) {
	schemes := []string{"https"}
	if r.Insecure {
		schemes = append(schemes, "http")
	}
	for _, scheme = range schemes {
		var resp *http.Response
		if resp, err = get(ctx, t, scheme, r.Host); err != nil {
			continue
		}
		if resp.StatusCode != http.StatusOK && resp.StatusCode != http.StatusUnauthorized && resp.StatusCode != http.StatusForbidden {
			return "", 0, fmt.Errorf("%s://%s/v2/ answers %s: that is no registry", scheme, r.Host, resp.Status)
		}
		return scheme, resp.StatusCode, nil
	}
	return "", 0, err
}

// get asks for /v2/. The answer's body is closed: it says nothing.
func get(ctx context.Context, t http.RoundTripper, scheme, host string) (*http.Response, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, scheme+"://"+host+"/v2/", nil)
	if err != nil {
		return nil, err
	}
	resp, err := t.RoundTrip(req)
	if err != nil {
		return nil, err
	}
	return resp, resp.Body.Close()
}

// unreachableRegistry tells why a registry does not answer.
func unreachableRegistry(r sdk.Registry, err error) Finding {
	var unknown x509.UnknownAuthorityError
	var host x509.HostnameError
	var invalid x509.CertificateInvalidError
	var record tls.RecordHeaderError
	switch text := err.Error(); {
	case errors.As(err, &unknown):
		return fault(GroupRegistries, nameRegistryTLS, r.Host, "its certificate is signed by a CA that this machine does not know: "+text,
			"let `ca_file` in its registry block name the CA's certificate")
	case errors.As(err, &host):
		return fault(GroupRegistries, nameRegistryTLS, r.Host, text, "write the name in the registry block for which its certificate was made, or give it one for this name")
	case errors.As(err, &invalid):
		return fault(GroupRegistries, nameRegistryTLS, r.Host, text, "renew its certificate, and check the clocks of both machines")
	case errors.As(err, &record):
		return fault(GroupRegistries, nameRegistryTLS, r.Host, "it speaks plain HTTP", "write `insecure = true` into its registry block where the network is trusted, or give it a certificate")
	default:
		return fault(GroupRegistries, nameRegistry, r.Host, text, "check the host and the port in its registry block, and whether the registry runs")
	}
}

// transportOf tells whether what is sent can be read on the way.
func transportOf(r sdk.Registry, scheme string) Finding {
	h, _, err := net.SplitHostPort(r.Host)
	if err != nil {
		h = r.Host
	}
	ip := net.ParseIP(h)
	if !r.Insecure {
		return fine(GroupRegistries, nameRegistryTLS, r.Host, "its certificate is valid")
	}
	if h == "localhost" || ip != nil && ip.IsLoopback() {
		return fine(GroupRegistries, nameRegistryInsecure, r.Host, "it is insecure, and on this machine")
	}
	return warning(GroupRegistries, nameRegistryInsecure, r.Host, fmt.Sprintf("`insecure` (%s): on the way, images can be changed and passwords read", scheme),
		"give it a certificate, let `ca_file` name its CA, and remove `insecure`")
}

// credentials tells whether the registry takes those of worker.hcl.
func credentials(ctx context.Context, t http.RoundTripper, scheme string, status int, r sdk.Registry) []Finding {
	if status == http.StatusOK {
		if r.Username == "" {
			return []Finding{fine(GroupRegistries, nameRegistryCredentials, r.Host, "it asks for none")}
		}
		return []Finding{fine(GroupRegistries, nameRegistryCredentials, r.Host, "it asks for none here, so that those of worker.hcl are not tried")}
	}
	if r.Username == "" {
		return []Finding{warning(GroupRegistries, nameRegistryCredentials, r.Host, "it asks for credentials, and worker.hcl has none: only what it gives to everybody can be pulled",
			"write `username` and `password_file` into its registry block")}
	}
	if err := login(ctx, t, scheme, r); err != nil {
		return []Finding{fault(GroupRegistries, nameRegistryCredentials, r.Host, fmt.Sprintf("it does not take the credentials of %s: %v", r.Username, err),
			"correct `username` and `password_file` in its registry block")}
	}
	return []Finding{fine(GroupRegistries, nameRegistryCredentials, r.Host, "it takes those of %s", r.Username)}
}

// login does what pull and push do first: with a password, or a token that is given for one.
func login(ctx context.Context, t http.RoundTripper, scheme string, r sdk.Registry) error {
	var options []name.Option
	if r.Insecure {
		options = append(options, name.Insecure)
	}
	base, err := name.NewRegistry(r.Host, options...)
	if err != nil {
		return err
	}
	client, err := transport.NewWithContext(ctx, base, &authn.Basic{Username: r.Username, Password: r.Password}, t, nil)
	if err != nil {
		return err
	}
	resp, err := get(ctx, client, scheme, r.Host)
	if err != nil {
		return err
	}
	if resp.StatusCode != http.StatusOK {
		return errors.New(resp.Status)
	}
	return nil
}

// dates notes what time a server says it is.
type dates struct {
	inner               http.RoundTripper
	date, before, after time.Time
}

// RoundTrip implements http.RoundTripper.
func (d *dates) RoundTrip(req *http.Request) (*http.Response, error) {
	before := time.Now()
	resp, err := d.inner.RoundTrip(req)
	if err == nil {
		if date, wrong := http.ParseTime(resp.Header.Get("Date")); wrong == nil {
			d.date, d.before, d.after = date, before, time.Now()
		}
	}
	return resp, err
}
