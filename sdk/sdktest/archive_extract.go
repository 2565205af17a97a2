package sdktest

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/containerpub/cpub/sdk"
)

// ArchiveExtract is the suite of the contract archive_extract: what comes out of good archives, and that hostile ones fail for
// good and leave no output.
func ArchiveExtract(t *testing.T, h *Harness) {
	t.Run("extracts", func(t *testing.T) { extractsArchives(t, h.For(t)) })
	t.Run("selects", func(t *testing.T) { selectsEntries(t, h.For(t)) })
	t.Run("refuses", func(t *testing.T) { refusesArchives(t, h.For(t)) })
}

// archiveInput is an input of archive_extract; further attributes can be added.
func archiveInput(h *Harness, name string, content []byte, more map[string]any) map[string]any {
	in := map[string]any{"archive": h.Bytes(name, content)}
	for k, v := range more {
		in[k] = v
	}
	return in
}

func extractsArchives(t *testing.T, h *Harness) {
	entries := []tar.Header{
		{Typeflag: tar.TypeDir, Name: "bin/", Mode: 0o700},
		{Typeflag: tar.TypeReg, Name: "bin/run", Mode: 0o4711, PAXRecords: content("#!/bin/sh\n")},
		{Typeflag: tar.TypeReg, Name: "data", Mode: 0o600, PAXRecords: content("data")},
		{Typeflag: tar.TypeSymlink, Name: "bin/link", Linkname: "../data"},
		{Typeflag: tar.TypeLink, Name: "hard", Linkname: "data"},
	}
	want := []string{"bin/", "bin/link -> ../data", "bin/run* #!/bin/sh\n", "data data", "hard data"}
	plain := makeTar(t, entries...)
	for name, archive := range map[string][]byte{"f.tar": plain, "f.tar.gz": makeGzip(t, plain), "misleading.zip": plain} {
		t.Run(name, func(t *testing.T) {
			res := h.Run(Call{Type: "archive_extract", Input: archiveInput(h, name, archive, nil)})
			var out struct{ Entries, Bytes int64 }
			res.Decode(&out)
			if out.Entries != 5 || out.Bytes != 18 {
				t.Errorf("%d entries and %d bytes, want 5 and 18", out.Entries, out.Bytes)
			}
			sameTree(t, res.Path("directory"), want)
		})
	}
	t.Run("zip", func(t *testing.T) {
		res := h.Run(Call{Type: "archive_extract", Input: archiveInput(h, "f", makeZip(t, map[string]string{"a": "1", "d/b": "2"}), nil)})
		sameTree(t, res.Path("directory"), []string{"a 1", "d/", "d/b 2"})
	})
	t.Run("the same archive and options twice", func(t *testing.T) {
		input := archiveInput(h, "twice.tar", plain, map[string]any{"include": []string{"data"}})
		var first, second struct {
			Directory      sdk.Artifact
			Entries, Bytes int64
			Cached         bool
		}
		h.Run(Call{Type: "archive_extract", Input: input}).Decode(&first)
		again := h.Run(Call{Type: "archive_extract", Input: input})
		again.Decode(&second)
		if first.Cached || !second.Cached {
			t.Errorf("cached is %v the first time and %v the second", first.Cached, second.Cached)
		}
		if second.Cached = first.Cached; first != second {
			t.Errorf("outputs %+v, and then %+v", first, second)
		}
		sameTree(t, again.Path("directory"), []string{"data data"})
		input["include"] = []string{"hard", "data"}
		other := h.Run(Call{Type: "archive_extract", Input: input})
		if other.Decode(&second); second.Cached {
			t.Error("other options gave what was extracted before")
		}
	})
	t.Run("the same archive gives the same directory", func(t *testing.T) {
		first := h.Run(Call{Type: "archive_extract", Input: archiveInput(h, "a", plain, nil)}).Artifact("directory")
		second := h.Run(Call{Type: "archive_extract", Input: archiveInput(h, "b", makeGzip(t, plain), nil)}).Artifact("directory")
		if first.Digest != second.Digest {
			t.Errorf("digests %s and %s", first.Digest, second.Digest)
		}
	})
}

