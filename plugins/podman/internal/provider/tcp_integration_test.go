//go:build integration

package provider_test

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"encoding/json"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/containerpub/cpub/internal/testenv"
	"github.com/containerpub/cpub/plugins/podman/internal/provider"
	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/sdktest"
)

// TestTCP: over TCP both sides prove themselves by certificates. Nothing of the machine can be seen, so limits are not proven, and a step is
// refused unless it does without.
func TestTCP(t *testing.T) {
	registry := sdk.Registry{Host: testenv.Services(t).Registry, Insecure: true}
	for _, version := range testenv.PodmanVersions {
		t.Run(version, func(t *testing.T) {
			dir, podman := t.TempDir(), testenv.StartPodman(t, version)
			ca := filepath.Join(dir, "ca.pem")
			write(t, ca, certify(t, dir))
			cert, key := filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem")
			address := serveTLS(t, podman, ca, cert, key)
			config := map[string]string{"connection": "tcp://" + address, "tls_ca": ca, "tls_cert": cert, "tls_key": key}
			e := newEnvWith(t, podman, config)
			e.Harness = e.connect(t, registry)

			refused(t, e.run(nil, "exit", "0"), "cannot be read back", "cannot be seen over this connection", "ssh://", "allow_unenforced_limits")
			r := e.run(map[string]any{"allow_unenforced_limits": true, "time_limit": "60s", "stdin": "hello"}, "cat")
			if out := ok(t, r); out.Stdout != "hello" || out.Receipt.Limits.Memory != -1 || out.Receipt.Limits.Capabilities != nil {
				t.Errorf("%+v", out)
			}
			b := e.Run(buildCall(t, e.Harness, map[string]string{"Containerfile": "FROM " + probe + "\n"}, map[string]any{"allow_unenforced_limits": true}))
			b.Decode(new(built))
			var out pushed
			e.Run(sdktest.Call{Type: "image_push", Input: map[string]any{"image": e.image(), "destination": registry.Host + "/tcp:" + version}}).Decode(&out)
			if err := e.Release(r.Key, b.Key); err != nil {
				t.Error(err)
			}
			for _, key := range []string{r.Key, b.Key} {
				for _, what := range left(t, podman, key) {
					t.Errorf("left: %s", what)
				}
			}
			other := filepath.Join(dir, "other.pem")
			write(t, other, certify(t, t.TempDir()))
			configureFails(t, map[string]string{"connection": "tcp://" + address, "tls_ca": other, "tls_cert": cert, "tls_key": key}, "is not trusted")
			configureFails(t, map[string]string{"connection": "tcp://" + address, "tls_ca": ca}, "certificate")
		})
	}
}

// configureFails checks what a provider says that cannot be configured.
func configureFails(t *testing.T, config map[string]string, says string) {
	t.Helper()
	b, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	p := provider.New()
	if _, err := p.Configure(t.Context(), sdk.Configuration{Config: b}); err == nil || !strings.Contains(err.Error(), says) {
		t.Errorf("configuring %v: %v, want %q", config, err, says)
	}
	if err := p.Close(); err != nil {
		t.Error(err)
	}
}

// serveTLS has Podman listen on TCP, with certificates on both sides: 5.8.2 does so itself, an older one behind a proxy.
func serveTLS(t *testing.T, podman *testenv.Podman, ca, cert, key string) string {
	t.Helper()
	if podman.Version == "4.3.1" {
		return proxyTLS(t, podman, ca, cert, key)
	}
	address := net.JoinHostPort("127.0.0.1", testenv.FreePort(t))
	ctx, cancel := context.WithCancel(context.Background())
	cmd := exec.CommandContext(ctx, podman.Binary, "system", "service", "--time=0", "--tls-cert", cert, "--tls-key", key, "--tls-client-ca", ca,
		"tcp://"+address)
	cmd.Env = podman.Environ
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		_ = cmd.Wait() // it was killed
	})
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(50 * time.Millisecond) {
		c, err := net.Dial("tcp", address)
		if err == nil {
			_ = c.Close()
			return address
		}
		if time.Now().After(deadline) {
			t.Fatal(err)
		}
	}
}

func proxyTLS(t *testing.T, podman *testenv.Podman, ca, cert, key string) string {
	t.Helper()
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	pem, err := os.ReadFile(ca)
	if err != nil {
		t.Fatal(err)
	}
	pool := x509.NewCertPool()
	pool.AppendCertsFromPEM(pem)
	l, err := tls.Listen("tcp", "127.0.0.1:0", &tls.Config{Certificates: []tls.Certificate{pair}, ClientCAs: pool, ClientAuth: tls.RequireAndVerifyClientCert})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			here, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = here.Close() }()
				if err := here.(*tls.Conn).HandshakeContext(context.Background()); err != nil {
					return
				}
				there, err := net.Dial("unix", strings.TrimPrefix(podman.URI, "unix://"))
				if err != nil {
					return
				}
				go func() {
					_, _ = io.Copy(there, here)
					_ = there.(*net.UnixConn).CloseWrite()
				}()
				_, _ = io.Copy(here, there)
				_ = there.Close()
			}()
		}
	}()
	return l.Addr().String()
}
