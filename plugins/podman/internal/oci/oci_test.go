package oci

import (
	"bytes"
	"context"
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// serve is a registry of the test's own, behind what wrap makes of it.
func serve(t *testing.T, wrap func(http.Handler) http.Handler) string {
	t.Helper()
	h := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	if wrap != nil {
		h = wrap(h)
	}
	s := httptest.NewServer(h)
	t.Cleanup(s.Close)
	return strings.TrimPrefix(s.URL, "http://")
}

func open(t *testing.T, ref string) *Registry {
	t.Helper()
	parsed, err := name.ParseReference(ref)
	if err != nil {
		t.Fatal(err)
	}
	quick := remote.Backoff{Duration: time.Millisecond, Factor: 2, Steps: 4}
	r, err := NewRegistry(parsed, []remote.Option{remote.WithRetryBackoff(quick)})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// index puts an image of three platforms into a registry.
func index(t *testing.T, ref string) v1.Hash {
	t.Helper()
	idx, err := random.Index(10_000, 3, 3)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := name.ParseReference(ref)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.WriteIndex(parsed, idx); err != nil {
		t.Fatal(err)
	}
	digest, err := idx.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return digest
}

func find(t *testing.T, src Source) *Image {
	t.Helper()
	img, err := Find(t.Context(), src)
	if err != nil {
		t.Fatal(err)
	}
	return img
}

func TestRoundTrip(t *testing.T) {
	first, second := serve(t, nil), serve(t, nil)
	digest := index(t, first+"/a:1")
	img := find(t, open(t, first+"/a:1"))
	var archives []string
	for range 2 {
		path := filepath.Join(t.TempDir(), "image.tar")
		var done atomic.Int64
		f, err := os.Create(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := img.WriteArchive(t.Context(), f, "h.io/a:1", func(n int64) { done.Add(n) }); err != nil {
			t.Fatal(err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		if done.Load() != img.Size {
			t.Errorf("%d bytes were told, want %d", done.Load(), img.Size)
		}
		archives = append(archives, path)
	}
	a, errA := os.ReadFile(archives[0])
	b, errB := os.ReadFile(archives[1])
	if errA != nil || errB != nil || !bytes.Equal(a, b) {
		t.Errorf("two archives of the same image differ (%v, %v)", errA, errB)
	}
	archive, err := OpenArchive(archives[0])
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = archive.Close() }()
	back := open(t, second+"/b:1")
	var done atomic.Int64
	if err := back.Write(t.Context(), find(t, archive), func(n int64) { done.Add(n) }); err != nil {
		t.Fatal(err)
	}
	if done.Load() != img.Size {
		t.Errorf("%d bytes were told, want %d", done.Load(), img.Size)
	}
	if got, err := back.Digest(t.Context()); err != nil || got != digest {
		t.Errorf("it came back as %s (%v), want %s", got, err, digest)
	}
	if got := find(t, back); got.Size != img.Size || len(got.blobs) != len(img.blobs) || len(got.manifests) != 4 {
		t.Errorf("it came back with %d bytes, %d blobs, %d manifests", got.Size, len(got.blobs), len(got.manifests))
	}
	if got, err := open(t, second+"/none:1").Digest(t.Context()); err != nil || got != (v1.Hash{}) {
		t.Errorf("nothing: %s, %v", got, err)
	}
}

// lying gives something else where the path ends so.
func lying(part string) func(http.Handler) http.Handler {
	return func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if r.Method != http.MethodGet || !strings.Contains(r.URL.Path, part) || strings.HasSuffix(r.URL.Path, "/v2/") {
				h.ServeHTTP(w, r)
				return
			}
			rec := httptest.NewRecorder()
			h.ServeHTTP(rec, r)
			for k, v := range rec.Header() {
				w.Header()[k] = v
			}
			w.WriteHeader(rec.Code)
			body := rec.Body.Bytes()
			if len(body) > 2 {
				body[len(body)/2] ^= 1
			}
			_, _ = w.Write(body)
		})
	}
}

// TestLies: a registry that gives other bytes than the digest says is found out, and nothing has the name afterwards.
func TestLies(t *testing.T) {
	for part, what := range map[string]string{"/blobs/": "a blob", "/manifests/": "a manifest"} {
		t.Run(what, func(t *testing.T) {
			var honest atomic.Bool
			honest.Store(true)
			source := serve(t, func(h http.Handler) http.Handler {
				liar := lying(part)(h)
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if honest.Load() {
						h.ServeHTTP(w, r)
						return
					}
					liar.ServeHTTP(w, r)
				})
			})
			digest := index(t, source+"/a:1")
			honest.Store(false)
			to := open(t, serve(t, nil)+"/b:1")
			img, err := Find(t.Context(), open(t, source+"/a@"+digest.String()))
			if err == nil {
				err = to.Write(t.Context(), img, func(int64) {})
			}
			if err == nil {
				t.Fatal("nobody noticed")
			}
			if got, err := to.Digest(t.Context()); err != nil || got != (v1.Hash{}) {
				t.Errorf("it has the name: %s, %v", got, err)
			}
		})
	}
}