func selectsEntries(t *testing.T, h *Harness) {
	archive := makeTar(t,
		tar.Header{Typeflag: tar.TypeReg, Name: "top/src/a.go", PAXRecords: content("1")},
		tar.Header{Typeflag: tar.TypeReg, Name: "top/src/deep/b.go", PAXRecords: content("2")},
		tar.Header{Typeflag: tar.TypeReg, Name: "top/src/deep/b_test.go", PAXRecords: content("3")},
		tar.Header{Typeflag: tar.TypeReg, Name: "top/README", PAXRecords: content("4")},
	)
	res := h.Run(Call{Type: "archive_extract", Input: archiveInput(h, "a.tar", archive, map[string]any{
		"format": "tar", "strip_components": 1, "include": []string{"src/**"}, "exclude": []string{"**/*_test.go"},
	})})
	sameTree(t, res.Path("directory"), []string{"src/", "src/a.go 1", "src/deep/", "src/deep/b.go 2"})
}

func refusesArchives(t *testing.T, h *Harness) {
	one := tar.Header{Typeflag: tar.TypeReg, Name: "ok", PAXRecords: content("fine")}
	bomb := makeGzip(t, makeTar(t, tar.Header{Typeflag: tar.TypeReg, Name: "bomb", PAXRecords: content(strings.Repeat("\x00", 4<<20))}))
	plain := makeTar(t, one)
	hostile := func(e tar.Header) []byte { return makeTar(t, one, e) }
	tests := []struct {
		name    string
		archive []byte
		more    map[string]any
		kind    sdk.Kind
	}{
		{"dotdot", hostile(tar.Header{Typeflag: tar.TypeReg, Name: "../evil"}), nil, sdk.KindPermanent},
		{"absolute path", hostile(tar.Header{Typeflag: tar.TypeReg, Name: "/evil"}), nil, sdk.KindPermanent},
		{"dotdot in zip", makeZip(t, map[string]string{"../evil": "x"}), nil, sdk.KindPermanent},
		{"absolute path in zip", makeZip(t, map[string]string{"/evil": "x"}), nil, sdk.KindPermanent},
		{"symbolic link out", hostile(tar.Header{Typeflag: tar.TypeSymlink, Name: "l", Linkname: "../.."}), nil, sdk.KindPermanent},
		{"symbolic link to an absolute path", hostile(tar.Header{Typeflag: tar.TypeSymlink, Name: "l", Linkname: "/etc/passwd"}), nil, sdk.KindPermanent},
		{"hard link out", hostile(tar.Header{Typeflag: tar.TypeLink, Name: "h", Linkname: "../../etc/passwd"}), nil, sdk.KindPermanent},
		{"device", hostile(tar.Header{Typeflag: tar.TypeChar, Name: "null", Devmajor: 1, Devminor: 3}), nil, sdk.KindPermanent},
		{"named pipe", hostile(tar.Header{Typeflag: tar.TypeFifo, Name: "pipe"}), nil, sdk.KindPermanent},
		{"max_bytes", plain, map[string]any{"max_bytes": "3b"}, sdk.KindPermanent},
		{"max_entries", makeTar(t, one, one, one), map[string]any{"max_entries": 2}, sdk.KindPermanent},
		{"max_ratio", bomb, map[string]any{"max_ratio": 10}, sdk.KindPermanent},
		{"empty file", nil, nil, sdk.KindPermanent},
		{"no archive", []byte("hello"), nil, sdk.KindPermanent},
		{"truncated", plain[:600], nil, sdk.KindPermanent},
		{"truncated gzip", makeGzip(t, plain)[:50], nil, sdk.KindPermanent},
		{"another format", plain, map[string]any{"format": "zip"}, sdk.KindPermanent},
		{"unknown format", plain, map[string]any{"format": "rar"}, sdk.KindInvalid},
		{"bad pattern", plain, map[string]any{"include": []string{"[a"}}, sdk.KindInvalid},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			res := h.Run(Call{Type: "archive_extract", Input: archiveInput(h, "archive", tt.archive, tt.more)})
			wantKind(t, res, tt.kind)
			if len(res.Outputs) > 0 {
				t.Errorf("outputs of a failed step: %s", res.Outputs)
			}
		})
	}
}

