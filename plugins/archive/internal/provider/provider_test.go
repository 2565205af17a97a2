package provider

import (
	"errors"
	"path/filepath"
	"strings"
	"testing"

	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/sdktest"
)

func TestProviderConforms(t *testing.T) { sdktest.Conforms(t, New()) }

func TestArchiveExtract(t *testing.T) {
	t.Run("direct", func(t *testing.T) { sdktest.ArchiveExtract(t, sdktest.New(t, New(), sdktest.Options{})) })
	t.Run("wire", func(t *testing.T) { sdktest.ArchiveExtract(t, sdktest.New(t, New(), sdktest.Options{Wire: true})) })
}

func TestErrorsNameTheirAttribute(t *testing.T) {
	h := sdktest.New(t, New(), sdktest.Options{})
	for attr, value := range map[string]any{
		"max_bytes": "0b", "max_entries": 0, "max_ratio": 0.5, "strip_components": -1, "include": []string{"{a"}, "exclude": []string{""},
	} {
		res := h.Run(sdktest.Call{Type: "archive_extract", Input: map[string]any{"archive": h.Bytes("a.tar", make([]byte, 1024)), attr: value}})
		var e *sdk.Error
		if !errors.As(res.Err, &e) || e.Kind != sdk.KindInvalid || e.Attr != attr || !strings.Contains(e.Error(), attr) {
			t.Errorf("%s = %v: error %v", attr, value, res.Err)
		}
	}
}

// Without a folder for links archives with links cannot be unpacked; with another TMPDIR, as the remedy says, they can.
func TestCheck(t *testing.T) {
	t.Setenv("TMPDIR", filepath.Join(t.TempDir(), "gone"))
	found, err := New().Check(t.Context())
	if err != nil || len(found) != 1 || found[0].OK || !strings.Contains(found[0].Remedy, "TMPDIR") {
		t.Errorf("%+v, %v", found, err)
	}
	t.Setenv("TMPDIR", t.TempDir())
	if found, err = New().Check(t.Context()); err != nil || len(found) != 1 || !found[0].OK || found[0].Remedy != "" {
		t.Errorf("after the remedy: %+v, %v", found, err)
	}
}

func TestStem(t *testing.T) {
	for name, want := range map[string]string{"f.tar.gz": "f", "f.tgz": "f", "f.zip": "f", "f": "f", ".zip": ".zip", "a.b.tar": "a.b"} {
		if got := stem(name); got != want {
			t.Errorf("stem(%q) = %q, want %q", name, got, want)
		}
	}
}
