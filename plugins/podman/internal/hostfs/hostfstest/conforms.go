// Package hostfstest checks hosts against what package hostfs says of them.
package hostfstest

import (
	"errors"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/containerpub/cpub/plugins/podman/internal/hostfs"
)

// Conforms checks what every host gives. h must be this machine, however it is reached.
func Conforms(t *testing.T, h hostfs.Host) {
	t.Helper()
	t.Run("files", func(t *testing.T) { readsFiles(t, h) })
	t.Run("folders", func(t *testing.T) { readsFolders(t, h) })
	t.Run("kill", func(t *testing.T) { kills(t, h) })
	t.Run("feed", func(t *testing.T) { feeds(t, h) })
	if w, ok := h.(hostfs.Writer); ok {
		t.Run("writer", func(t *testing.T) { writes(t, w) })
	}
}

func readsFiles(t *testing.T, h hostfs.Host) {
	name := filepath.Join(t.TempDir(), "it's $HOME; a \"name\"\\")
	big := strings.Repeat("0123456789abcdef", 1<<14) + "no line break at the end"
	if err := os.WriteFile(name, []byte(big), 0o600); err != nil {
		t.Fatal(err)
	}
	got := h.ReadFiles(t.Context(), name, name+".none", os.DevNull, name)
	if len(got) != 4 || string(got[0].Data) != big || got[0].Err != nil || string(got[3].Data) != big {
		t.Errorf("%d answers, of %d and %d bytes: %v, want %d bytes", len(got), len(got[0].Data), len(got[len(got)-1].Data), got[0].Err, len(big))
	}
	if err := got[1].Err; !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), ".none") {
		t.Errorf("a file that is not there: %v", err)
	}
	if len(got[2].Data) != 0 || got[2].Err != nil {
		t.Errorf("an empty file: %q, %v", got[2].Data, got[2].Err)
	}
	if runtime.GOOS != "linux" {
		return
	}
	// Their size is said to be 0.
	if b, err := hostfs.ReadFile(t.Context(), h, "/proc/self/mountinfo"); err != nil || !strings.Contains(string(b), " - ") {
		t.Errorf("mountinfo: %q, %v", b, err)
	}
	if target, err := h.Readlink(t.Context(), "/proc/self/ns/net"); err != nil || !strings.HasPrefix(target, "net:[") {
		t.Errorf("a namespace: %q, %v", target, err)
	}
}

func readsFolders(t *testing.T, h hostfs.Host) {
	dir := t.TempDir()
	sub := filepath.Join(dir, "a b")
	if err := os.Mkdir(sub, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "f"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if entries, err := h.ReadDir(t.Context(), sub); err != nil || len(entries) > 0 {
		t.Errorf("an empty folder: %v, %v", entries, err)
	}
	entries, err := h.ReadDir(t.Context(), dir)
	if err != nil || len(entries) != 2 {
		t.Fatalf("%v, %v", entries, err)
	}
	for _, e := range entries {
		if e.Dir != (e.Name == "a b") || !e.Dir && e.Name != "f" || time.Since(e.Modified).Abs() > time.Hour {
			t.Errorf("entry %+v", e)
		}
	}
	if err := h.RemoveDir(t.Context(), dir); err == nil || errors.Is(err, fs.ErrNotExist) {
		t.Errorf("removing a folder that is not empty: %v", err)
	}
	if err := h.RemoveDir(t.Context(), sub); err != nil {
		t.Error(err)
	}
	if _, err := h.ReadDir(t.Context(), sub); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a folder that is gone: %v", err)
	}
	if err := h.RemoveDir(t.Context(), sub); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("removing it again: %v", err)
	}
}

func kills(t *testing.T, h hostfs.Host) {
	cmd := exec.CommandContext(t.Context(), "sleep", "600")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if err := h.Kill(t.Context(), cmd.Process.Pid); err != nil {
		t.Error(err)
	}
	_ = cmd.Wait() // it was killed
	if err := h.Kill(t.Context(), cmd.Process.Pid); err != nil {
		t.Errorf("a process that is gone: %v", err)
	}
}

func feeds(t *testing.T, h hostfs.Host) {
	name := filepath.Join(t.TempDir(), "it's a pipe")
	if out, err := exec.CommandContext(t.Context(), "mkfifo", name).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	reader, err := os.OpenFile(name, os.O_RDWR, 0) // so that it opens without a writer
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = reader.Close() }()
	// More than the pipe holds, so that the writing goes on after Feed.
	text := strings.Repeat("0123456789abcdef", 1<<14)
	feed, err := h.Feed(t.Context(), name, text)
	if err != nil {
		t.Fatal(err)
	}
	got := make([]byte, len(text))
	if _, err := io.ReadFull(reader, got); err != nil || string(got) != text {
		t.Errorf("read something else than was written: %v", err)
	}
	if err := errors.Join(feed.Wait(), feed.Close(), feed.Close()); err != nil {
		t.Error(err)
	}
	if _, err := h.Feed(t.Context(), name+".none", "x"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("a pipe that is not there: %v", err)
	}
}

func writes(t *testing.T, w hostfs.Writer) {
	dir := filepath.Join(t.TempDir(), "it's", "deep")
	for range 2 {
		if err := w.MakeDirs(t.Context(), dir); err != nil {
			t.Fatal(err)
		}
	}
	name := filepath.Join(dir, "limit")
	if err := w.WriteFile(t.Context(), name, []byte("1")); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("writing a file that is not there: %v", err)
	}
	if err := os.WriteFile(name, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	text := "100000 $(it's)\n"
	if err := w.WriteFile(t.Context(), name, []byte(text)); err != nil {
		t.Error(err)
	}
	if b, err := os.ReadFile(name); err != nil || string(b) != text {
		t.Errorf("%q, %v, want %q", b, err, text)
	}
}
