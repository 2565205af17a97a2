package artifact

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/containerpub/cpub/sdk"
)

func tree(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for name, mode := range map[string]os.FileMode{"a.txt": 0o644, "bin/run": 0o755, "bin/deep/x": 0o600} {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, []byte(name), mode)); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Symlink("../a.txt", filepath.Join(dir, "bin/link")); err != nil {
		t.Fatal(err)
	}
	return dir
}

func openRoot(t *testing.T, dir string) *os.Root {
	t.Helper()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	return root
}

func testDirectories(t *testing.T, s *Store) {
	dir := tree(t)
	a, err := s.PutDir(t.Context(), openRoot(t, dir), "d")
	if err != nil {
		t.Fatal(err)
	}
	c := newCache(t, t.TempDir(), s)
	path, err := c.Path(t.Context(), a)
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{"a.txt": "-r--r--r--", "bin": "dr-xr-xr-x", "bin/run": "-r-xr-xr-x", "bin/deep/x": "-r--r--r--", ".": "dr-xr-xr-x"} {
		info, err := os.Stat(filepath.Join(path, name))
		if err != nil || info.Mode().String() != want {
			t.Errorf("%s: %v, %v, want %s", name, info.Mode(), err, want)
		}
	}
	if got, err := os.ReadFile(filepath.Join(path, "bin/link")); err != nil || string(got) != "a.txt" {
		t.Errorf("behind the link: %q, %v", got, err)
	}
	again, err := c.AddDir(t.Context(), openRoot(t, filepath.Dir(path)), filepath.Base(path))
	if err != nil || again.Digest != a.Digest || again.Size != a.Size {
		t.Errorf("the unpacked folder is %+v, %v, want %+v", again, err, a)
	}
	leftovers(t, c)
}

func testCache(t *testing.T, s *Store) {
	scratch := t.TempDir()
	if err := os.Rename(tree(t), filepath.Join(scratch, "tree")); err != nil {
		t.Fatal(err)
	}
	c := newCache(t, t.TempDir(), s)
	root := openRoot(t, scratch)
	file, err := c.AddFile(t.Context(), root, "tree/a.txt")
	if err != nil {
		t.Fatal(err)
	}
	dir, err := c.AddDir(t.Context(), root, "tree")
	if err != nil {
		t.Fatal(err)
	}
	other := newCache(t, t.TempDir(), s) // another worker's: it can only come from the store
	var all sync.WaitGroup
	for _, cache := range []*Cache{c, other, other, other} {
		all.Go(func() {
			f, err := cache.Path(t.Context(), file)
			if got, rerr := os.ReadFile(f); err != nil || rerr != nil || string(got) != "a.txt" {
				t.Errorf("file %q, %v, %v", got, err, rerr)
			}
			d, err := cache.Path(t.Context(), dir)
			if got, rerr := os.ReadFile(filepath.Join(d, "bin/run")); err != nil || rerr != nil || string(got) != "bin/run" {
				t.Errorf("file of the folder %q, %v, %v", got, err, rerr)
			}
		})
	}
	all.Wait()
	leftovers(t, c)
	leftovers(t, other)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	third := newCache(t, t.TempDir(), s)
	if _, err := third.Path(ctx, dir); !errors.Is(err, context.Canceled) {
		t.Errorf("with an ended context: %v", err)
	}
	leftovers(t, third)
}

func TestCacheIngestStaysInside(t *testing.T) {
	s, err := Open(t.Context(), "mem://")
	if err != nil {
		t.Fatal(err)
	}
	c := newCache(t, t.TempDir(), s)
	scratch := t.TempDir()
	secret := filepath.Join(t.TempDir(), "secret")
	if err := errors.Join(os.Mkdir(secret, 0o700), os.WriteFile(filepath.Join(secret, "f"), nil, 0o600),
		os.Symlink(secret, filepath.Join(scratch, "dir")), os.Symlink(filepath.Join(secret, "f"), filepath.Join(scratch, "file"))); err != nil {
		t.Fatal(err)
	}
	root := openRoot(t, scratch)
	for _, name := range []string{"file", "dir/f", "../" + filepath.Base(scratch), "."} {
		if a, err := c.AddFile(t.Context(), root, name); err == nil {
			t.Errorf("file %s became %+v", name, a)
		}
	}
	for _, name := range []string{"dir", "../..", "."} { // "." holds links that lead out
		if a, err := c.AddDir(t.Context(), root, name); err == nil {
			t.Errorf("folder %s became %+v", name, a)
		}
	}
	leftovers(t, c)
}