// wantKind checks that a step failed with that kind, saying why.
func wantKind(t *testing.T, res *Result, want sdk.Kind) {
	t.Helper()
	if res.Err == nil {
		t.Fatalf("the step did not fail: %s", res.Outputs)
	}
	if kind := kindOf(res.Err); kind != want {
		t.Errorf("kind %q, want %q: %v", kind, want, res.Err)
	}
	if strings.TrimSpace(res.Err.Error()) == "" {
		t.Error("the error says nothing")
	}
}

// kindOf is the kind that an error has for a worker.
func kindOf(err error) sdk.Kind {
	var e *sdk.Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return sdk.KindTransient
}

// wantCode is wantKind for a failure that programs know by its code; empty: any.
func wantCode(t *testing.T, res *Result, kind sdk.Kind, code string) {
	t.Helper()
	wantKind(t, res, kind)
	var e *sdk.Error
	if code != "" && (!errors.As(res.Err, &e) || e.Code != code) {
		t.Errorf("the failure has not the code %q: %v", code, res.Err)
	}
}

// contentRecord carries a file's content in its header to makeTar, so that a test's entries are one list.
const contentRecord = "content"

func content(s string) map[string]string { return map[string]string{contentRecord: s} }

func makeTar(t *testing.T, entries ...tar.Header) []byte {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, e := range entries {
		text := e.PAXRecords[contentRecord]
		e.PAXRecords, e.Size = nil, int64(len(text))
		if e.Mode == 0 {
			e.Mode = 0o644
		}
		check(t, w.WriteHeader(&e))
		_, err := io.WriteString(w, text)
		check(t, err)
	}
	check(t, w.Close())
	return b.Bytes()
}

func makeGzip(t *testing.T, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write(data)
	check(t, err)
	check(t, w.Close())
	return b.Bytes()
}

func makeZip(t *testing.T, files map[string]string) []byte {
	t.Helper()
	var b bytes.Buffer
	w := zip.NewWriter(&b)
	for name, text := range files {
		f, err := w.Create(name)
		check(t, err)
		_, err = io.WriteString(f, text)
		check(t, err)
	}
	check(t, w.Close())
	return b.Bytes()
}

func check(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// sameTree compares a folder with what it should hold: folders as "name/", links as "name -> target", files as "name content",
// with a "*" after the name of those that may be executed.
func sameTree(t *testing.T, dir string, want []string) {
	t.Helper()
	var got []string
	check(t, filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		check(t, err)
		name, err := filepath.Rel(dir, path)
		check(t, err)
		if name == "." {
			return nil
		}
		line, err := describe(path, name, d)
		got = append(got, line)
		return err
	}))
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("got  %q\nwant %q", got, want)
	}
}

func describe(path, name string, d fs.DirEntry) (string, error) {
	switch d.Type() {
	case fs.ModeDir:
		return name + "/", nil
	case fs.ModeSymlink:
		target, err := os.Readlink(path)
		return name + " -> " + target, err
	}
	info, err := d.Info()
	if err != nil {
		return "", err
	}
	if info.Mode()&0o111 != 0 {
		name += "*"
	}
	if info.Mode()&(fs.ModeSetuid|fs.ModeSetgid) != 0 {
		name += "!"
	}
	text, err := os.ReadFile(path)
	return name + " " + string(text), err
}
