package wire

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"time"
)

var (
	errNoClient = errors.New("go-plugin dispensed something else than a client of ours")
	errNoServer = errors.New("there is no provider to serve")
)

// serverName is the name in both certificates; what counts is the certificate itself.
const serverName = "localhost"

// Pair is a self-signed certificate and its key, made for one process of a provider.
type Pair struct {
	cert tls.Certificate
}

// NewPair makes a P-256 pair: what go-plugin makes for itself (P-521) is more than the gRPC of some languages can verify.
func NewPair() (*Pair, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, fmt.Errorf("making a key: %w", err)
	}
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 128))
	if err != nil {
		return nil, fmt.Errorf("making a certificate's number: %w", err)
	}
	template := &x509.Certificate{
		Subject:               pkix.Name{CommonName: serverName, Organization: []string{"ContainerPub"}},
		DNSNames:              []string{serverName},
		ExtKeyUsage:           []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth, x509.ExtKeyUsageServerAuth},
		KeyUsage:              x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
		BasicConstraintsValid: true,
		SerialNumber:          serial,
		NotBefore:             time.Now().Add(-time.Hour),
		NotAfter:              time.Now().AddDate(30, 0, 0),
		IsCA:                  true,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		return nil, fmt.Errorf("making a certificate: %w", err)
	}
	return &Pair{cert: tls.Certificate{Certificate: [][]byte{der}, PrivateKey: key}}, nil
}

// PEM is the certificate as the host passes it in EnvClientCert.
func (p *Pair) PEM() []byte {
	return pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: p.cert.Certificate[0]})
}

// Line is the certificate as the provider writes it in the handshake line.
func (p *Pair) Line() string { return base64.RawStdEncoding.EncodeToString(p.cert.Certificate[0]) }

// HostTLS is the host's configuration. go-plugin sets its RootCAs to the certificate of the handshake line; without one there
// are none, so that no server is accepted.
func (p *Pair) HostTLS() *tls.Config {
	return &tls.Config{
		Certificates: []tls.Certificate{p.cert}, MinVersion: tls.VersionTLS12, ServerName: serverName, RootCAs: x509.NewCertPool(),
	}
}

// ProviderTLS is the provider's configuration: the client must have the certificate that the host passed, given as PEM.
func (p *Pair) ProviderTLS(hostCert []byte) (*tls.Config, error) {
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(hostCert) {
		return nil, fmt.Errorf("%s holds no certificate", EnvClientCert)
	}
	return &tls.Config{
		Certificates: []tls.Certificate{p.cert}, MinVersion: tls.VersionTLS12,
		ClientAuth: tls.RequireAndVerifyClientCert, ClientCAs: pool, RootCAs: pool, ServerName: serverName,
	}, nil
}
