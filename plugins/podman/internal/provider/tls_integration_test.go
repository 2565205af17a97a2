//go:build integration

package provider_test

import (
	"context"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"fmt"
	"math/big"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/containerpub/cpub/internal/testenv"
	"github.com/containerpub/cpub/plugins/podman/internal/provider"
	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/sdktest"
)

// password of the user "me" of a TLS registry, and its line of htpasswd.
const (
	password = "pass word"
	htpasswd = "me:$2a$04$F49KLY8nQNgGE3nQ9.aBFOXea56ieBz5D5Atvd59UScjdJ2rVrO9G\n"
)

// tlsRegistry starts a registry with a certificate of a CA of its own, and a password.
func tlsRegistry(t *testing.T) sdk.Registry {
	t.Helper()
	dir := t.TempDir()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	host := listener.Addr().String()
	if err := listener.Close(); err != nil {
		t.Fatal(err)
	}
	ca := certify(t, dir)
	config := fmt.Sprintf(`version: 0.1
storage: {filesystem: {rootdirectory: %q}}
http: {addr: %q, tls: {certificate: %q, key: %q}}
auth: {htpasswd: {realm: test, path: %q}}
`, filepath.Join(dir, "data"), host, filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"), filepath.Join(dir, "htpasswd"))
	write(t, filepath.Join(dir, "htpasswd"), htpasswd)
	write(t, filepath.Join(dir, "config.yml"), config)
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, testenv.Tool(t, "registry"), "serve", filepath.Join(dir, "config.yml"))
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait() // it was killed
	})
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM([]byte(ca))
	for deadline := time.Now().Add(30 * time.Second); ; time.Sleep(50 * time.Millisecond) {
		conn, err := (&tls.Dialer{Config: &tls.Config{RootCAs: pool}}).DialContext(t.Context(), "tcp", host)
		if err == nil {
			_ = conn.Close()
			return sdk.Registry{Host: host, CA: ca, Username: "me", Password: password}
		}
		if time.Now().After(deadline) {
			t.Fatalf("the TLS registry does not answer: %v", err)
		}
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

// certify makes a CA, and cert.pem and key.pem of 127.0.0.1 by it.
func certify(t *testing.T, dir string) (ca string) {
	t.Helper()
	key := func() *ecdsa.PrivateKey {
		k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
		if err != nil {
			t.Fatal(err)
		}
		return k
	}
	encode := func(kind string, der []byte, err error) string {
		if err != nil {
			t.Fatal(err)
		}
		return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
	}
	root := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "a CA of the test's own"}, IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageCertSign, NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
	}
	leaf := &x509.Certificate{
		SerialNumber: big.NewInt(2), Subject: pkix.Name{CommonName: "registry"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
		NotBefore: root.NotBefore, NotAfter: root.NotAfter,
	}
	rootKey, leafKey := key(), key()
	der, err := x509.CreateCertificate(rand.Reader, root, root, &rootKey.PublicKey, rootKey)
	ca = encode("CERTIFICATE", der, err)
	der, err = x509.CreateCertificate(rand.Reader, leaf, root, &leafKey.PublicKey, rootKey)
	write(t, filepath.Join(dir, "cert.pem"), encode("CERTIFICATE", der, err))
	der, err = x509.MarshalPKCS8PrivateKey(leafKey)
	write(t, filepath.Join(dir, "key.pem"), encode("PRIVATE KEY", der, err))
	return ca
}

// TestPrivateCA: a service that the provider starts gets the CA of worker.hcl. For one that runs already, the failure and the check
// name the file to make, and with that file it works.
func TestPrivateCA(t *testing.T) {
	for _, version := range testenv.PodmanVersions {
		t.Run(version, func(t *testing.T) {
			registry := tlsRegistry(t)
			e := newEnv(t, testenv.StartPodman(t, version))
			t.Run("a service that runs", func(t *testing.T) { runningService(t, e, registry) })
			t.Run("a service of its own", func(t *testing.T) { ownService(t, e, registry) })
		})
	}
}

