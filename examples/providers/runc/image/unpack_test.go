//go:build linux

package image

import (
	"archive/tar"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"io/fs"
	"log"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	ref "github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"github.com/containerpub/cpub/sdk"
)

// entry is a file of a layer.
type entry struct {
	name, content, link string
	kind                byte
	mode                int64
}

// layers makes an image. All of it is root's.
func layers(t *testing.T, all ...[]entry) v1.Image {
	t.Helper()
	img := empty.Image
	for _, entries := range all {
		var data bytes.Buffer
		w := tar.NewWriter(&data)
		for _, e := range entries {
			h := &tar.Header{
				Typeflag: e.kind, Name: e.name, Linkname: e.link, Size: int64(len(e.content)), Mode: e.mode,
			}
			if h.Typeflag == 0 {
				h.Typeflag = tar.TypeReg
			}
			if h.Mode == 0 {
				h.Mode = 0o755
			}
			if err := w.WriteHeader(h); err != nil {
				t.Fatal(err)
			}
			if _, err := w.Write([]byte(e.content)); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(data.Bytes())), nil })
		if err == nil {
			img, err = mutate.AppendLayers(img, layer)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return img
}

// quiet is a host that nobody listens to.
type quiet struct{}

func (quiet) Log(string, []byte)         {}
func (quiet) Progress(sdk.Progress)      {}
func (quiet) Checkpoint(json.RawMessage) {}

// newStore is a store, in which root's files are those of whoever runs the test, and a registry to push to.
func newStore(t *testing.T) (*Store, string) {
	t.Helper()
	server := httptest.NewServer(registry.New(registry.Logger(log.New(io.Discard, "", 0))))
	t.Cleanup(server.Close)
	host := strings.TrimPrefix(server.URL, "http://")
	return &Store{
		Dir: t.TempDir(), Location: "here", MaxBytes: 1 << 20, Registries: []sdk.Registry{{Host: host, Insecure: true}},
		Shift: Shift{UID: os.Getuid(), GID: os.Getgid()},
	}, host
}

// pull pushes an image and pulls it.
func pull(t *testing.T, s *Store, host string, img v1.Image) (Image, error) {
	t.Helper()
	reference := host + "/image:" + Random()
	parsed, err := ref.ParseReference(reference, ref.Insecure)
	if err == nil {
		err = remote.Write(parsed, img)
	}
	if err != nil {
		t.Fatal(err)
	}
	req := &sdk.Request{Key: Random(), Run: "run", Host: quiet{}, Rules: sdk.Rules{PullFrom: []string{host + "/*"}}}
	id, _, err := s.Pull(context.Background(), req, "reference", reference, "missing")
	if err != nil {
		return Image{}, err
	}
	if err := s.keep(req, id); err != nil {
		t.Fatal(err)
	}
	got, done, err := s.Use(sdk.Located{ID: id, Location: "here"})
	if err == nil {
		done()
	}
	return got, err
}

