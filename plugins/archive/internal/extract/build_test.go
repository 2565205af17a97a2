package extract

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"hash/crc32"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/klauspost/compress/flate"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

// The tests' archives are made entry by entry, so that a table row shows all of what is hostile in it.

func reg(name, content string) tar.Header { return regMode(name, content, 0o644) }

func regMode(name, content string, mode int64) tar.Header {
	// Size and content travel together: PAXRecords would be written, so Uname carries the content to tarOf.
	return tar.Header{Typeflag: tar.TypeReg, Name: name, Mode: mode, Size: int64(len(content)), Uname: content}
}

func folder(name string) tar.Header {
	return tar.Header{Typeflag: tar.TypeDir, Name: name, Mode: 0o700}
}

func sym(name, target string) tar.Header {
	return tar.Header{Typeflag: tar.TypeSymlink, Name: name, Linkname: target, Mode: 0o777}
}

func hard(name, target string) tar.Header {
	return tar.Header{Typeflag: tar.TypeLink, Name: name, Linkname: target, Mode: 0o644}
}

func special(name string, flag byte) tar.Header {
	return tar.Header{Typeflag: flag, Name: name, Mode: 0o644, Devmajor: 1, Devminor: 3}
}

// tarOf is a tar of entries made by reg and its kin.
func tarOf(t testing.TB, entries ...tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range entries {
		content := h.Uname
		h.Uname = ""
		must(t, w.WriteHeader(&h))
		_, err := w.Write([]byte(content))
		must(t, err)
	}
	must(t, w.Close())
	return b.Bytes()
}

func gz(t testing.TB, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	must(t, err)
	_, err = w.Write(data)
	must(t, err)
	must(t, w.Close())
	return b.Bytes()
}

func zst(t testing.TB, data []byte) []byte {
	t.Helper()
	w, err := zstd.NewWriter(nil)
	must(t, err)
	return w.EncodeAll(data, nil)
}

// zipFile is one entry of a zip, and what its headers say untruly.
type zipFile struct {
	name    string
	content string
	mode    fs.FileMode
	// lie is a size to claim instead of the content's.
	lie uint64
	// crc is added to the checksum; flags and method are taken as they are.
	crc    uint32
	flags  uint16
	method uint16
}

func zipOf(t testing.TB, files ...zipFile) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for _, f := range files {
		h := &zip.FileHeader{Name: f.name, Method: zip.Deflate, Flags: f.flags}
		if f.method != 0 {
			h.Method = f.method
		}
		h.SetMode(f.mode | 0o600)
		var packed bytes.Buffer
		d, err := flate.NewWriter(&packed, flate.BestCompression)
		must(t, err)
		_, err = d.Write([]byte(f.content))
		must(t, err)
		must(t, d.Close())
		h.CompressedSize64, h.UncompressedSize64 = uint64(packed.Len()), uint64(len(f.content))
		if f.lie != 0 {
			h.UncompressedSize64 = f.lie
		}
		if f.mode.IsDir() && f.content == "" {
			packed.Reset()
			h.Method, h.CompressedSize64 = zip.Store, 0
		}
		h.CRC32 = crc32.ChecksumIEEE([]byte(f.content)) + f.crc
		raw, err := w.CreateRaw(h)
		must(t, err)
		_, err = raw.Write(packed.Bytes())
		must(t, err)
	}
	must(t, w.Close())
	return b.Bytes()
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// extractBytes extracts an archive into dest below a fresh folder, and returns the folder.
func extractBytes(t testing.TB, archive []byte, opts Options) (parent string, res Result, err error) {
	t.Helper()
	parent = t.TempDir()
	file := filepath.Join(t.TempDir(), "archive")
	must(t, os.WriteFile(file, archive, 0o600))
	res, err = Extract(t.Context(), file, filepath.Join(parent, "dest"), opts)
	return parent, res, err
}

// listing describes a tree: "name mode content", links as "name -> target", folders as "name/".
func listing(t testing.TB, dir string) []string {
	t.Helper()
	var out []string
	must(t, filepath.WalkDir(dir, func(p string, d fs.DirEntry, err error) error {
		must(t, err)
		rel, err := filepath.Rel(dir, p)
		must(t, err)
		if rel == "." {
			return nil
		}
		info, err := d.Info()
		must(t, err)
		switch {
		case d.IsDir():
			rel += "/ " + info.Mode().String()
		case d.Type() == fs.ModeSymlink:
			target, err := os.Readlink(p)
			must(t, err)
			rel += " -> " + target
		default:
			content, err := os.ReadFile(p)
			must(t, err)
			rel += " " + info.Mode().String() + " " + string(content[:min(len(content), 40)])
		}
		out = append(out, rel)
		return nil
	}))
	slices.Sort(out)
	return out
}
