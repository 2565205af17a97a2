package remote

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
)

// TCP is a Podman service that listens on TCP.
type TCP struct {
	// Address is HOST:PORT.
	Address string
	// CA, Cert and Key are files in PEM: who may have signed the service's certificate (empty: whom this machine trusts), and our own
	// certificate with its key (empty: none).
	CA, Cert, Key string
	// Plain leaves out TLS: whoever reaches the address is root, or the user, there.
	Plain bool
}

// Dialer checks the files and gives what dials.
func (t TCP) Dialer() (Dialer, error) {
	if t.Plain {
		return func(ctx context.Context) (net.Conn, error) {
			ctx, cancel := context.WithTimeout(ctx, dialTimeout)
			defer cancel()
			return dialer().DialContext(ctx, "tcp", t.Address)
		}, nil
	}
	host, _, err := net.SplitHostPort(t.Address)
	if err != nil {
		return nil, refusedf("tcp://%s has no port: %w", t.Address, err)
	}
	config := &tls.Config{ServerName: host, MinVersion: tls.VersionTLS12}
	if t.CA != "" {
		pem, err := os.ReadFile(t.CA)
		if err != nil {
			return nil, refusedf("reading tls_ca: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, refusedf("tls_ca: %s has no certificate in PEM", t.CA)
		}
	}
	if (t.Cert == "") != (t.Key == "") {
		return nil, refusedf("tls_cert and tls_key belong together: one of them is missing")
	}
	if t.Cert != "" {
		pair, err := tls.LoadX509KeyPair(t.Cert, t.Key)
		if err != nil {
			return nil, refusedf("reading tls_cert and tls_key: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return func(ctx context.Context) (net.Conn, error) { return t.dial(ctx, config) }, nil
}

func (t TCP) dial(ctx context.Context, config *tls.Config) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTimeout)
	defer cancel()
	d := tls.Dialer{NetDialer: dialer(), Config: config}
	conn, err := d.DialContext(ctx, "tcp", t.Address)
	if _, ok := asCertificateError(err); ok {
		return nil, refusedf("the certificate of tcp://%s is not trusted: %w; set tls_ca to the CA that signed it", t.Address, err)
	}
	if err != nil {
		return nil, fmt.Errorf("reaching Podman at tcp://%s: %w", t.Address, err)
	}
	return conn, nil
}

// dialer makes connections that notice a peer that is gone as soon as ssh does.
func dialer() *net.Dialer {
	return &net.Dialer{
		Control:         giveUp,
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: aliveInterval, Interval: aliveInterval, Count: 3},
	}
}

func asCertificateError(err error) (*tls.CertificateVerificationError, bool) {
	var verify *tls.CertificateVerificationError
	ok := errors.As(err, &verify)
	return verify, ok
}
