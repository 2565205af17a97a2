//go:build linux

package image

import (
	"os"
	"testing"
	"time"

	"github.com/containerpub/cpub/sdk"
)

// TestSweep: an image stays while a live run holds it, while a container uses it, and for a week after its last use.
func TestSweep(t *testing.T) {
	s, host := newStore(t)
	img, err := pull(t, s, host, layers(t, []entry{{name: "a"}}))
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		what  string
		age   time.Duration
		live  []string
		used  []string
		want  int
		stays bool
	}{
		{"it is new", 0, []string{"run"}, nil, 0, true},
		{"a run holds it", 2 * unused, []string{"run"}, nil, 0, true},
		{"a container uses it", 2 * unused, nil, []string{img.ID}, 1, true}, // the hold went
		{"it was used of late", unused / 2, nil, nil, 0, true},
		{"nobody needs it", 2 * unused, nil, nil, 1, false},
		{"it is gone", 2 * unused, nil, nil, 0, false},
	} {
		then := time.Now().Add(-step.age)
		_ = os.Chtimes(s.folder(img.ID), then, then) // in the end it is gone
		removed, err := s.Sweep(sdk.Sweep{LiveRuns: step.live}, step.used)
		if err != nil || removed != step.want {
			t.Errorf("%s: removed %d, want %d (%v)", step.what, removed, step.want, err)
		}
		if _, err := os.Stat(s.folder(img.ID)); (err == nil) != step.stays {
			t.Errorf("%s: it is there: %v, want %v", step.what, err == nil, step.stays)
		}
	}
}

func TestRelease(t *testing.T) {
	s := &Store{Dir: t.TempDir()}
	req := &sdk.Request{Key: "k", Run: "run"}
	if err := s.keep(req, "x"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Release("k"); err != nil {
			t.Error(err)
		}
	}
	if _, err := os.Stat(s.holdPath("k")); err == nil {
		t.Error("the hold is there after its release")
	}
}

func TestWriteNew(t *testing.T) {
	path := t.TempDir() + "/a/b"
	if err := WriteNew(path, "first"); err != nil {
		t.Fatal(err)
	}
	if err := WriteNew(path, "second"); err == nil {
		t.Error("a second text replaced the first")
	}
	if text, err := os.ReadFile(path); string(text) != "first" || err != nil {
		t.Errorf("it has %q, %v", text, err)
	}
}
