package image

import (
	"encoding/pem"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/containerpub/cpub/plugins/podman/internal/client"
	"github.com/containerpub/cpub/sdk"
)

// serve is a registry over TLS that wants a password, with one image under x:1.
func serve(t *testing.T) (reg sdk.Registry, img v1.Image) {
	t.Helper()
	inner := registry.New()
	srv := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "u" || password != "p" {
			w.Header().Set("WWW-Authenticate", `Basic realm="test"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		inner.ServeHTTP(w, r)
	}))
	t.Cleanup(srv.Close)
	reg = sdk.Registry{
		Host: strings.TrimPrefix(srv.URL, "https://"), Username: "u", Password: "p",
		CA: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: srv.Certificate().Raw})),
	}
	img, err := random.Image(64, 1)
	if err != nil {
		t.Fatal(err)
	}
	ref, err := name.ParseReference(reg.Host + "/x:1")
	if err != nil {
		t.Fatal(err)
	}
	auth := remote.WithAuth(&authn.Basic{Username: "u", Password: "p"})
	if err := remote.Write(ref, img, auth, remote.WithTransport(srv.Client().Transport)); err != nil {
		t.Fatal(err)
	}
	return reg, img
}

func TestVerify(t *testing.T) {
	reg, img := serve(t)
	config, err := img.ConfigName()
	if err != nil {
		t.Fatal(err)
	}
	digest, err := img.Digest()
	if err != nil {
		t.Fatal(err)
	}
	p := push{id: config.Hex, registry: reg}
	for _, ref := range []string{reg.Host + "/x:1", reg.Host + "/x@" + digest.String()} {
		if got, err := p.verify(t.Context(), ref); err != nil || got != digest.String() {
			t.Errorf("%s: %s, %v; want %s", ref, got, err, digest)
		}
	}
	if _, err := p.verify(t.Context(), reg.Host+"/x:2"); !errors.Is(err, errOther) {
		t.Errorf("a tag that is not there: %v", err)
	}
	p.id = strings.Repeat("0", 64)
	if _, err := p.verify(t.Context(), reg.Host+"/x:1"); !errors.Is(err, errOther) {
		t.Errorf("another image: %v", err)
	}
	p.registry.Password = "wrong"
	if _, err := p.verify(t.Context(), reg.Host+"/x:1"); err == nil || errors.Is(err, errOther) {
		t.Errorf("a wrong password: %v", err)
	}
	p.registry = reg
	p.registry.CA = ""
	if _, err := p.verify(t.Context(), reg.Host+"/x:1"); err == nil || errors.Is(err, errOther) {
		t.Errorf("an unknown certificate: %v", err)
	}
	p.registry.Insecure = true
	if _, err := p.verify(t.Context(), reg.Host+"/x:1"); !errors.Is(err, errOther) {
		t.Errorf("an unknown certificate that is accepted: %v", err)
	}
}

func TestClassify(t *testing.T) {
	for text, want := range map[string]sdk.Error{
		"writing blob: unauthorized: authentication required":   {Kind: sdk.KindPermanent, Code: "unauthorized"},
		"reading manifest 1 in h/x: manifest unknown":           {Kind: sdk.KindPermanent, Code: "not_found"},
		"http: server gave HTTP response to HTTPS client":       {Kind: sdk.KindPermanent},
		"tls: x509: certificate signed by unknown authority":    {Kind: sdk.KindPermanent},
		"received unexpected HTTP status: 403 Forbidden":        {Kind: sdk.KindPermanent},
		"dial tcp 127.0.0.1:1: connect: connection refused":     {},
		"received unexpected HTTP status: 503 Service Unavaila": {},
	} {
		var got sdk.Error
		if e := (*sdk.Error)(nil); errors.As(classify(errors.New(text), "h"), &e) {
			got = *e
		}
		if got.Kind != want.Kind || got.Code != want.Code {
			t.Errorf("%q: kind %q, code %q; want %q, %q", text, got.Kind, got.Code, want.Kind, want.Code)
		}
	}
}

func TestParse(t *testing.T) {
	for ref, good := range map[string]bool{
		"localhost:5000/a/b:1": true, "docker.io/library/alpine": true, "localhost/a": true,
		"alpine": false, "library/alpine": false, "h.io/A": false, "": false, "docker-archive:/etc/passwd": false, "h.io/a:": false,
	} {
		if _, err := Parse("image", ref); (err == nil) != good {
			t.Errorf("%q: %v", ref, err)
		}
	}
}

func TestParseKept(t *testing.T) {
	k, ok := parseKept("localhost/cpub/run-abc:def.1700000000")
	if !ok || k.run != "abc" || k.key != "def" || k.since.Unix() != 1700000000 {
		t.Errorf("%+v %v", k, ok)
	}
	for _, name := range []string{"localhost/x:1", "localhost/cpub/run-abc:latest", "localhost/cpub/run-abc", "<none>:<none>"} {
		if _, ok := parseKept(name); ok {
			t.Errorf("%q was taken for one of ours", name)
		}
	}
}

func TestAuthHeader(t *testing.T) {
	if h := authHeader(sdk.Registry{Host: "h"}); h != nil {
		t.Errorf("without credentials: %v", h)
	}
	if h := authHeader(sdk.Registry{Host: "h", Username: "u", Password: "p"}); len(h.Get("X-Registry-Auth")) == 0 {
		t.Errorf("with credentials: %v", h)
	}
}

func TestReadReports(t *testing.T) {
	var log strings.Builder
	last, err := readReports(strings.NewReader(`{"stream":"Copying\n"}{"manifestdigest":"sha256:1"}{"images":["a"],"id":"a"}`), &log)
	if err != nil || last.ManifestDigest != "sha256:1" || last.ID != "a" || log.String() != "Copying\n" {
		t.Errorf("%+v %v %q", last, err, log.String())
	}
	if _, err := readReports(strings.NewReader(`{"error":"no"}`), &log); err == nil {
		t.Error("an error was passed over")
	}
	if _, err := readReports(strings.NewReader(`{"stream":`), &log); err == nil {
		t.Error("a stream that broke off was taken for a whole one")
	}
}

func TestOtherCompression(t *testing.T) {
	for name, c := range map[string]struct{ manifest, want, other string }{
		"oci":      {`{"layers":[{"mediaType":"application/vnd.oci.image.layer.v1.tar+zstd"}]}`, "zstd", ""},
		"docker":   {`{"layers":[{"mediaType":"application/vnd.docker.image.rootfs.diff.tar.gzip"}]}`, "gzip", ""},
		"one of 2": {`{"layers":[{"mediaType":"x.tar+zstd"},{"mediaType":"x.tar+gzip"}]}`, "zstd", "x.tar+gzip"},
		"none":     {`{"layers":[{"mediaType":"x.tar"}]}`, "gzip", "x.tar"},
		"empty":    {`{"layers":[]}`, "gzip", ""},
	} {
		if other, err := otherCompression([]byte(c.manifest), c.want); other != c.other || err != nil {
			t.Errorf("%s: %q, %v", name, other, err)
		}
	}
}

func TestUntrusted(t *testing.T) {
	s := &Store{Client: &client.Client{URI: "unix:///run/podman.sock"}}
	err := s.classify(errors.New("tls: failed to verify certificate: x509: unknown authority"), sdk.Registry{Host: "h:5000", CA: "PEM"})
	var e *sdk.Error
	if !errors.As(err, &e) || e.Kind != sdk.KindPermanent {
		t.Fatalf("%v, want a permanent failure", err)
	}
	for _, want := range []string{"Podman at unix:///run/podman.sock does not trust", "/etc/containers/certs.d/h:5000/ca.crt", "x509: unknown authority"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q does not say %q", err, want)
		}
	}
	if err := s.classify(errors.New("manifest unknown"), sdk.Registry{Host: "h"}); !errors.As(err, &e) || e.Code != "not_found" {
		t.Errorf("another failure: %v", err)
	}
}
