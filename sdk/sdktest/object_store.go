package sdktest

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"os"
	"strings"
	"testing"

	"github.com/containerpub/cpub/sdk"
)

// ObjectStore is the store that a provider of object_fetch and object_put works on, as the test itself sees it. The suites put
// objects below the keys "fetch/" and "put/".
type ObjectStore struct {
	// Bucket is there, and may be read and written. Missing is a bucket's name that is not taken.
	Bucket, Missing string
	// Versioned is a bucket that keeps versions, or empty where the store knows none.
	Versioned string
	// Put writes an object past the provider. It returns the version, or "".
	Put func(t testing.TB, bucket, key string, content []byte) (version string)
	// Get reads an object past the provider; nil when there is none.
	Get func(t testing.TB, bucket, key string) *Object
}

// Object is an object in the store.
type Object struct {
	Content     []byte
	ContentType string
	Metadata    map[string]string
}

// fetched are the outputs of object_fetch.
type fetched struct {
	ETag      string  `json:"etag"`
	Size      int64   `json:"size"`
	VersionID *string `json:"version_id"`
	Cached    bool    `json:"cached"`
}

// ObjectFetch is the suite of the contract object_fetch.
func ObjectFetch(t *testing.T, h *Harness, s ObjectStore) {
	sizes := map[string]int{"empty": 0, "small": 1000, "large": 20<<20 + 12345}
	for name, size := range sizes {
		t.Run(name, func(t *testing.T) {
			content := pattern(size)
			s.Put(t, s.Bucket, "fetch/"+name, content)
			sum := sha256.Sum256(content)
			res := h.Run(Call{Type: "object_fetch", Input: map[string]any{"bucket": s.Bucket, "key": "fetch/" + name, "sha256": hex.EncodeToString(sum[:])}})
			var out fetched
			res.Decode(&out)
			if out.Size != int64(size) || out.ETag == "" || strings.Contains(out.ETag, `"`) {
				t.Errorf("outputs %+v", out)
			}
			sameFile(t, res.Path("file"), content)
			if a := res.Artifact("file"); a.Name != name || a.Digest != "sha256:"+hex.EncodeToString(sum[:]) {
				t.Errorf("artifact %+v", a)
			}
		})
	}
	t.Run("a lost attempt is repeated", func(t *testing.T) {
		content := pattern(3000)
		s.Put(t, s.Bucket, "fetch/again", content)
		in := map[string]any{"bucket": s.Bucket, "key": "fetch/again"}
		first := h.Run(Call{Type: "object_fetch", Input: in})
		second := h.Run(Call{Type: "object_fetch", Input: in, Key: first.Key, Attempt: 2})
		sameFile(t, second.Path("file"), content)
		s.Put(t, s.Bucket, "fetch/again", pattern(4000))
		third := h.Run(Call{Type: "object_fetch", Input: in, Key: first.Key, Attempt: 3})
		sameFile(t, third.Path("file"), pattern(4000))
		sameFile(t, first.Path("file"), content) // an artifact never changes
	})
	t.Run("versions", func(t *testing.T) { fetchesVersions(t, h.For(t), s) })
	t.Run("refuses", func(t *testing.T) { refusesFetch(t, h.For(t), s) })
}

func fetchesVersions(t *testing.T, h *Harness, s ObjectStore) {
	if s.Versioned == "" {
		return
	}
	old := s.Put(t, s.Versioned, "fetch/v", []byte("old"))
	s.Put(t, s.Versioned, "fetch/v", []byte("new"))
	for version, want := range map[string]string{"": "new", old: "old"} {
		in := map[string]any{"bucket": s.Versioned, "key": "fetch/v"}
		if version != "" {
			in["version_id"] = version
		}
		res := h.Run(Call{Type: "object_fetch", Input: in})
		var out fetched
		res.Decode(&out)
		sameFile(t, res.Path("file"), []byte(want))
		if out.VersionID == nil || version != "" && *out.VersionID != version {
			t.Errorf("version %v, want %q", out.VersionID, version)
		}
	}
}

func refusesFetch(t *testing.T, h *Harness, s ObjectStore) {
	s.Put(t, s.Bucket, "fetch/there", []byte("there"))
	wrong := strings.Repeat("0", 64)
	for _, tt := range []struct {
		name string
		in   map[string]any
		kind sdk.Kind
		says string
	}{
		{"missing bucket", map[string]any{"bucket": s.Missing, "key": "fetch/there"}, sdk.KindPermanent, s.Missing},
		{"missing key", map[string]any{"bucket": s.Bucket, "key": "fetch/none"}, sdk.KindPermanent, "fetch/none"},
		{"wrong sha256", map[string]any{"bucket": s.Bucket, "key": "fetch/there", "sha256": wrong}, sdk.KindPermanent, wrong},
		{"no sha256", map[string]any{"bucket": s.Bucket, "key": "fetch/there", "sha256": "abc"}, sdk.KindInvalid, "sha256"},
		{"empty key", map[string]any{"bucket": s.Bucket, "key": ""}, sdk.KindInvalid, "key"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			res := h.Run(Call{Type: "object_fetch", Input: tt.in})
			wantKind(t, res, tt.kind)
			if !strings.Contains(strings.ToLower(res.Err.Error()), tt.says) {
				t.Errorf("error %q, want %q in it", res.Err, tt.says)
			}
		})
	}
}