// files lists what is in a folder: a name with a text, an arrow and a target, or a slash.
func files(t *testing.T, dir string) (all []string) {
	t.Helper()
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		name, _ := filepath.Rel(dir, path)
		switch {
		case err != nil || name == ".":
		case d.IsDir():
			all = append(all, name+"/")
		case d.Type() == fs.ModeSymlink:
			target, _ := os.Readlink(path)
			all = append(all, name+" -> "+target)
		default:
			text, _ := os.ReadFile(path)
			all = append(all, name+" "+string(text))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func TestUnpack(t *testing.T) {
	outside := filepath.Join(t.TempDir(), "outside")
	for name, tt := range map[string]struct {
		layers [][]entry
		want   []string
	}{
		"files in folders that nobody made": {[][]entry{{{name: "a/b/c", content: "1"}}}, []string{"a/", "a/b/", "a/b/c 1"}},
		"a later layer":                     {[][]entry{{{name: "a", content: "1"}}, {{name: "a", content: "2"}}}, []string{"a 2"}},
		"a whiteout":                        {[][]entry{{{name: "d/a", content: "1"}, {name: "d/b"}}, {{name: "d/.wh.b"}}}, []string{"d/", "d/a 1"}},
		"an opaque folder": {
			[][]entry{{{name: "d/old", content: "1"}}, {{name: "d/", kind: tar.TypeDir}, {name: "d/.wh..wh..opq"}, {name: "d/new", content: "2"}}},
			[]string{"d/", "d/new 2"},
		},
		"a hard link to a lower layer's file": {
			[][]entry{{{name: "a", content: "1"}}, {{name: "b", kind: tar.TypeLink, link: "a"}}}, []string{"a 1", "b 1"},
		},
		"links that lead anywhere in the container": {
			[][]entry{{{name: "abs", kind: tar.TypeSymlink, link: "/etc/x"}, {name: "d/up", kind: tar.TypeSymlink, link: "../a"}}},
			[]string{"abs -> /etc/x", "d/", "d/up -> ../a"},
		},
		"devices and pipes": {[][]entry{{{name: "null", kind: tar.TypeChar}, {name: "pipe", kind: tar.TypeFifo}, {name: "a"}}}, []string{"a "}},
		"an absolute name":  {[][]entry{{{name: outside, content: "1"}}}, nil},
		"a name that leads out": {
			[][]entry{{{name: "../outside", content: "1"}}}, nil,
		},
		"a file through a link": {
			[][]entry{{{name: "out", kind: tar.TypeSymlink, link: filepath.Dir(outside)}, {name: "out/outside", content: "1"}}}, nil,
		},
		"a file through a link of another layer": {
			[][]entry{{{name: "out", kind: tar.TypeSymlink, link: filepath.Dir(outside)}}, {{name: "out/outside", content: "1"}}}, nil,
		},
		"a hard link to a file of the host": {[][]entry{{{name: "b", kind: tar.TypeLink, link: "../../../../etc/passwd"}}}, []string{}},
		"more than is allowed":              {[][]entry{{{name: "a", content: strings.Repeat("x", 2<<20)}}}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			s, host := newStore(t)
			img, err := pull(t, s, host, layers(t, tt.layers...))
			if err == nil {
				if got := files(t, img.Root); tt.want != nil && !slices.Equal(got, tt.want) {
					t.Errorf("the image has %q, want %q", got, tt.want)
				}
			} else if tt.want != nil {
				t.Error(err)
			}
			if _, err := os.Lstat(outside); err == nil {
				t.Error("the image wrote outside of its folder")
			}
			if parts, _ := filepath.Glob(filepath.Join(s.Dir, "images", partPrefix+"*")); len(parts) > 0 {
				t.Errorf("left behind: %q", parts)
			}
		})
	}
}

func TestUnpackOwns(t *testing.T) {
	s, host := newStore(t)
	img, err := pull(t, s, host, layers(t, []entry{{name: "su", mode: 0o4755}, {name: "tmp/", kind: tar.TypeDir, mode: 0o1777}}))
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]fs.FileMode{"su": 0o755 | fs.ModeSetuid, "tmp": 0o777 | fs.ModeSticky | fs.ModeDir} {
		info, err := os.Stat(filepath.Join(img.Root, name))
		if err != nil || info.Mode() != want {
			t.Errorf("%s has the mode %v, want %v (%v)", name, info.Mode(), want, err)
		}
	}
	if os.Getuid() != 0 {
		return // nobody else may give files away
	}
	s.Shift = Shift{UID: 100000, GID: 200000}
	if img, err = pull(t, s, host, layers(t, []entry{{name: "a"}})); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(img.Root, "a"))
	if err != nil {
		t.Fatal(err)
	}
	if owner, ok := info.Sys().(*syscall.Stat_t); !ok || owner.Uid != 100000 || owner.Gid != 200000 {
		t.Errorf("root's file belongs to %+v", info.Sys())
	}
}

func TestUse(t *testing.T) {
	s, host := newStore(t)
	img, err := pull(t, s, host, layers(t, []entry{{name: "a"}}))
	if err != nil {
		t.Fatal(err)
	}
	for _, l := range []sdk.Located{
		{ID: img.ID, Location: "elsewhere"}, {ID: strings.Repeat("0", 64), Location: "here"}, {ID: "../../" + img.ID, Location: "here"}, {Location: "here"},
	} {
		var failed *sdk.Error
		if _, _, err := s.Use(l); !errors.As(err, &failed) || failed.Kind != sdk.KindPermanent {
			t.Errorf("%v: %v, want a permanent failure", l, err)
		}
	}
}
