package extract

import (
	"archive/tar"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// FuzzExtract feeds arbitrary bytes to Extract. Whatever they are, it ends without a panic, leaves nothing behind when it
// fails, and makes nothing but files, folders and links that stay inside when it succeeds.
func FuzzExtract(f *testing.F) {
	for _, name := range []string{"small.tar.bz2", "small.tar.xz", "window.tar.xz"} {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		must(f, err)
		f.Add(data, uint8(0))
	}
	mixed := tarOf(f, folder("d/"), reg("d/a", "x"), sym("d/l", "../d/a"), hard("h", "d/a"), reg("d/a", "new"), special("null", tar.TypeChar))
	for _, data := range [][]byte{
		mixed, gz(f, mixed), zst(f, mixed),
		tarOf(f, sym("a", "."), reg("a/b", "x")),
		zipOf(f, zipFile{name: "d/", mode: fs.ModeDir}, zipFile{name: "d/a", content: "x"}, zipFile{name: "l", content: "d/a", mode: fs.ModeSymlink}),
		zipOf(f, zipFile{name: "../a", content: "x"}),
	} {
		f.Add(data, uint8(0))
		f.Add(data, uint8(1))
	}
	f.Fuzz(func(t *testing.T, data []byte, strip uint8) {
		parent, res, err := extractBytes(t, data, Options{StripComponents: int(strip % 4), MaxBytes: 1 << 20, MaxEntries: 200, MaxRatio: 50})
		dest := filepath.Join(parent, "dest")
		if err != nil {
			var fault *Error
			if !errors.As(err, &fault) {
				t.Errorf("error %v is no *Error, but nothing is wrong with the machine", err)
			}
			if left := listing(t, parent); len(left) > 0 {
				t.Errorf("left behind: %q", left)
			}
			return
		}
		if res.Bytes > 1<<20 {
			t.Errorf("%d bytes are more than was allowed", res.Bytes)
		}
		inside(t, dest)
	})
}

// inside checks what a tree is made of.
func inside(t *testing.T, dest string) {
	root, err := os.OpenRoot(dest)
	must(t, err)
	defer func() { _ = root.Close() }()
	must(t, fs.WalkDir(root.FS(), ".", func(p string, d fs.DirEntry, err error) error {
		must(t, err)
		info, err := d.Info()
		must(t, err)
		switch d.Type() {
		case 0, fs.ModeDir:
			if info.Mode()&(fs.ModeSetuid|fs.ModeSetgid|fs.ModeSticky) != 0 {
				t.Errorf("%s has mode %s", p, info.Mode())
			}
		case fs.ModeSymlink:
			// Leads to something inside, to nothing, or in a circle; os.Root says "path escapes" otherwise.
			if _, err := root.Stat(p); err != nil && !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) && !errors.Is(err, syscall.ELOOP) {
				t.Errorf("link %s: %v", p, err)
			}
		default:
			t.Errorf("%s is a %s", p, d.Type())
		}
		return nil
	}))
}
