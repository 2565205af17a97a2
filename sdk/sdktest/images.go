package sdktest

import (
	"archive/tar"
	"bytes"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	oci "github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/containerpub/cpub/sdk"
)

// Images is what the suites of images and of containers work with.
//
// The images' only content is the program of the package probe beside this one, which the suites build themselves, with the go
// command of the test. They put it into the registry past the provider.
type Images struct {
	// Registry is one that may be pushed to, below the name "cpub-sdktest/". The harness is configured with it, too.
	Registry sdk.Registry
	// Left lists what there still is of a key's work (containers, processes, mounts), as the test sees it past the provider.
	// It must be nothing after a cancel, a failure and Release; what takes a moment to go may be waited for.
	Left func(t testing.TB, key string) []string

	program []byte // the probe
}

// prepared has the program that images are made of. Every suite begins with it.
func (i Images) prepared(t *testing.T) Images {
	t.Helper()
	program, err := os.ReadFile(buildProbe(t))
	check(t, err)
	i.program = program
	return i
}

// rules let a step use what the suites put into the registry.
func (i Images) rules() sdk.Rules {
	all := []string{i.Registry.Host + "/cpub-sdktest/*"}
	return sdk.Rules{PullFrom: all, BuildFrom: all, Source: policySource}
}

// policySource is where the suites say that the policy is.
const policySource = "sdktest.hcl:1"

// reference names something of its own in the registry.
func (i Images) reference(tag string) string {
	return i.Registry.Host + "/cpub-sdktest/" + NewKey()[:12] + ":" + tag
}

// nothingLeft checks that there is nothing of a key any more.
func (i Images) nothingLeft(t *testing.T, key string) {
	t.Helper()
	if i.Left == nil {
		t.Fatal("the suite needs Images.Left, to see what is left")
	}
	for _, what := range i.Left(t, key) {
		t.Errorf("left of the step: %s", what)
	}
}

// put puts an image into the registry, and gives its digest.
func (i Images) put(t *testing.T, ref string, img v1.Image) (digest string) {
	t.Helper()
	parsed, opts := i.remote(t, ref)
	check(t, oci.Write(parsed, img, opts...))
	d, err := img.Digest()
	check(t, err)
	return d.String()
}

// get finds an image in the registry; nil if there is none.
func (i Images) get(t *testing.T, ref string) v1.Image {
	t.Helper()
	parsed, opts := i.remote(t, ref)
	img, err := oci.Image(parsed, opts...)
	var terr *transport.Error
	if errors.As(err, &terr) && terr.StatusCode == http.StatusNotFound {
		return nil
	}
	check(t, err)
	return img
}

func (i Images) remote(t *testing.T, ref string) (name.Reference, []oci.Option) {
	t.Helper()
	named := []name.Option{name.StrictValidation}
	if i.Registry.Insecure {
		named = append(named, name.Insecure)
	}
	parsed, err := name.ParseReference(ref, named...)
	check(t, err)
	auth := authn.Anonymous
	if i.Registry.Username != "" {
		auth = &authn.Basic{Username: i.Registry.Username, Password: i.Registry.Password}
	}
	config := &tls.Config{InsecureSkipVerify: i.Registry.Insecure, MinVersion: tls.VersionTLS12} //nolint:gosec // as the registry says
	if i.Registry.CA != "" {
		config.RootCAs = x509.NewCertPool()
		config.RootCAs.AppendCertsFromPEM([]byte(i.Registry.CA))
	}
	return parsed, []oci.Option{
		oci.WithAuth(auth), oci.WithTransport(&http.Transport{TLSClientConfig: config, DisableKeepAlives: true}),
		oci.WithContext(context.WithoutCancel(t.Context())),
	}
}

// image is an image of the probe: its entrypoint is /probe, which is /bin/sh as well, and it has a file /who with that text.
func (i Images) image(t *testing.T, who string) v1.Image {
	t.Helper()
	layer, err := tarball.LayerFromOpener(probeLayer(t, i.program, who), tarball.WithMediaType(types.OCILayer))
	check(t, err)
	img := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	img, err = mutate.AppendLayers(img, layer)
	check(t, err)
	img, err = mutate.ConfigFile(img, withConfig(t, img))
	check(t, err)
	return img
}

func withConfig(t *testing.T, img v1.Image) *v1.ConfigFile {
	t.Helper()
	config, err := img.ConfigFile()
	check(t, err)
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", runtime.GOARCH
	config.Config.Entrypoint = []string{"/probe"}
	return config
}

func probeLayer(t *testing.T, program []byte, who string) tarball.Opener {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range []struct {
		header  tar.Header
		content []byte
	}{
		{tar.Header{Typeflag: tar.TypeDir, Name: "tmp/", Mode: 0o1777}, nil},
		{tar.Header{Typeflag: tar.TypeDir, Name: "etc/", Mode: 0o755}, nil},
		{tar.Header{Typeflag: tar.TypeReg, Name: "who", Mode: 0o644}, []byte(who)},
		{tar.Header{Typeflag: tar.TypeReg, Name: "probe", Mode: 0o755}, program},
		{tar.Header{Typeflag: tar.TypeDir, Name: "bin/", Mode: 0o755}, nil},
		{tar.Header{Typeflag: tar.TypeSymlink, Name: "bin/sh", Linkname: "/probe", Mode: 0o777}, nil},
	} {
		f.header.Size = int64(len(f.content))
		check(t, w.WriteHeader(&f.header))
		_, err := w.Write(f.content)
		check(t, err)
	}
	check(t, w.Close())
	return func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(b.Bytes())), nil }
}

// buildProbe builds the probe for containers of this machine, and gives its path.
func buildProbe(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "probe")
	cmd := exec.CommandContext(t.Context(), "go", "build", "-buildvcs=false", "-o", path, "github.com/containerpub/cpub/sdk/sdktest/probe")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+runtime.GOARCH)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("building the probe, for which the suites need the go command: %v\n%s", err, out)
	}
	return path
}

// wholeInBytes checks of a step that tells its progress in bytes that it came to their end without going back.
func wholeInBytes(t *testing.T, res *Result) {
	t.Helper()
	var last sdk.Progress
	for _, p := range res.ProgressReports() {
		if p.Unit != "bytes" {
			continue
		}
		if p.Done < last.Done || p.Done > p.Total {
			t.Errorf("progress %+v after %+v", p, last)
		}
		last = p
	}
	if last.Unit == "" {
		return // not every provider can know
	}
	if last.Total <= 0 || last.Done != last.Total {
		t.Errorf("the last progress is %+v, want all of some bytes", last)
	}
}
