package extract

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
)

func TestExtract(t *testing.T) {
	plain := tarOf(t, folder("./"), folder("bin/"), regMode("bin/run", "#!", 0o4755), reg("etc/conf", "a"))
	files := []string{"bin/ drwxr-xr-x", "bin/run -rwxr-xr-x #!", "etc/ drwxr-xr-x", "etc/conf -rw-r--r-- a"}
	zipped := zipOf(t, zipFile{name: "bin/", mode: fs.ModeDir}, zipFile{name: "bin/run", content: "#!", mode: 0o755 | fs.ModeSetuid}, zipFile{name: "etc/conf", content: "a"})
	tests := []struct {
		name    string
		archive []byte
		opts    Options
		want    []string
		res     Result
	}{
		{"tar", plain, Options{}, files, Result{Tar, 3, 3}},
		{"tar.gz", gz(t, plain), Options{}, files, Result{TarGz, 3, 3}},
		{"tar.gz in two members", append(gz(t, plain[:700]), gz(t, plain[700:])...), Options{}, files, Result{TarGz, 3, 3}},
		{"tar.zst", zst(t, plain), Options{Format: TarZst}, files, Result{TarZst, 3, 3}},
		{"zip", zipped, Options{}, files, Result{Zip, 3, 3}},
		{"zip behind a program", append([]byte("#!/bin/sh\nexit\n"), zipped...), Options{Format: Zip}, files, Result{Zip, 3, 3}},
		{"zip64 entry", zipOf(t, zipFile{name: "a", content: "x"}), Options{}, []string{"a -rw-r--r-- x"}, Result{Zip, 1, 1}},
		{"empty tar", tarOf(t), Options{}, nil, Result{Format: Tar}},
		{"empty zip", zipOf(t), Options{}, nil, Result{Format: Zip}},
		{
			"links that stay inside",
			tarOf(t, reg("a/b/c", "x"), sym("a/up", "../a/b/c"), sym("a/none", "b/nothing"), hard("h", "a/b/c"), hard("a/h2", "a/up")),
			Options{},
			[]string{"a/ drwxr-xr-x", "a/b/ drwxr-xr-x", "a/b/c -rw-r--r-- x", "a/h2 -> ../a/b/c", "a/none -> b/nothing", "a/up -> ../a/b/c", "h -rw-r--r-- x"},
			Result{Tar, 5, 2},
		},
		{
			"zip with a symbolic link", zipOf(t, zipFile{name: "a", content: "x"}, zipFile{name: "d/l", content: "../a", mode: fs.ModeSymlink | 0o777}),
			Options{},
			[]string{"a -rw-r--r-- x", "d/ drwxr-xr-x", "d/l -> ../a"},
			Result{Zip, 2, 1},
		},
		{
			"a later file replaces a link instead of following it", tarOf(t, reg("a", "old"), sym("l", "a"), reg("l", "new")),
			Options{},
			[]string{"a -rw-r--r-- old", "l -rw-r--r-- new"},
			Result{Tar, 3, 6},
		},
		{
			"a hard link keeps what its target was", tarOf(t, reg("a", "old"), hard("b", "a"), reg("a", "new")),
			Options{},
			[]string{"a -rw-r--r-- new", "b -rw-r--r-- old"},
			Result{Tar, 3, 9},
		},
		{
			"links in a circle lead nowhere", tarOf(t, sym("a", "b"), sym("b", "a")),
			Options{},
			[]string{"a -> b", "b -> a"},
			Result{Tar, 2, 0},
		},
		{
			"upper and lower case", tarOf(t, reg("a", "1"), reg("A", "2")),
			Options{},
			[]string{"A -rw-r--r-- 2", "a -rw-r--r-- 1"},
			Result{Tar, 2, 2},
		},
		{
			"strip_components drops the top and hard links follow", tarOf(t, folder("repo-1/"), reg("repo-1/x", "1"), hard("repo-1/y", "repo-1/x"), reg("top", "2")),
			Options{StripComponents: 1},
			[]string{"x -rw-r--r-- 1", "y -rw-r--r-- 1"},
			Result{Tar, 2, 2},
		},
		{
			"include and exclude", tarOf(t, reg("src/a.go", "1"), reg("src/a_test.go", "2"), reg("src/deep/er/b.go", "3"), reg("README", "4"), special("src/null", tar.TypeChar)),
			Options{Include: []string{"./src/"}, Exclude: []string{"**/*_test.go", "src/null"}},
			[]string{"src/ drwxr-xr-x", "src/a.go -rw-r--r-- 1", "src/deep/ drwxr-xr-x", "src/deep/er/ drwxr-xr-x", "src/deep/er/b.go -rw-r--r-- 3"},
			Result{Tar, 2, 2},
		},
		{
			"global headers are no entries", tarOf(t, tar.Header{Typeflag: tar.TypeXGlobalHeader, Name: "pax_global_header", PAXRecords: map[string]string{"comment": "x"}}, reg("a", "1")),
			Options{},
			[]string{"a -rw-r--r-- 1"},
			Result{Tar, 1, 1},
		},
		{
			"a long name in pax headers", tarOf(t, reg(strings.Repeat("d/", 400)+"f", "1")),
			Options{Include: []string{"**/f"}},
			nil,
			Result{Tar, 1, 1},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			parent, res, err := extractBytes(t, tt.archive, tt.opts)
			must(t, err)
			if res != tt.res {
				t.Errorf("result %+v, want %+v", res, tt.res)
			}
			got := listing(t, filepath.Join(parent, "dest"))
			if tt.want != nil && !slices.Equal(got, tt.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(tt.want, "\n"))
			}
		})
	}
}