func TestUnpackRefuses(t *testing.T) {
	tests := []struct {
		name    string
		entries []tar.Header
	}{
		{"a name that leads out", []tar.Header{{Name: "../x", Typeflag: tar.TypeReg}}},
		{"an absolute name", []tar.Header{{Name: "/x", Typeflag: tar.TypeReg}}},
		{"a link that leads out", []tar.Header{{Name: "l", Linkname: "../x", Typeflag: tar.TypeSymlink}}},
		{"an absolute link", []tar.Header{{Name: "l", Linkname: "/etc", Typeflag: tar.TypeSymlink}}},
		{"a hard link", []tar.Header{{Name: "f", Typeflag: tar.TypeReg}, {Name: "l", Linkname: "f", Typeflag: tar.TypeLink}}},
		{"a device", []tar.Header{{Name: "d", Typeflag: tar.TypeChar}}},
		{"a name twice", []tar.Header{{Name: "f", Typeflag: tar.TypeReg}, {Name: "f", Typeflag: tar.TypeReg}}},
		{"a file in no folder", []tar.Header{{Name: "d/f", Typeflag: tar.TypeReg}}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			var b bytes.Buffer
			w := tar.NewWriter(&b)
			for _, h := range tt.entries {
				if err := w.WriteHeader(&h); err != nil {
					t.Fatal(err)
				}
			}
			if err := w.Close(); err != nil {
				t.Fatal(err)
			}
			if err := Unpack(t.Context(), &b, openRoot(t, t.TempDir())); err == nil {
				t.Error("it was unpacked")
			}
		})
	}
}

func TestOwnFoldersOfTheDeadAreSwept(t *testing.T) {
	parent := t.TempDir()
	alive, err := NewOwnFolder(parent)
	if err != nil {
		t.Fatal(err)
	}
	dead, err := NewOwnFolder(parent)
	if err != nil {
		t.Fatal(err)
	}
	ro := filepath.Join(dead.dir, "ro")
	if err := errors.Join(os.Mkdir(ro, 0o755), os.WriteFile(filepath.Join(ro, "f"), nil, 0o444), os.Chmod(ro, 0o555)); err != nil {
		t.Fatal(err)
	}
	dead.lock.Close() // as the kernel does for a process that was killed
	third, err := NewOwnFolder(parent)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(dead.dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the dead one's folder is there: %v", err)
	}
	if _, err := os.Stat(alive.dir); err != nil {
		t.Errorf("the living one's folder is gone: %v", err)
	}
	if err := errors.Join(alive.Close(), third.Close()); err != nil {
		t.Error(err)
	}
	if left, err := os.ReadDir(parent); err != nil || len(left) != 1 || left[0].Name() != "gate" {
		t.Errorf("left: %v, %v", left, err)
	}
}

func TestLogWriterOutlivesABrokenStore(t *testing.T) {
	s, err := Open(t.Context(), "mem://")
	if err != nil {
		t.Fatal(err)
	}
	w, err := s.LogWriter(t.Context(), "logs/x")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		for range 100 {
			w.Write("stdout", []byte(strings.Repeat("x", 100<<10)))
		}
	}()
	select {
	case <-done:
	case <-time.After(30 * time.Second):
		t.Fatal("writing waits for a store that is gone")
	}
	ctx, cancel := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer cancel()
	if err := w.Close(ctx); err == nil {
		t.Error("Close does not tell")
	}
}

// A store that cannot be written for a while gets what it missed, in order.
func TestLogWriterTriesAgain(t *testing.T) {
	dir := t.TempDir()
	s, err := Open(t.Context(), "file://"+dir+"?no_tmp_dir=1")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = s.Close() }()
	if err := os.WriteFile(filepath.Join(dir, "logs"), nil, 0o600); err != nil { // where the log's folder is to be
		t.Fatal(err)
	}
	w, err := s.LogWriter(t.Context(), "logs/x")
	if err != nil {
		t.Fatal(err)
	}
	w.Write("stdout", []byte("one"))
	w.wake <- struct{}{}
	w.Write("stdout", []byte("two"))
	time.Sleep(50 * time.Millisecond)
	if err := os.Remove(filepath.Join(dir, "logs")); err != nil {
		t.Fatal(err)
	}
	w.Write("stdout", []byte("three"))
	if err := w.Close(t.Context()); err != nil {
		t.Errorf("the log is not whole: %v", err)
	}
	entries, _, err := s.ReadLog(t.Context(), "logs/x", 0)
	var text strings.Builder
	for _, e := range entries {
		text.WriteString(e.Text + " ")
	}
	if err != nil || text.String() != "one two three  " {
		t.Errorf("the log is %q, %v", text.String(), err)
	}
}

func TestPathOfAnArtifactWithoutDigest(t *testing.T) {
	s, err := Open(t.Context(), "mem://")
	if err != nil {
		t.Fatal(err)
	}
	c := newCache(t, t.TempDir(), s)
	for _, digest := range []string{"", "sha256:../../x"} {
		if p, err := c.Path(t.Context(), sdk.Artifact{Digest: digest}); err == nil {
			t.Errorf("digest %q is at %s", digest, p)
		}
	}
}