func runningService(t *testing.T, e *env, registry sdk.Registry) {
	h := e.connect(t, registry)
	push := sdktest.Call{Type: "image_push", Input: map[string]any{"image": e.image(), "destination": registry.Host + "/x:1"}}
	pull := sdktest.Call{
		Type: "image_pull", Input: map[string]any{"reference": registry.Host + "/x:1", "policy": "always"},
		Rules: sdk.Rules{PullFrom: []string{registry.Host + "/*"}},
	}
	folder := filepath.Join("/etc/containers/certs.d", registry.Host)
	for _, call := range []sdktest.Call{push, pull} {
		err := h.Run(call).Err
		var se *sdk.Error
		if !errors.As(err, &se) || se.Kind != sdk.KindPermanent || !strings.HasPrefix(err.Error(), "Podman at "+e.podman.URI+" does not trust") ||
			!strings.Contains(err.Error(), folder+"/ca.crt") {
			t.Errorf("%s without the CA: %v", call.Type, err)
		}
	}
	if f := finding(t, h, "podman_registry_ca"); f.OK || !strings.Contains(f.Remedy, folder+"/ca.crt") {
		t.Errorf("the check says %+v", f)
	}
	if err := os.MkdirAll(folder, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = os.RemoveAll(folder)
		_ = os.Remove(filepath.Dir(folder)) // where it is empty
	})
	write(t, filepath.Join(folder, "ca.crt"), registry.CA)
	for _, call := range []sdktest.Call{push, pull} {
		if err := h.Run(call).Err; err != nil {
			t.Errorf("%s with the CA: %v", call.Type, err)
		}
	}
	if f := finding(t, h, "podman_registry_ca"); !f.OK {
		t.Errorf("the check says %+v", f)
	}
	if err := os.RemoveAll(folder); err != nil {
		t.Error(err)
	}
}

func ownService(t *testing.T, e *env, registry sdk.Registry) {
	for _, v := range e.podman.Environ {
		if name, value, _ := strings.Cut(v, "="); name != "PATH" {
			t.Setenv(name, value)
		}
	}
	t.Setenv("CONTAINER_HOST", "")
	t.Setenv("XDG_CONFIG_HOME", t.TempDir())
	p := provider.New()
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	h := sdktest.New(t, p, sdktest.Options{Config: map[string]string{"podman": e.podman.Binary}, Registries: []sdk.Registry{registry}})
	if f := finding(t, h, "podman_registry_ca"); !f.OK {
		t.Errorf("the check says %+v", f)
	}
	images := sdktest.Images{Registry: registry}
	t.Run("image_pull", func(t *testing.T) { sdktest.ImagePull(t, h, images) })
	t.Run("image_push", func(t *testing.T) { sdktest.ImagePush(t, h, images) })
	var out pushed
	h.Run(sdktest.Call{Type: "image_push", Input: map[string]any{"image": e.image(), "destination": registry.Host + "/base:1"}}).Decode(&out)
	e.podman.Run(t, "rmi", "--all", "--force")
	rules := sdk.Rules{PullFrom: []string{registry.Host + "/*"}, BuildFrom: []string{registry.Host + "/*"}}
	build := buildCall(t, h, map[string]string{"Containerfile": "FROM " + registry.Host + "/base:1\n"}, nil)
	build.Rules = rules
	h.Run(build).Decode(&built{})
	e.podman.Run(t, "rmi", "--all", "--force")
	r := h.Run(sdktest.Call{
		Type: "container_run", Rules: rules,
		Input: map[string]any{"image": out.Reference, "command": []string{"exit", "0"}, "time_limit": "60s"},
	})
	ok(t, r)
	if err := h.Release(r.Key); err != nil {
		t.Error(err)
	}
}

// finding is the check's finding of that name.
func finding(t *testing.T, h *sdktest.Harness, name string) sdk.Finding {
	t.Helper()
	all, err := h.Check()
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range all {
		if f.Name == name {
			return f
		}
	}
	t.Fatalf("there is no finding %q in %+v", name, all)
	return sdk.Finding{}
}
