//go:build integration

package provider

import (
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"sync"
	"testing"

	"github.com/containerpub/cpub/plugins/s3/internal/client"
	"github.com/containerpub/cpub/plugins/s3/internal/fault"
	"github.com/containerpub/cpub/plugins/s3/internal/fetch"
	"github.com/containerpub/cpub/plugins/s3/internal/parts"
	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/sdktest"
)

const mib = 1 << 20

func TestFetchIntegration(t *testing.T) {
	g := startGateway(t)
	store := sdktest.ObjectStore{Bucket: bucket, Missing: "missing", Versioned: versioned, Put: g.put, Get: g.get}
	config := g.config(map[string]any{"part_size": "5MiB"})
	t.Run("suite", func(t *testing.T) {
		sdktest.ObjectFetch(t, sdktest.New(t, New(), sdktest.Options{Config: config}), store)
	})
	t.Run("suite over the wire", func(t *testing.T) {
		sdktest.ObjectFetch(t, sdktest.New(t, New(), sdktest.Options{Config: config, Wire: true}), store)
	})
	t.Run("goes on where the last attempt was cut", func(t *testing.T) { fetchResumes(t, g) })
	t.Run("goes on within an attempt", func(t *testing.T) { fetchGoesOn(t, g) })
	t.Run("downloads ranges at once", func(t *testing.T) { fetchParallel(t, g) })
	t.Run("starts anew when the object changes", func(t *testing.T) { fetchChanged(t, g) })
	t.Run("starts anew when the disk was damaged", func(t *testing.T) { fetchDamaged(t, g) })
	t.Run("finds damage on the way", func(t *testing.T) { fetchSpoiled(t, g) })
	t.Run("is cached once complete", func(t *testing.T) { fetchCached(t, g) })
	t.Run("keeps nothing that is wrong for good", func(t *testing.T) { fetchWrongSum(t, g) })
	t.Run("ends when cancelled", func(t *testing.T) { fetchCancelled(t, g) })
	t.Run("one at a time", func(t *testing.T) { fetchLocked(t, g) })
}

func (g *gateway) fetchCall(key, object string) sdktest.Call {
	return sdktest.Call{Type: "object_fetch", Key: key, Input: map[string]any{"bucket": bucket, "key": object}}
}

func fetchResumes(t *testing.T, g *gateway) {
	content := noise(1, 40*mib)
	g.put(t, bucket, "resumed", content)
	p := startProxy(t, g.S3)
	p.total.Store(24 * mib)
	state := t.TempDir()
	opts := sdktest.Options{StateDir: state, Config: g.config(map[string]any{"endpoint": p.url, "part_size": "5MiB", "concurrency": 2})}
	key := sdktest.NewKey()
	first := sdktest.New(t, New(), opts).Run(g.fetchCall(key, "resumed"))
	if first.Err == nil {
		t.Fatal("the first attempt was not cut")
	}
	if !fault.Transient(first.Err) {
		t.Errorf("a cut connection is permanent: %v", first.Err)
	}
	p.total.Store(0)
	p.down.Store(0)
	again := g.fetchCall(key, "resumed") // by another process, as it were
	again.Attempt = 2
	second := sdktest.New(t, New(), opts).Run(again)
	got, err := os.ReadFile(second.Path("file"))
	must(t, err)
	if !bytes.Equal(got, content) {
		t.Error("the content is not the object's")
	}
	if n := p.down.Load(); n > 31*mib {
		t.Errorf("the second attempt downloaded %d MiB of 40, with at least two parts of 5 MiB there", n/mib)
	}
}

func fetchGoesOn(t *testing.T, g *gateway) {
	content := noise(2, 20*mib)
	g.put(t, bucket, "bumpy", content)
	p := startProxy(t, g.S3)
	p.perConn.Store(3 * mib)
	h := sdktest.New(t, New(), sdktest.Options{Config: g.config(map[string]any{"endpoint": p.url, "part_size": "5MiB"})})
	got, err := os.ReadFile(h.Run(g.fetchCall("", "bumpy")).Path("file"))
	must(t, err)
	if !bytes.Equal(got, content) {
		t.Error("the content is not the object's")
	}
	if n := p.down.Load(); n > 24*mib {
		t.Errorf("downloaded %d MiB for 20", n/mib)
	}
}

func fetchParallel(t *testing.T, g *gateway) {
	g.put(t, bucket, "wide", noise(3, 60*mib))
	for concurrency, want := range map[int][2]int64{1: {1, 2}, 4: {3, 5}} {
		p := startProxy(t, g.S3)
		h := sdktest.New(t, New(), sdktest.Options{Config: g.config(map[string]any{"endpoint": p.url, "part_size": "5MiB", "concurrency": concurrency})})
		res := h.Run(g.fetchCall("", "wide"))
		res.Decode(&struct{}{})
		if most := p.most.Load(); most < want[0] || most > want[1] {
			t.Errorf("concurrency %d: %d connections at once", concurrency, most)
		}
		reports := res.ProgressReports()
		if len(reports) == 0 || reports[len(reports)-1].Total != 60*mib {
			t.Errorf("progress %v", reports)
		}
	}
}

// fetchDirectly fetches past the provider, for what only fetch's own options can arrange.
func fetchDirectly(ctx context.Context, c *client.Client, key, dir string, progress func(done, total int64)) (fetch.Result, error) {
	return fetch.Fetch(ctx, c, fetch.Object{Bucket: bucket, Key: key}, dir, &fetch.Options{
		Parts: parts.Parts{PartSize: 2 * mib, Concurrency: 2}, Progress: progress,
	})
}

