package provider

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/schema"
	"github.com/containerpub/cpub/sdk/sdktest"
)

// configured is a provider whose store nobody asks.
func configured(t *testing.T) (*Provider, *sdktest.Harness) {
	t.Helper()
	p := New()
	h := sdktest.New(t, p, sdktest.Options{Config: map[string]any{
		"endpoint": "http://127.0.0.1:1", "access_key_id": "a", "secret_access_key": "b",
	}})
	return p, h
}

// keep makes a download of a run that is so old.
func keep(t *testing.T, p *Provider, key, run string, age time.Duration) string {
	t.Helper()
	d := p.download(key)
	if err := d.claim(run); err != nil {
		t.Fatal(err)
	}
	at := time.Now().Add(-age)
	for _, path := range []string{filepath.Join(d.dir, ownerFile), d.dir} {
		if err := os.Chtimes(path, at, at); err != nil {
			t.Fatal(err)
		}
	}
	return d.dir
}

func there(path string) bool {
	_, err := os.Stat(path)
	return err == nil
}

func TestRelease(t *testing.T) {
	p, _ := configured(t)
	one, two := keep(t, p, "one", "a", 0), keep(t, p, "two", "a", 0)
	for range 2 { // calls may repeat
		if err := p.Release(t.Context(), []string{"one", "unknown"}); err != nil {
			t.Fatal(err)
		}
	}
	if there(one) || !there(two) {
		t.Errorf("released: there %v; kept: there %v", there(one), there(two))
	}
}

func TestSweep(t *testing.T) {
	p, _ := configured(t)
	if n, err := p.Sweep(t.Context(), sdk.Sweep{}); n != 0 || err != nil {
		t.Errorf("sweeping nothing: %d, %v", n, err)
	}
	live, young, old := keep(t, p, "live", "a", 2*time.Hour), keep(t, p, "young", "b", time.Minute), keep(t, p, "old", "b", 2*time.Hour)
	n, err := p.Sweep(t.Context(), sdk.Sweep{LiveRuns: []string{"a"}, Grace: schema.Duration(time.Hour)})
	if n != 1 || err != nil || !there(live) || !there(young) || there(old) {
		t.Errorf("removed %d, %v; live %v, young %v, old %v", n, err, there(live), there(young), there(old))
	}
}

func TestInputsAreRefused(t *testing.T) {
	_, h := configured(t)
	for name, tt := range map[string]struct {
		step, attr string
		in         map[string]any
	}{
		"slash in bucket": {"object_fetch", "bucket", map[string]any{"bucket": "a/b", "key": "k"}},
		"long key":        {"object_fetch", "key", map[string]any{"bucket": "b", "key": string(make([]byte, 1025))}},
		"metadata value":  {"object_put", "metadata.a", map[string]any{"bucket": "b", "key": "k", "content": "x", "metadata": map[string]string{"a": "x\ny"}}},
		"metadata of ours": {"object_put", "metadata.Cpub-Key", map[string]any{
			"bucket": "b", "key": "k", "content": "x", "metadata": map[string]string{"Cpub-Key": "x"},
		}},
		"content type": {"object_put", "content_type", map[string]any{"bucket": "b", "key": "k", "content": "x", "content_type": "a\r\nb"}},
	} {
		err := h.Run(sdktest.Call{Type: tt.step, Input: tt.in}).Err
		if e, ok := err.(*sdk.Error); !ok || e.Kind != sdk.KindInvalid || e.Attr != tt.attr { //nolint:errorlint // must not be wrapped
			t.Errorf("%s: error %v", name, err)
		}
	}
}

func TestConfigurationIsRefused(t *testing.T) {
	for name, config := range map[string]map[string]any{
		"part_size":   {"part_size": "1MiB"},
		"concurrency": {"concurrency": 100},
		"endpoint":    {"endpoint": "localhost:9000"},
		"credentials": {"endpoint": "http://localhost:9000", "access_key_id": "a"},
	} {
		p := New()
		if _, err := sdktest.TryNew(t, p, sdktest.Options{Config: config}); err == nil {
			t.Errorf("%s: taken", name)
		}
		findings, err := p.Check(t.Context())
		if err != nil || len(findings) != 1 || findings[0].OK || findings[0].Remedy == "" {
			t.Errorf("%s: findings %+v, error %v", name, findings, err)
		}
	}
}
