package artifact

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/containerpub/cpub/sdk"
)

// conformance is what every kind of store must do.
func conformance(t *testing.T, url string) {
	s, err := Open(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	t.Run("put and read", func(t *testing.T) { testPut(t, s) })
	t.Run("corrupt bytes", func(t *testing.T) { testCorrupt(t, s) })
	t.Run("failed write", func(t *testing.T) { testFailedWrite(t, s) })
	t.Run("plans", func(t *testing.T) { testPlans(t, s) })
	t.Run("published", func(t *testing.T) { testPublished(t, s) })
	t.Run("directories", func(t *testing.T) { testDirectories(t, s) })
	t.Run("cache", func(t *testing.T) { testCache(t, s) })
	t.Run("logs", func(t *testing.T) { testLogs(t, s) })
}

func testPut(t *testing.T, s *Store) {
	ctx := t.Context()
	for _, size := range []int{0, 1, 6 << 20} {
		content := bytes.Repeat([]byte("x"), size)
		a, err := s.Put(ctx, bytes.NewReader(content), "f", "")
		if err != nil {
			t.Fatal(err)
		}
		if a.Size != int64(size) || a.MediaType != sdk.MediaTypeBytes || a.Name != "f" || a.Path != "" {
			t.Errorf("artifact %+v of %d bytes", a, size)
		}
		if got := readAll(t, s, a.Digest); !bytes.Equal(got, content) {
			t.Errorf("%d bytes came back as %d", size, len(got))
		}
		again, err := s.Put(ctx, bytes.NewReader(content), "f", "")
		if err != nil || again != a {
			t.Errorf("a second put: %+v, %v", again, err)
		}
	}
	none := "sha256:" + strings.Repeat("0", 64)
	if _, err := s.Reader(ctx, none); !errors.Is(err, ErrNotFound) {
		t.Errorf("reading what is not there: %v", err)
	}
	if has, err := s.Has(ctx, none); has || err != nil {
		t.Errorf("has what is not there: %v, %v", has, err)
	}
	for _, bad := range []string{"", "sha256:", "md5:00", "sha256:" + strings.Repeat("0", 63) + "/", none + "0", strings.ToUpper(none)} {
		if _, err := s.Reader(ctx, bad); err == nil {
			t.Errorf("digest %q was taken", bad)
		}
	}
}

func testCorrupt(t *testing.T, s *Store) {
	a, err := s.Put(t.Context(), strings.NewReader("right"), "f", "")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.bucket.WriteAll(t.Context(), blobKey(a.Digest[len(digestPrefix):]), []byte("wrong"), nil); err != nil {
		t.Fatal(err)
	}
	r, err := s.Reader(t.Context(), a.Digest)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	if _, err := io.ReadAll(r); !errors.Is(err, ErrCorrupt) {
		t.Errorf("corrupt bytes were read to their end: %v", err)
	}
	cache := newCache(t, t.TempDir(), s)
	if p, err := cache.Path(t.Context(), a); !errors.Is(err, ErrCorrupt) {
		t.Errorf("corrupt bytes were kept at %s: %v", p, err)
	}
	a.MediaType = sdk.MediaTypeDirectory
	if p, err := cache.Path(t.Context(), a); err == nil {
		t.Errorf("corrupt bytes were unpacked at %s", p)
	}
	leftovers(t, cache)
}

func testFailedWrite(t *testing.T, s *Store) {
	ctx := t.Context()
	digest := "sha256:" + strings.Repeat("1", 64)
	broken := errors.New("broken")
	if err := s.put(ctx, digest, func(w io.Writer) error {
		_, _ = w.Write([]byte("half"))
		return broken
	}); !errors.Is(err, broken) {
		t.Errorf("a failed write: %v", err)
	}
	if err := s.put(ctx, digest, func(w io.Writer) error {
		_, err := w.Write([]byte("other"))
		return err
	}); !errors.Is(err, ErrCorrupt) {
		t.Errorf("a write of other bytes: %v", err)
	}
	if has, err := s.Has(ctx, digest); has || err != nil {
		t.Errorf("something stayed: %v, %v", has, err)
	}
}

func testPlans(t *testing.T, s *Store) {
	ctx := t.Context()
	digest, err := s.PutPlan(ctx, []byte(`{"a":1}`))
	if err != nil {
		t.Fatal(err)
	}
	if got, err := s.Plan(ctx, digest); err != nil || string(got) != `{"a":1}` {
		t.Errorf("plan %q, %v", got, err)
	}
	if _, err := s.PutPlan(ctx, make([]byte, MaxPlanSize+1)); err == nil {
		t.Error("a plan that is too large was stored")
	}
	big, err := s.Put(ctx, bytes.NewReader(make([]byte, MaxPlanSize+1)), "", "")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.Plan(ctx, big.Digest); err == nil {
		t.Error("a plan that is too large was read")
	}
}

func testPublished(t *testing.T, s *Store) {
	ctx := t.Context()
	first, err := s.PutPlan(ctx, []byte("1"))
	if err != nil {
		t.Fatal(err)
	}
	second, err := s.PutPlan(ctx, []byte("2"))
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"deploy", "../../etc", "a/b", ".", "ü x"} {
		if _, err := s.Published(ctx, name, name); !errors.Is(err, ErrNotFound) {
			t.Errorf("%q before it is published: %v", name, err)
		}
		for _, digest := range []string{first, second} {
			if err := s.Publish(ctx, name, name, digest); err != nil {
				t.Fatal(err)
			}
			if got, err := s.Published(ctx, name, name); err != nil || got != digest {
				t.Errorf("%q is %q, %v, want %q", name, got, err, digest)
			}
		}
	}
	if err := s.Publish(ctx, "default", "x", "sha256:"+strings.Repeat("0", 64)); !errors.Is(err, ErrNotFound) {
		t.Errorf("publishing a plan that is not there: %v", err)
	}
}

