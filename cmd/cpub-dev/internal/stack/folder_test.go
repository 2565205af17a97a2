package stack

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestFolderBelongsToOneStack(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", "state")
	first, err := openFolder(path)
	if err != nil {
		t.Fatal(err)
	}
	_, err = openFolder(path)
	if err == nil {
		t.Fatal("the folder was opened twice")
	}
	for _, want := range []string{path, "in use by another cpub-dev", fmt.Sprintf("process %d", os.Getpid())} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not say %q", err, want)
		}
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	second, err := openFolder(path)
	if err != nil {
		t.Fatalf("after the first was closed: %v", err)
	}
	defer func() { _ = second.Close() }()
	if second.identity != first.identity {
		t.Error("the identity was made up again")
	}
}

func TestIdentityIsPrivate(t *testing.T) {
	dir, err := openFolder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = dir.Close() }()
	info, err := os.Stat(dir.join("identity.json"))
	if err != nil {
		t.Fatal(err)
	}
	if mode := info.Mode().Perm(); mode != 0o600 {
		t.Errorf("mode = %o, want 600", mode)
	}
	if id := dir.identity; len(id.AccessKey) != 20 || len(id.SecretKey) != 40 || id == newIdentity() {
		t.Errorf("identity = %+v", id)
	}
}

func TestIdentityThatCannotBeRead(t *testing.T) {
	for name, text := range map[string]string{
		"no JSON":    "{",
		"no secrets": `{"access_key": "K"}`,
	} {
		t.Run(name, func(t *testing.T) {
			path := t.TempDir()
			if err := os.WriteFile(filepath.Join(path, "identity.json"), []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			if _, err := openFolder(path); err == nil || !strings.Contains(err.Error(), "identity.json") {
				t.Fatalf("error = %v", err)
			}
			if _, err := lockFolder(path); err != nil {
				t.Errorf("the failure left the folder locked: %v", err)
			}
		})
	}
}

func TestLargeLogIsPutAside(t *testing.T) {
	dir, err := openFolder(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = dir.Close() }()
	if err := dir.log.Truncate(17 << 20); err != nil {
		t.Fatal(err)
	}
	log, err := dir.openLog("servers.log")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	if info, err := log.Stat(); err != nil || info.Size() != 0 {
		t.Errorf("the new log: %v, %v", info, err)
	}
	if info, err := os.Stat(dir.join("log", "servers.log.old")); err != nil || info.Size() != 17<<20 {
		t.Errorf("the old log: %v, %v", info, err)
	}
}
