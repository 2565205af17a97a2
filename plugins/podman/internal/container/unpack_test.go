package container

import (
	"archive/tar"
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"

	"github.com/containerpub/cpub/plugins/podman/internal/owner"
	"github.com/containerpub/cpub/sdk"
)

// TestHardLinksCount: a hard link is a file of its own in an artifact, and counts as one.
func TestHardLinksCount(t *testing.T) {
	root, err := os.OpenRoot(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = root.Close() }()
	if err := root.Mkdir(content, 0o755); err != nil {
		t.Fatal(err)
	}
	left := &allowance{bytes: 250, most: "250", entries: 10}
	add := func(h tar.Header, text string) error {
		h.Size = int64(len(text))
		if err := left.take(h.Size); err != nil {
			return err
		}
		return unpackEntry(bytes.NewReader([]byte(text)), root, &h, h.Name, "", left)
	}
	if err := add(tar.Header{Typeflag: tar.TypeReg, Name: "a"}, string(make([]byte, 100))); err != nil {
		t.Fatal(err)
	}
	if err := add(tar.Header{Typeflag: tar.TypeLink, Name: "b", Linkname: "a"}, ""); err != nil {
		t.Fatal(err)
	}
	var bad errCollect
	if err := add(tar.Header{Typeflag: tar.TypeLink, Name: "c", Linkname: "a"}, ""); !errors.As(err, &bad) {
		t.Errorf("three times 100 bytes in 250: %v", err)
	}
	if _, err := root.Lstat(filepath.Join(content, "c")); err == nil {
		t.Error("the link was made all the same")
	}
	if left.entries != 7 {
		t.Errorf("%d entries are left of 10 after three", left.entries)
	}
}

// TestPrecedence: no limit lets a container's processes take precedence over others.
func TestPrecedence(t *testing.T) {
	for _, name := range []string{"rtprio", "rttime", "nice"} {
		_, err := decode(t, `{"ulimits":{"`+name+`":"1"}}`)
		var e *sdk.Error
		if !errors.As(err, &e) || e.Attr != "ulimits" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestOwnLabels: those by which ours are found and swept are nobody else's to give.
func TestOwnLabels(t *testing.T) {
	for name, want := range map[string]bool{"mine": true, "io.cpub.shell": false, "io.cpub.pod": false, "PODMAN_SYSTEMD_UNIT": false} {
		if err := owner.CheckLabels(map[string]string{name: "x"}); (err == nil) != want {
			t.Errorf("label %s: %v", name, err)
		}
	}
}
