package seed

import (
	"bytes"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/registry"
)

func folder(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "sub"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "sub", "f"), []byte("content"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("sub/f", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestSameFolderSameBytes(t *testing.T) {
	var a, b bytes.Buffer
	if err := WriteTarGz(&a, folder(t)); err != nil {
		t.Fatal(err)
	}
	if err := WriteTarGz(&b, folder(t)); err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(a.Bytes(), b.Bytes()) {
		t.Error("two equal folders give different archives")
	}
}

func TestImage(t *testing.T) {
	srv := httptest.NewServer(registry.New())
	defer srv.Close()
	ref := strings.TrimPrefix(srv.URL, "http://") + "/base:1"
	first, err := Image(t.Context(), folder(t), ref)
	if err != nil {
		t.Fatal(err)
	}
	second, err := Image(t.Context(), folder(t), ref)
	if err != nil || first != second || !strings.HasPrefix(first, "sha256:") {
		t.Errorf("digests %s and %s, error %v; want the same twice", first, second, err)
	}
}

func TestWrongTargets(t *testing.T) {
	for _, target := range []string{"bucket/key", "s3://bucket", "s3://bucket/", "s3:///key"} {
		if err := Object(t.Context(), t.TempDir(), target); err == nil || !strings.Contains(err.Error(), "s3://BUCKET/KEY") {
			t.Errorf("Object(%q) = %v", target, err)
		}
	}
	if _, err := Image(t.Context(), t.TempDir(), "no tag"); err == nil {
		t.Error("a wrong reference was accepted")
	}
}