func testLogs(t *testing.T, s *Store) {
	ctx := t.Context()
	if got, next, err := s.ReadLog(ctx, "logs/none", 0); len(got) != 0 || next != 0 || err != nil {
		t.Errorf("a log that nobody wrote: %v, %d, %v", got, next, err)
	}
	if _, err := s.LogWriter(ctx, "../x"); err == nil {
		t.Error("a key that leads out was taken")
	}
	follow := make(chan string, 1)
	go func() {
		var text strings.Builder
		err := s.FollowLog(ctx, "logs/run/step", func(e LogEntry) error {
			text.WriteString(e.Text)
			return nil
		})
		follow <- fmt.Sprint(len(text.String()), err)
	}()
	w, err := s.LogWriter(ctx, "logs/run/step")
	if err != nil {
		t.Fatal(err)
	}
	line := strings.Repeat("a", 1023) + "\n"
	for range 600 { // more than two chunks
		w.Write("stdout", []byte(line))
	}
	w.Write("stderr", []byte("last\xff"))
	if err := w.Close(ctx); err != nil {
		t.Fatal(err)
	}
	if got := <-follow; got != "614407 <nil>" { // the stray byte became three
		t.Errorf("followed %s", got)
	}
	w.Write("stdout", []byte("after the end"))
	again, err := s.LogWriter(ctx, "logs/run/step") // the next attempt
	if err != nil {
		t.Fatal(err)
	}
	again.Write("step", []byte("second"))
	if err := again.Close(ctx); err != nil {
		t.Fatal(err)
	}
	entries, next, err := s.ReadLog(ctx, "logs/run/step", 0)
	if err != nil || next < 2 {
		t.Fatalf("%d chunks, %v", next, err)
	}
	last := entries[len(entries)-2:]
	if last[0].Text != "second" || last[0].Stream != "step" || !last[1].End || time.Since(last[0].Time) > time.Minute {
		t.Errorf("ends with %+v", last)
	}
	if more, n, err := s.ReadLog(ctx, "logs/run/step", next); len(more) != 0 || n != next || err != nil {
		t.Errorf("something behind the end: %v, %d, %v", more, n, err)
	}
	testTwoWriters(t, s)
}

// testTwoWriters is a lost attempt that lives on, beside its successor: nothing of either is lost.
func testTwoWriters(t *testing.T, s *Store) {
	var all sync.WaitGroup
	for n := range 2 {
		all.Go(func() {
			w, err := s.LogWriter(t.Context(), "logs/two")
			if err != nil {
				t.Error(err)
				return
			}
			for i := range 3 {
				w.Write("stdout", fmt.Appendf(nil, "%d:%d ", n, i))
			}
			if err := w.Close(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	all.Wait()
	entries, _, err := s.ReadLog(t.Context(), "logs/two", 0)
	if err != nil || len(entries) != 8 {
		t.Errorf("%d entries, %v: %+v", len(entries), err, entries)
	}
}

func readAll(t *testing.T, s *Store, digest string) []byte {
	t.Helper()
	r, err := s.Reader(t.Context(), digest)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

func newCache(t *testing.T, dir string, s *Store) *Cache {
	t.Helper()
	c, err := NewCache(dir, s)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := errors.Join(c.Close(), RemoveAll(dir)); err != nil {
			t.Error(err)
		}
	})
	return c
}

func leftovers(t *testing.T, c *Cache) {
	t.Helper()
	entries, err := os.ReadDir(c.own.dir)
	if err != nil || len(entries) > 0 {
		t.Errorf("left in %s: %v, %v", filepath.Base(c.own.dir), entries, err)
	}
}
