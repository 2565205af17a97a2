package sdk

import (
	"archive/tar"
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"testing"
	"time"
)

func TestWriteTarIsCanonical(t *testing.T) {
	one, two := t.TempDir(), t.TempDir()
	for _, dir := range []string{one, two} {
		write(t, dir, "a.txt", "A", 0o644)
		write(t, dir, "a/run", "#!", 0o755)
		write(t, dir, "a/ü", "u", 0o600)
		if err := os.Symlink("../a.txt", filepath.Join(dir, "a/link")); err != nil {
			t.Fatal(err)
		}
	}
	old := time.Date(2001, 2, 3, 4, 5, 6, 7, time.UTC)
	for name, mode := range map[string]os.FileMode{"a.txt": 0o400, "a/run": 0o511, "a": 0o700} {
		path := filepath.Join(two, name)
		if err := errors.Join(os.Chmod(path, mode), os.Chtimes(path, old, old)); err != nil {
			t.Fatal(err)
		}
	}
	first, second := pack(t, one), pack(t, two)
	if !bytes.Equal(first, second) {
		t.Error("modes and times change the tar")
	}
	want := []string{"a/ 755", "a/link 777 -> ../a.txt", "a/run 755", "a/ü 644", "a.txt 644"}
	if got := list(t, first); !slices.Equal(got, want) {
		t.Errorf("entries %q, want %q", got, want)
	}
}

func TestWriteTarRefuses(t *testing.T) {
	tests := []struct {
		name string
		make func(dir string) error
	}{
		{"an absolute link", func(d string) error { return os.Symlink("/etc/passwd", filepath.Join(d, "l")) }},
		{"a link that leads out", func(d string) error { return os.Symlink("../x", filepath.Join(d, "l")) }},
		{"a link that goes up behind another link", func(d string) error {
			return errors.Join(os.Mkdir(filepath.Join(d, "sub"), 0o755), os.Symlink("..", filepath.Join(d, "sub/s")),
				os.Symlink("s/../x", filepath.Join(d, "sub/l")))
		}},
		{"a FIFO", func(d string) error { return syscall.Mkfifo(filepath.Join(d, "f"), 0o600) }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			dir := t.TempDir()
			if err := tt.make(dir); err != nil {
				t.Fatal(err)
			}
			root, err := os.OpenRoot(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer root.Close()
			if err := WriteTar(io.Discard, root); err == nil {
				t.Error("it was packed")
			}
		})
	}
}

func TestOpenRegularStaysInside(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "in/f", "x", 0o644)
	if err := errors.Join(os.Symlink("/etc", filepath.Join(dir, "in/out")), syscall.Mkfifo(filepath.Join(dir, "in/fifo"), 0o600)); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(filepath.Join(dir, "in"))
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	f, err := OpenRegular(root, "f")
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
	for _, name := range []string{"out/passwd", "../in/f", "fifo", "."} {
		if f, err := OpenRegular(root, name); err == nil {
			f.Close()
			t.Errorf("%s was opened", name)
		}
	}
}

func write(t *testing.T, dir, name, content string, mode os.FileMode) {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), mode); err != nil {
		t.Fatal(err)
	}
}

func pack(t *testing.T, dir string) []byte {
	t.Helper()
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	var b bytes.Buffer
	if err := WriteTar(&b, root); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func list(t *testing.T, data []byte) []string {
	t.Helper()
	var out []string
	r := tar.NewReader(bytes.NewReader(data))
	for {
		h, err := r.Next()
		if errors.Is(err, io.EOF) {
			return out
		}
		if err != nil {
			t.Fatal(err)
		}
		if h.Uid != 0 || h.Gid != 0 || h.Uname != "" || h.ModTime.Unix() != 0 {
			t.Errorf("%s has an owner or a time: %+v", h.Name, h)
		}
		line := h.Name + " " + strconv.FormatInt(h.Mode, 8)
		if h.Linkname != "" {
			line += " -> " + h.Linkname
		}
		out = append(out, line)
	}
}