func TestExtractKeptFiles(t *testing.T) {
	for _, name := range []string{"small.tar.bz2", "small.tar.xz"} {
		data, err := os.ReadFile(filepath.Join("testdata", name))
		must(t, err)
		parent, res, err := extractBytes(t, data, Options{})
		must(t, err)
		want := []string{"bin/ drwxr-xr-x", "bin/run -rwxr-xr-x #!/bin/sh\necho hi\n", "etc/ drwxr-xr-x", "etc/conf -rw-r--r-- a = 1\n"}
		if got := listing(t, filepath.Join(parent, "dest")); !slices.Equal(got, want) || string(res.Format) != strings.TrimPrefix(name, "small.") {
			t.Errorf("%s: got %q, %+v", name, got, res)
		}
	}
}

func TestExtractRefuses(t *testing.T) {
	ok := reg("ok", "fine")
	plain := tarOf(t, ok)
	zeros := strings.Repeat("\x00", 4<<20)
	bz, err := os.ReadFile("testdata/small.tar.bz2")
	must(t, err)
	xzd, err := os.ReadFile("testdata/small.tar.xz")
	must(t, err)
	window, err := os.ReadFile("testdata/window.tar.xz")
	must(t, err)
	zipped := zipOf(t, zipFile{name: "a", content: strings.Repeat("ab", 500)})
	deep := strings.Repeat("d/", 300)
	tests := []struct {
		name    string
		archive []byte
		opts    Options
		want    string
	}{
		{"dotdot", tarOf(t, ok, reg("../evil", "x")), Options{}, `entry "../evil": its name has ".."`},
		{"dotdot within", tarOf(t, ok, reg("a/../../evil", "x")), Options{}, `".." in it`},
		{"dotdot that strip_components would drop", tarOf(t, ok, reg("../evil", "x")), Options{StripComponents: 1}, `".." in it`},
		{"absolute", tarOf(t, ok, reg("/etc/evil", "x")), Options{}, "absolute path"},
		{"dotdot in zip", zipOf(t, zipFile{name: "../evil", content: "x"}), Options{}, `".." in it`},
		{"absolute in zip", zipOf(t, zipFile{name: "/etc/evil", content: "x"}), Options{}, "absolute path"},
		{"backslash", zipOf(t, zipFile{name: `..\evil`, content: "x"}), Options{}, "backslash"},
		{"nul", zipOf(t, zipFile{name: "a\x00b", content: "x"}), Options{}, "NUL"},
		{"not UTF-8", zipOf(t, zipFile{name: "a\xff", content: "x"}), Options{}, "not UTF-8"},
		{"no name", zipOf(t, zipFile{name: "", content: "x"}), Options{}, "no name"},
		{"long name", zipOf(t, zipFile{name: strings.Repeat("d/", 600) + "f"}), Options{}, "1201 bytes"},
		{"long part", tarOf(t, reg(strings.Repeat("n", 256), "x")), Options{}, "256 bytes"},

		{"symlink out", tarOf(t, ok, sym("a/l", "../../etc")), Options{}, "leads outside"},
		{"symlink to absolute", tarOf(t, ok, sym("l", "/etc/passwd")), Options{}, "absolute path"},
		{"symlink out in zip", zipOf(t, zipFile{name: "l", content: "../x", mode: fs.ModeSymlink}), Options{}, "leads outside"},
		{"symlink out through another", tarOf(t, folder("a/b/"), sym("a/b/up", "../.."), sym("l", "a/b/up/../x")), Options{}, "leads outside"},
		{"symlink out through what is not there", tarOf(t, sym("l", "none/../../x")), Options{}, "leads outside"},
		{"hard link to a symlink that leaves from there", tarOf(t, sym("a/b/l", "../x"), hard("l", "a/b/l")), Options{}, "leads outside"},
		{"symlink to nothing", tarOf(t, sym("a", "")), Options{}, "to nothing"},
		{"through a symlink", tarOf(t, sym("l", "."), reg("l/x", "x")), Options{}, `it lies in "l", which is a symbolic link`},
		{"through a symlink that leaves", tarOf(t, sym("l", "/tmp"), reg("l/x", "x")), Options{}, "absolute path"},
		{"symlink over a folder", tarOf(t, reg("d/x", "x"), sym("d", ".")), Options{}, "was a folder before"},
		{"folder over a file", tarOf(t, reg("d", "x"), folder("d/")), Options{}, "was a file before"},
		{"below a file", tarOf(t, reg("d", "x"), reg("d/e", "x")), Options{}, "which is a file"},
		{"file over the root", tarOf(t, reg(".", "x")), Options{}, "was a folder before"},
		{"hard link out", tarOf(t, hard("h", "../../etc/passwd")), Options{}, "as a hard link"},
		{"hard link to absolute", tarOf(t, hard("h", "/etc/passwd")), Options{}, "absolute path"},
		{"hard link to nothing", tarOf(t, hard("h", "later"), reg("later", "x")), Options{}, "no earlier entry"},
		{"hard link to a folder", tarOf(t, folder("d"), hard("h", "d")), Options{}, "which is a folder"},
		{"hard link to what is left out", tarOf(t, ok, hard("h", "ok")), Options{Exclude: []string{"ok"}}, "leave out"},
		{"character device", tarOf(t, ok, special("null", tar.TypeChar)), Options{}, "a device"},
		{"block device", tarOf(t, ok, special("sda", tar.TypeBlock)), Options{}, "a device"},
		{"fifo", tarOf(t, ok, special("pipe", tar.TypeFifo)), Options{}, "a named pipe"},
		{"device in zip", zipOf(t, zipFile{name: "null", mode: fs.ModeDevice | fs.ModeCharDevice}), Options{}, "neither file"},
		{"unknown type", tarOf(t, special("v", 'V')), Options{}, "not known"},
		{"twice in zip", zipOf(t, zipFile{name: "a", content: "1"}, zipFile{name: "./a", content: "2"}), Options{}, "has it twice"},
		{"folder with content in zip", bytes.ReplaceAll(zipOf(t, zipFile{name: "d-", content: "x"}), []byte("d-"), []byte("d/")), Options{}, "with content"},

		{"max_bytes", tarOf(t, reg("a", "12345"), reg("b", "12345")), Options{MaxBytes: 9}, "max_bytes = 9b"},
		{"max_bytes by what is left out", tarOf(t, reg("a", "12345"), reg("b", "12345")), Options{MaxBytes: 9, Exclude: []string{"a"}}, "max_bytes"},
		{"max_bytes by hard links", tarOf(t, reg("a", "12345"), hard("b", "a")), Options{MaxBytes: 9}, "max_bytes"},
		{"max_bytes in zip", zipOf(t, zipFile{name: "a", content: "12345"}, zipFile{name: "b", content: "12345"}), Options{MaxBytes: 9}, "max_bytes"},
		{"max_entries", tarOf(t, reg("a", ""), reg("b", ""), reg("c", "")), Options{MaxEntries: 2}, "max_entries = 2"},
		{"max_entries by implied folders", tarOf(t, reg(deep+"x", "")), Options{MaxEntries: 100}, "max_entries = 100"},
		{"max_entries in zip", zipOf(t, zipFile{name: "a"}, zipFile{name: "b"}, zipFile{name: "c"}), Options{MaxEntries: 2}, "max_entries = 2"},
		{"max_ratio", gz(t, tarOf(t, reg("bomb", zeros))), Options{}, "max_ratio = 200"},
		{"max_ratio by what is left out", zst(t, tarOf(t, reg("bomb", zeros), ok)), Options{Exclude: []string{"bomb"}}, "max_ratio"},
		{"max_ratio in zip", zipOf(t, zipFile{name: "bomb", content: zeros}), Options{}, "max_ratio"},

		{"no bytes", nil, Options{}, "no bytes at all"},
		{"text", []byte("hello, this is no archive"), Options{}, "no archive of a known kind"},
		{"7z", []byte("7z\xbc\xaf\x27\x1c\x00\x04"), Options{}, "a 7-Zip archive"},
		{"page", []byte("<!DOCTYPE html><p>Not found"), Options{}, "an HTML page"},
		{"unknown format", plain, Options{Format: "rar"}, `format "rar" is not known`},
		{"other format", gz(t, plain), Options{Format: Zip}, `format = "zip" was expected, but the file is tar.gz`},
		{"other format, tar", plain, Options{Format: TarXz}, "but the file is tar"},
		{"gzip of text", gz(t, []byte(strings.Repeat("no tar ", 200))), Options{}, "what is inside is no tar"},
		{"gzip of little", gz(t, []byte("no tar")), Options{}, "truncated"},
		{"wrong format, forced", []byte(strings.Repeat("no zip ", 200)), Options{Format: Zip}, "no readable directory"},
		{"truncated in a file", plain[:600], Options{}, "truncated"},
		{"truncated header", tarOf(t, ok, ok)[:1300], Options{}, "truncated"},
		{"no end marker", plain[:1024], Options{}, "no end marker"},
		{"truncated gzip", gz(t, plain)[:60], Options{}, "truncated"},
		{"gzip without its checksum", cut(gz(t, plain), 8), Options{}, "truncated"},
		{"gzip with a wrong checksum", flip(gz(t, plain), -6), Options{}, "corrupt"},
		{"truncated zstd", cut(zst(t, plain), 4), Options{}, "truncated"},
		{"truncated bzip2", cut(bz, 20), Options{}, "truncated"},
		{"truncated xz", cut(xzd, 20), Options{}, "corrupt"},
		{"truncated zip", cut(zipped, 20), Options{}, "truncated or corrupt"},
		{"xz with a dictionary of 1 GiB", window, Options{}, "dictionary"},
		{"corrupt header", flip(tarOf(t, ok, ok), 1024+20), Options{}, "corrupt"},
		{"data after a tar", append(plain, "hidden"...), Options{}, "more data after the end"},
		{"a tar after a tar", append(plain, plain...), Options{}, "more data after the end"},
		{"data after gzip", append(gz(t, plain), "hidden, and a good deal of it"...), Options{}, "corrupt"},
		{"data after bzip2", append(slices.Clone(bz), "hidden"...), Options{}, "corrupt"},
		{"a huge pax header", hugePax(t), Options{}, "corrupt"},

		{"zip that says too little", zipOf(t, zipFile{name: "a", content: "12345", lie: 2}), Options{}, "more than the zip's directory says"},
		{"zip that says too much", zipOf(t, zipFile{name: "a", content: "12345", lie: 7}), Options{}, "truncated"},
		{"zip that says a lot", zipOf(t, zipFile{name: "a", content: "12345", lie: 1 << 62}), Options{}, "max_bytes"},
		{"zip with sums beyond 64 bits", zipOf(t, zipFile{name: "a", lie: 1<<63 + 1}, zipFile{name: "b", lie: 1<<63 + 1}), Options{}, "max_bytes"},
		{"zip with a wrong checksum", zipOf(t, zipFile{name: "a", content: "12345", crc: 1}), Options{}, "checksum does not match"},
		{"encrypted zip", zipOf(t, zipFile{name: "a", content: "12345", flags: 1}), Options{}, "encrypted"},
		{"zip with an unknown method", zipOf(t, zipFile{name: "a", content: "12345", method: 98}), Options{}, "method 98"},
		{"zip with a huge directory", hugeDirectory(t), Options{MaxEntries: 10}, "max_entries = 10"},

		{"everything left out", plain, Options{Include: []string{"other"}}, "nothing was extracted"},
		{"everything stripped", plain, Options{StripComponents: 3}, "nothing was extracted"},
		{"bad pattern", plain, Options{Include: []string{"[a"}}, "not a pattern"},
		{"negative strip", plain, Options{StripComponents: -1}, "cannot be negative"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			parent, _, err := extractBytes(t, tt.archive, tt.opts)
			var fault *Error
			if !errors.As(err, &fault) {
				t.Fatalf("error %v, want an *Error", err)
			}
			if !strings.Contains(err.Error(), tt.want) {
				t.Errorf("error %q, want %q in it", err, tt.want)
			}
			if left := listing(t, parent); len(left) > 0 {
				t.Errorf("left behind: %q", left)
			}
		})
	}
}

