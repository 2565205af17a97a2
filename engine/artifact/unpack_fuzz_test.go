package artifact

import (
	"bytes"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/containerpub/cpub/sdk"
)

// FuzzUnpack: whatever a store holds, nothing is made outside of the folder, and what was unpacked is a directory artifact again.
func FuzzUnpack(f *testing.F) {
	dir, err := os.OpenRoot(filepath.Join("testdata", "tree"))
	if err != nil {
		f.Fatal(err)
	}
	var seed bytes.Buffer
	if err := sdk.WriteTar(&seed, dir); err != nil {
		f.Fatal(err)
	}
	f.Add(seed.Bytes())
	f.Fuzz(func(t *testing.T, data []byte) {
		outer := t.TempDir()
		inner := filepath.Join(outer, "in")
		if err := os.Mkdir(inner, 0o700); err != nil {
			t.Fatal(err)
		}
		root := openRoot(t, inner)
		err := Unpack(t.Context(), bytes.NewReader(data), root)
		if left, rerr := os.ReadDir(outer); rerr != nil || len(left) != 1 {
			t.Fatalf("made outside: %v, %v", left, rerr)
		}
		if err == nil {
			var again bytes.Buffer
			if err := sdk.WriteTar(&again, root); err != nil {
				t.Errorf("what was unpacked cannot be packed: %v", err)
			}
		}
		_ = filepath.WalkDir(inner, func(path string, _ fs.DirEntry, _ error) error {
			if strings.Contains(path, "..") {
				t.Errorf("made %s", path)
			}
			return nil
		})
		if err := RemoveAll(inner); err != nil {
			t.Fatal(err)
		}
	})
}
