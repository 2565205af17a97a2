package container

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/containerpub/cpub/plugins/podman/internal/hostfs"
	"github.com/containerpub/cpub/sdk"
)

func TestDecodeRefusesPlaces(t *testing.T) {
	const file = `{"digest":"sha256:1","media_type":"application/octet-stream"}`
	for input, attr := range map[string]string{
		`{"files":{"x":` + file + `}}`:      "files",
		`{"files":{"/x":null}}`:             "files",
		`{"files":{"/tmp/x":` + file + `}}`: "files",
		`{"files":{"/m/x":` + file + `},"mount":[{"path":"/m","host_path":"/srv"}]}`: "files",
		`{"collect":{"a":"/tmp/x"}}`:                                        "collect.a",
		`{"collect":{"a":"/x"}}`:                                            "collect.a",
		`{"collect":{"a":"/"}}`:                                             "collect.a",
		`{"collect":{"a":"/proc/1/x"}}`:                                     "collect.a",
		`{"collect":{"a":"/out/*"}}`:                                        "collect.a",
		`{"collect":{"a":"/out/x"},"collect_limit":"0"}`:                    "collect_limit",
		`{"mount":[{"path":"/a","volume":"cpub-identity"}]}`:                "mount[0].volume",
		`{"mount":[{"path":"/a","tmpfs":"1m"},{"path":"/a","tmpfs":"1m"}]}`: "mount[1].path",
		`{"mount":[{"path":"/a","tmpfs":"1m","relabel":"shared"}]}`:         "mount[0].relabel",
		`{"mount":[{"path":"/a","tmpfs":"1m","read_only":true}]}`:           "mount[0].read_only",
		`{"seccomp":"none"}`:                                                "seccomp",
		`{"selinux":["type:"]}`:                                             "selinux",
		`{"ulimits":{"nofile":"1:0"}}`:                                      "ulimits",
	} {
		_, err := decode(t, input)
		var se *sdk.Error
		if !errors.As(err, &se) || se.Kind != sdk.KindInvalid || se.Attr != attr {
			t.Errorf("%s: %v, want a mistake in %s", input, err, attr)
		}
	}
}

// TestOwnVolumes: a volume is made where a collected folder could not be written to, or would not stay.
func TestOwnVolumes(t *testing.T) {
	for input, want := range map[string]string{
		`{}`: "",
		`{"collect":{"a":"/out/a.txt","b":"/out/b/"}}`:                                            "/out",
		`{"collect":{"b":"/out/b/","c":"/other/c"}}`:                                              "/other /out/b",
		`{"collect":{"a":"/tmp/out/"}}`:                                                           "/tmp/out",
		`{"collect":{"a":"/out/a"},"read_only":false}`:                                            "",
		`{"collect":{"a":"/tmp/out/"},"read_only":false}`:                                         "/tmp/out",
		`{"collect":{"a":"/v/a"},"mount":[{"path":"/v","volume":"v"}]}`:                           "",
		`{"collect":{"a":"/a","b":"/b/"},"read_only":false,"mount":[{"path":"/b","tmpfs":"1m"}]}`: "refused",
	} {
		in, err := decode(t, input)
		if (err != nil) != (want == "refused") {
			t.Errorf("%s: %v", input, err)
		}
		if err != nil {
			continue
		}
		var got []string
		for i, v := range in.ownVolumes("ab") {
			got = append(got, v.dest)
			if v.name != volumeName("ab", i) || i >= in.mayOwn() {
				t.Errorf("%s: volume %d is called %s", input, i, v.name)
			}
		}
		if slices.Sort(got); strings.Join(got, " ") != want {
			t.Errorf("%s: volumes at %q, want %q", input, got, want)
		}
	}
}