func fetchChanged(t *testing.T, g *gateway) {
	g.put(t, bucket, "changing", noise(4, 30*mib))
	next := noise(5, 31*mib)
	changed := false
	res, err := fetchDirectly(t.Context(), g.Client, "changing", t.TempDir(), onceAfter(8*mib, func() {
		g.put(t, bucket, "changing", next)
		changed = true
	}))
	must(t, err)
	got, err := os.ReadFile(res.Path)
	must(t, err)
	if !changed || !bytes.Equal(got, next) {
		t.Errorf("changed %v, and the content is not the new object's", changed)
	}
}

// onceAfter is a progress function that acts once so much is done, and holds the other parts while it does.
func onceAfter(n int64, act func()) func(int64, int64) {
	var once sync.Once
	return func(done, _ int64) {
		if done >= n {
			once.Do(act)
		}
	}
}

func fetchDamaged(t *testing.T, g *gateway) {
	content := noise(6, 9*mib)
	g.put(t, bucket, "damaged", content)
	dir := t.TempDir()
	for _, file := range []string{"object", "parts"} {
		res, err := fetchDirectly(t.Context(), g.Client, "damaged", dir, nil)
		must(t, err)
		held := filepath.Join(t.TempDir(), "held")
		must(t, os.Link(res.Path, held)) // as the host holds what it was given
		path := filepath.Join(dir, file)
		data, err := os.ReadFile(path)
		must(t, err)
		data[len(data)-2] ^= 1
		must(t, os.Remove(path))
		must(t, os.WriteFile(path, data, 0o600))
		res, err = fetchDirectly(t.Context(), g.Client, "damaged", dir, nil)
		must(t, err)
		got, err := os.ReadFile(res.Path)
		must(t, err)
		kept, err := os.ReadFile(held)
		must(t, err)
		if res.Cached || !bytes.Equal(got, content) || !bytes.Equal(kept, content) {
			t.Errorf("with a damaged %s: cached %v, or the content is not the object's", file, res.Cached)
		}
	}
}

func fetchSpoiled(t *testing.T, g *gateway) {
	for name, size := range map[string]int{"spoiled-one": 1 * mib, "spoiled-parts": 15 * mib} {
		g.put(t, bucket, name, noise(7, size))
		p := startProxy(t, g.S3)
		p.flip.Store(mib / 2)
		state := t.TempDir()
		opts := sdktest.Options{StateDir: state, Config: g.config(map[string]any{"endpoint": p.url, "part_size": "5MiB"})}
		key := sdktest.NewKey()
		h := sdktest.New(t, New(), opts)
		res := h.Run(g.fetchCall(key, name))
		if res.Err == nil || !fault.Transient(res.Err) {
			t.Errorf("%s: error %v, want a transient one", name, res.Err)
		}
		p.flip.Store(0)
		got, err := os.ReadFile(h.Run(g.fetchCall(key, name)).Path("file"))
		must(t, err)
		if !bytes.Equal(got, noise(7, size)) {
			t.Errorf("%s: the content is not the object's", name)
		}
	}
}

func fetchCached(t *testing.T, g *gateway) {
	g.put(t, bucket, "cached", noise(8, 12*mib))
	p := startProxy(t, g.S3)
	h := sdktest.New(t, New(), sdktest.Options{Config: g.config(map[string]any{"endpoint": p.url, "part_size": "5MiB"})})
	first := h.Run(g.fetchCall("", "cached"))
	p.down.Store(0)
	second := h.Run(sdktest.Call{Type: "object_fetch", Key: first.Key, Attempt: 2, Input: map[string]any{"bucket": bucket, "key": "cached"}})
	var a, b fetchOutput
	first.Decode(&a)
	second.Decode(&b)
	if a.Cached || !b.Cached || a.File.Digest != b.File.Digest {
		t.Errorf("outputs %+v, then %+v", a, b)
	}
	if n := p.down.Load(); n > 9*mib {
		t.Errorf("%d MiB were sent for a cached download", n/mib)
	}
}

func fetchWrongSum(t *testing.T, g *gateway) {
	g.put(t, bucket, "unexpected", noise(9, 6*mib))
	state := t.TempDir()
	h := sdktest.New(t, New(), sdktest.Options{StateDir: state, Config: g.config(nil)})
	call := g.fetchCall("", "unexpected")
	call.Input = map[string]any{"bucket": bucket, "key": "unexpected", "sha256": "sha256:" + string(bytes.Repeat([]byte("ab"), 32))}
	wantError(t, h.Run(call).Err, sdk.KindPermanent, fault.CodeChecksum)
	left, err := filepath.Glob(filepath.Join(state, "downloads", "*", contentFolder, "*"))
	must(t, err)
	if len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

func fetchCancelled(t *testing.T, g *gateway) {
	g.put(t, bucket, "cancelled", noise(10, 30*mib))
	ctx, cancel := context.WithCancelCause(t.Context())
	_, err := fetchDirectly(ctx, g.Client, "cancelled", t.TempDir(), onceAfter(4*mib, func() { cancel(sdk.ErrCancelled) }))
	if !errors.Is(err, sdk.ErrCancelled) {
		t.Errorf("error %v, want the context's cause", err)
	}
}

func fetchLocked(t *testing.T, g *gateway) {
	g.put(t, bucket, "locked", noise(11, 8*mib))
	dir := t.TempDir()
	var inner error
	_, err := fetchDirectly(t.Context(), g.Client, "locked", dir, onceAfter(1, func() {
		_, inner = fetchDirectly(t.Context(), g.Client, "locked", dir, nil)
	}))
	must(t, err)
	if inner == nil || !fault.Transient(inner) {
		t.Errorf("a second download into the same folder: error %v, want a transient one", inner)
	}
}