// cut drops the last n bytes.
func cut(b []byte, n int) []byte { return slices.Clone(b[:len(b)-n]) }

// flip damages one byte; a negative index counts from the end.
func flip(b []byte, i int) []byte {
	b = slices.Clone(b)
	if i < 0 {
		i += len(b)
	}
	b[i] ^= 0x55
	return b
}

// hugePax is a tar whose first header announces two MiB of extended attributes.
func hugePax(t *testing.T) []byte {
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	must(t, w.WriteHeader(&tar.Header{Typeflag: tar.TypeReg, Name: "a", Size: 2 << 20}))
	_, err := w.Write(make([]byte, 2<<20))
	must(t, err)
	must(t, w.Close())
	data := b.Bytes()
	data[156] = tar.TypeXHeader
	sum := 0
	copy(data[148:156], "        ")
	for _, c := range data[:512] {
		sum += int(c)
	}
	copy(data[148:156], []byte{byte('0' + sum>>15&7), byte('0' + sum>>12&7), byte('0' + sum>>9&7), byte('0' + sum>>6&7), byte('0' + sum>>3&7), byte('0' + sum&7), 0, ' '})
	return data
}

// hugeDirectory is a zip whose directory alone would fill the memory, were there enough of it.
func hugeDirectory(t *testing.T) []byte {
	files := make([]zipFile, 60)
	for i := range files {
		files[i].name = strings.Repeat("n", 40_000) + string(rune('a'+i))
	}
	return zipOf(t, files...)
}