func TestResolve(t *testing.T) {
	base, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	for _, dir := range []string{"a/b", "c"} {
		if err := os.MkdirAll(filepath.Join(base, dir), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for name, target := range map[string]string{"a/rel": "../c", "a/abs": base + "/c", "loop": "loop", "a/b/up": "../../a/rel"} {
		if err := os.Symlink(target, filepath.Join(base, name)); err != nil {
			t.Fatal(err)
		}
	}
	for name, want := range map[string]string{"a": "a", "a/b": "a/b", "a/rel": "c", "a/abs": "c", "a/b/up": "c", "loop": "", "a/none": ""} {
		got, err := resolve(context.Background(), hostfs.Local{}, base+"/"+name)
		if want == "" && err == nil || want != "" && got != filepath.Join(base, want) {
			t.Errorf("%s: %s, %v; want %q", name, got, err, want)
		}
	}
}

// tarOf is a tar of these entries.
func tarOf(t *testing.T, headers ...tar.Header) *bytes.Buffer {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, h := range headers {
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(bytes.Repeat([]byte("x"), int(h.Size))); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return &b
}

// TestUnpackRefuses: what a container left is the container's; nothing of it gets out of its folder, and there is no more of it than is allowed.
func TestUnpackRefuses(t *testing.T) {
	dir := tar.Header{Name: "out/", Typeflag: tar.TypeDir, Mode: 0o755}
	file := func(name string, size int64) tar.Header {
		return tar.Header{Name: name, Typeflag: tar.TypeReg, Mode: 0o644, Size: size}
	}
	link := func(name, target string, kind byte) tar.Header {
		return tar.Header{Name: name, Typeflag: kind, Linkname: target, Mode: 0o777}
	}
	for name, tt := range map[string]struct {
		folder  bool
		entries []tar.Header
		want    string // part of the error; empty: none
		theirs  bool
	}{
		"a folder":        {true, []tar.Header{dir, file("out/a", 3), {Name: "out/d", Typeflag: tar.TypeDir}, link("out/l", "a", tar.TypeSymlink), link("out/h", "out/a", tar.TypeLink)}, "", false},
		"a volume":        {true, []tar.Header{{Name: "/", Typeflag: tar.TypeDir}, file("/a", 3), {Name: "/", Typeflag: tar.TypeDir}}, "", false},
		"a file":          {false, []tar.Header{file("out", 3)}, "", false},
		"nothing":         {false, nil, "nothing", true},
		"up":              {true, []tar.Header{dir, file("out/../../x", 1)}, "is not in", false},
		"beside":          {true, []tar.Header{dir, file("other", 1)}, "is not in", false},
		"a link out":      {true, []tar.Header{dir, link("out/l", "/etc/passwd", tar.TypeSymlink)}, "leads out", true},
		"a link up":       {true, []tar.Header{dir, link("out/l", "../x", tar.TypeSymlink)}, "leads out", true},
		"a hard link out": {true, []tar.Header{dir, link("out/l", "etc/passwd", tar.TypeLink)}, "leads out", true},
		"through a link":  {true, []tar.Header{dir, link("out/l", "..", tar.TypeSymlink), file("out/l/x", 1)}, "leads out", true},
		"a pipe":          {true, []tar.Header{dir, {Name: "out/p", Typeflag: tar.TypeFifo}}, "only files", true},
		"a device":        {false, []tar.Header{{Name: "out", Typeflag: tar.TypeChar}}, "no file", true},
		"too much":        {true, []tar.Header{dir, file("out/a", 60), file("out/b", 60)}, "more than 100 B", true},
		"too many":        {true, []tar.Header{dir, file("out/a", 0), file("out/b", 0), file("out/c", 0), file("out/d", 0), file("out/e", 0), file("out/f", 0)}, "files, folders", true},
		"a file as such":  {true, []tar.Header{file("out", 1)}, "without the `/`", true},
		"a folder as one": {false, []tar.Header{dir}, "with a `/`", true},
	} {
		t.Run(name, func(t *testing.T) {
			root, err := os.OpenRoot(t.TempDir())
			if err != nil {
				t.Fatal(err)
			}
			defer root.Close()
			err = unpack(tarOf(t, tt.entries...), root, tt.folder, &allowance{bytes: 100, entries: 6, most: "100 B"})
			switch {
			case tt.want == "" && err != nil, tt.want != "" && (err == nil || !strings.Contains(err.Error(), tt.want)):
				t.Errorf("got %v, want %q", err, tt.want)
			case errors.As(err, new(errCollect)) != tt.theirs:
				t.Errorf("%v is taken for whose?", err)
			}
		})
	}
}

func TestExtrasAreProven(t *testing.T) {
	in, err := decode(t, `{"ulimits":{"nofile":"10:20","core":"unlimited"},"mount":[{"path":"/a b","host_path":"/srv"},{"path":"/v","volume":"v"}]}`)
	if err != nil {
		t.Fatal(err)
	}
	const limits = "Max open files            10                   20                   files\nMax core file size        unlimited            unlimited            bytes\n"
	const mounts = "1 2 0:1 / / ro - x x x\n2 1 0:2 / /a\\040b ro,nosuid - x x x\n3 1 0:3 / /v rw - x x x\n"
	if bad := append(in.wrongUlimits(limits), in.wrongMounts(mounts)...); len(bad) > 0 {
		t.Errorf("found wrong: %q", bad)
	}
	bad := append(in.wrongUlimits("Max open files 10 30 files\n"), in.wrongMounts(strings.ReplaceAll(mounts, "ro,nosuid", "rw"))...)
	if len(bad) != 3 || len(in.wrongMounts("")) != 2 {
		t.Errorf("found wrong: %q", bad)
	}
	const keep, nomap = "0 1 1001\n1001 0 1\n1002 1002 64535\n", "0 1 65536\n"
	hostly := "0 100000 1001\n1001 1001 1\n1002 101001 64535\n"
	for _, tt := range []struct {
		mode, idMap string
		wrong       bool
	}{
		{"keep-id", hostly, false},
		{"keep-id", "0 1001 1\n1 100000 65536\n", true},
		{"keep-id", "0 100000 65536\n", true},
		{"keep-id", keep + "9 1001 x\n", true},
		{"nomap", "0 100000 65536\n", false},
		{"nomap", nomap, true},
		{"nomap", hostly, true},
	} {
		if bad := wrongUserns(tt.mode, tt.idMap, 1001); (len(bad) > 0) != tt.wrong {
			t.Errorf("%s with %q: %q", tt.mode, tt.idMap, bad)
		}
	}
	if bad := wrongLabel([]string{"type:container_t", "level:s0:c1,c2", "disable"}, "system_u:system_r:container_t:s0:c1,c2\x00"); len(bad) > 0 {
		t.Errorf("found wrong: %q", bad)
	}
	if bad := wrongLabel([]string{"type:spc_t", "level:s0"}, "system_u:system_r:container_t:s0:c1,c2\n"); len(bad) != 2 {
		t.Errorf("found wrong: %q", bad)
	}
}

func TestProfileIsProven(t *testing.T) {
	const profile = `{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir","chmod"],"action":"SCMP_ACT_ERRNO"},` +
		`{"names":["bpf"],"action":"SCMP_ACT_KILL","includes":{"caps":["CAP_BPF"]}}]}`
	for config, wrong := range map[string]bool{
		`{"linux":{"seccomp":{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir"],"action":"SCMP_ACT_ERRNO"},{"names":["chmod"],"action":"SCMP_ACT_ERRNO"}]}}}`: false,
		`{"linux":{"seccomp":{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir"],"action":"SCMP_ACT_ERRNO"}]}}}`:                                               true,
		`{"linux":{"seccomp":{"defaultAction":"SCMP_ACT_ALLOW","syscalls":[{"names":["mkdir","chmod"],"action":"SCMP_ACT_LOG"}]}}}`:                                         true,
		`{"linux":{"seccomp":{"defaultAction":"SCMP_ACT_ERRNO","syscalls":[{"names":["mkdir","chmod"],"action":"SCMP_ACT_ERRNO"}]}}}`:                                       true,
		`{"linux":{}}`: true, `{`: true,
	} {
		if bad := wrongProfile(profile, []byte(config)); (len(bad) > 0) != wrong {
			t.Errorf("%s: %q", config, bad)
		}
	}
}
