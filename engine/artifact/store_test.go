package artifact

import (
	"net/url"
	"path/filepath"
	"strings"
	"testing"
)

func TestMemoryStore(t *testing.T) { conformance(t, "mem://") }

func TestFileStore(t *testing.T) {
	conformance(t, fileURL(filepath.Join(t.TempDir(), "a store"))+"?create_dir=1&no_tmp_dir=1")
}

func fileURL(path string) string {
	return (&url.URL{Scheme: "file", Path: path}).String()
}

func TestOpenSaysWhatIsWrong(t *testing.T) {
	tests := []struct{ name, url, want string }{
		{"no URL", "::", "the store's URL"},
		{"another scheme", "http://x", "a store is a file://, s3:// or mem:// URL"},
		{"a folder that is not there", fileURL(filepath.Join(t.TempDir(), "none")), "no such file"},
		{"an option that is not there", fileURL(t.TempDir()) + "?x=1", "invalid query parameter"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s, err := Open(t.Context(), tt.url)
			if err == nil {
				t.Fatal("it was opened", s.Close())
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %q, want %q in it", err, tt.want)
			}
		})
	}
}