// flaky answers 503 once to each request, as long as it is on.
func flaky(on *atomic.Bool) func(http.Handler) http.Handler {
	var asked sync.Map
	return func(h http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			upload := strings.Contains(r.URL.Path, "/uploads/") && r.Method != http.MethodPost // each has a name of its own
			if _, again := asked.LoadOrStore(r.Method+r.URL.Path, true); on.Load() && !again && !upload {
				w.WriteHeader(http.StatusServiceUnavailable)
				return
			}
			h.ServeHTTP(w, r)
		})
	}
}

// TestTries: requests whose failure may pass are made again.
func TestTries(t *testing.T) {
	var on atomic.Bool
	source, dest := serve(t, flaky(&on)), serve(t, flaky(&on))
	digest := index(t, source+"/a:1")
	on.Store(true)
	to := open(t, dest+"/b:1")
	if err := to.Write(t.Context(), find(t, open(t, source+"/a:1")), func(int64) {}); err != nil {
		t.Fatal(err)
	}
	if got, err := to.Digest(t.Context()); err != nil || got != digest {
		t.Errorf("it came as %s (%v), want %s", got, err, digest)
	}
}

func TestOpenArchiveRefuses(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	for name, text := range map[string]string{"nothing": "", "no tar": strings.Repeat("x", 2000)} {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := OpenArchive(path); !errors.Is(err, ErrContent) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := OpenArchive(path + ".none"); err == nil || errors.Is(err, ErrContent) {
		t.Errorf("a file that is not there: %v", err)
	}
}

// endless has indexes that lead to further ones.
type endless struct{ n int }

func (e *endless) next() []byte {
	e.n++
	raw := `{"schemaVersion":2,"manifests":[{"digest":"sha256:` + strings.Repeat("0", 60) + "%04d" + `","size":1}]}`
	return []byte(strings.Replace(raw, "%04d", string([]byte{'0' + byte(e.n/1000%10), '0' + byte(e.n/100%10), '0' + byte(e.n/10%10), '0' + byte(e.n%10)}), 1))
}

func (e *endless) Root(context.Context) (v1.Descriptor, []byte, error) {
	return v1.Descriptor{Digest: v1.Hash{Algorithm: "sha256", Hex: "root"}}, e.next(), nil
}

func (e *endless) Manifest(context.Context, v1.Descriptor) ([]byte, error) { return e.next(), nil }

func (e *endless) Blob(context.Context, v1.Descriptor) (io.ReadCloser, error) { return nil, io.EOF }

func TestEndless(t *testing.T) {
	if _, err := Find(t.Context(), &endless{}); !errors.Is(err, ErrContent) {
		t.Errorf("an image without an end: %v", err)
	}
}