// ObjectPut is the suite of the contract object_put.
func ObjectPut(t *testing.T, h *Harness, s ObjectStore) {
	for name, size := range map[string]int{"empty": 0, "small": 1000, "large": 20<<20 + 12345} {
		t.Run(name, func(t *testing.T) {
			content := pattern(size)
			res := h.Run(Call{Type: "object_put", Input: map[string]any{
				"bucket": s.Bucket, "key": "put/" + name, "file": h.Bytes("f", content),
				"content_type": "application/x-test", "metadata": map[string]string{"color": "blue"},
			}})
			var out struct{ ETag, URL string }
			res.Decode(&out)
			if out.ETag == "" || out.URL != "s3://"+s.Bucket+"/put/"+name {
				t.Errorf("outputs %+v", out)
			}
			o := s.Get(t, s.Bucket, "put/"+name)
			if o == nil || !bytes.Equal(o.Content, content) {
				t.Fatal("the object is not there, or something else")
			}
			if o.ContentType != "application/x-test" || o.Metadata["color"] != "blue" {
				t.Errorf("type %q, metadata %v", o.ContentType, o.Metadata)
			}
		})
	}
	t.Run("content", func(t *testing.T) {
		res := h.Run(Call{Type: "object_put", Input: map[string]any{"bucket": s.Bucket, "key": "put/text", "content": "héllo"}})
		res.Decode(&struct{}{})
		if o := s.Get(t, s.Bucket, "put/text"); o == nil || string(o.Content) != "héllo" {
			t.Errorf("object %+v", o)
		}
	})
	t.Run("if_none_match", func(t *testing.T) { putsOnce(t, h.For(t), s) })
	t.Run("refuses", func(t *testing.T) { refusesPut(t, h.For(t), s) })
}

func putsOnce(t *testing.T, h *Harness, s ObjectStore) {
	in := map[string]any{"bucket": s.Bucket, "key": "put/once-" + NewKey(), "content": "mine", "if_none_match": true}
	first := h.Run(Call{Type: "object_put", Input: in})
	first.Decode(&struct{}{})
	again := h.Run(Call{Type: "object_put", Input: in, Key: first.Key, Attempt: 2})
	again.Decode(&struct{}{})
	if string(again.Outputs) != string(first.Outputs) {
		t.Errorf("the repeated attempt gives %s, the first gave %s", again.Outputs, first.Outputs)
	}
	wantKind(t, h.Run(Call{Type: "object_put", Input: in}), sdk.KindPermanent)
}

func refusesPut(t *testing.T, h *Harness, s ObjectStore) {
	for _, tt := range []struct {
		name string
		in   map[string]any
		kind sdk.Kind
		says string
	}{
		{"missing bucket", map[string]any{"bucket": s.Missing, "key": "put/x", "content": "x"}, sdk.KindPermanent, s.Missing},
		{"nothing", map[string]any{"bucket": s.Bucket, "key": "put/x"}, sdk.KindInvalid, "file"},
		{"both", map[string]any{"bucket": s.Bucket, "key": "put/x", "content": "x", "file": h.Bytes("f", []byte("x"))}, sdk.KindInvalid, "content"},
	} {
		t.Run(tt.name, func(t *testing.T) {
			res := h.Run(Call{Type: "object_put", Input: tt.in})
			wantKind(t, res, tt.kind)
			if !strings.Contains(res.Err.Error(), tt.says) {
				t.Errorf("error %q, want %q in it", res.Err, tt.says)
			}
			if s.Get(t, s.Bucket, "put/x") != nil {
				t.Error("an object was made all the same")
			}
		})
	}
}

// pattern is content of which no two parts are alike.
func pattern(n int) []byte {
	b := make([]byte, n)
	x := uint32(n) + 1
	for i := range b {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		b[i] = byte(x)
	}
	return b
}

func sameFile(t *testing.T, path string, want []byte) {
	t.Helper()
	got, err := os.ReadFile(path)
	check(t, err)
	if !bytes.Equal(got, want) {
		t.Errorf("%d bytes that are not the %d wanted", len(got), len(want))
	}
}