func TestExtractHeedsTheContext(t *testing.T) {
	cause := errors.New("enough")
	for name, archive := range map[string][]byte{
		"tar": gz(t, tarOf(t, reg("a", strings.Repeat("x", 1<<20)), reg("b", "y"))),
		"zip": zipOf(t, zipFile{name: "a", content: "x"}),
	} {
		ctx, cancel := context.WithCancelCause(t.Context())
		cancel(cause)
		parent := t.TempDir()
		file := filepath.Join(t.TempDir(), "archive")
		must(t, os.WriteFile(file, archive, 0o600))
		_, err := Extract(ctx, file, filepath.Join(parent, "dest"), Options{})
		if !errors.Is(err, cause) {
			t.Errorf("%s: error %v, want the context's cause", name, err)
		}
		var fault *Error
		if errors.As(err, &fault) {
			t.Errorf("%s: a cancel is taken for a fault of the archive", name)
		}
		if left := listing(t, parent); len(left) > 0 {
			t.Errorf("%s: left behind: %q", name, left)
		}
	}
}

func TestExtractCancelledInTheMiddle(t *testing.T) {
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	var entries []tar.Header
	for i := range 1000 {
		entries = append(entries, reg(strings.Repeat("f", 1+i%200)+string(rune('a'+i/200)), strings.Repeat("x", 4096)))
	}
	parent, file := t.TempDir(), filepath.Join(t.TempDir(), "archive")
	must(t, os.WriteFile(file, tarOf(t, entries...), 0o600))
	_, err := Extract(ctx, file, filepath.Join(parent, "dest"), Options{Progress: func(n, _ int64) {
		if n > 100 {
			cancel(cause)
		}
	}})
	if !errors.Is(err, cause) {
		t.Errorf("error %v, want the context's cause", err)
	}
	if left := listing(t, parent); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
}

func TestExtractKeepsModesWhateverTheUmask(t *testing.T) {
	old := syscall.Umask(0o077)
	defer syscall.Umask(old)
	parent, _, err := extractBytes(t, tarOf(t, regMode("d/run", "x", 0o111)), Options{})
	must(t, err)
	want := []string{"dest/ drwxr-xr-x", "dest/d/ drwxr-xr-x", "dest/d/run -rwxr-xr-x x"}
	if got := listing(t, parent); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestExtractLeavesAnExistingDestinationAlone(t *testing.T) {
	parent, file := t.TempDir(), filepath.Join(t.TempDir(), "archive")
	must(t, os.WriteFile(file, tarOf(t, reg("a", "x")), 0o600))
	must(t, os.Mkdir(filepath.Join(parent, "dest"), 0o700))
	if _, err := Extract(t.Context(), file, filepath.Join(parent, "dest"), Options{}); err == nil {
		t.Error("extracted over a folder that was there")
	}
}
