package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

func TestEnvIsWhatAShellReads(t *testing.T) {
	for _, value := range []string{
		"", "plain", "127.0.0.1:7233", "file:///a/b?create_dir=1&no_tmp_dir=1", "it's", "a b", "$HOME `id` \\ \" # ; ~",
	} {
		path := filepath.Join(t.TempDir(), "env")
		if err := writeEnv(path, []string{"FIRST=1", "VALUE=" + value}); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		if mode := info.Mode().Perm(); mode != 0o600 {
			t.Errorf("mode = %o, want 600", mode)
		}
		out, err := exec.CommandContext(t.Context(), "sh", "-c", `. "$1"; printf %s "$VALUE"`, "sh", path).Output()
		if err != nil || string(out) != value {
			t.Errorf("a shell reads %q, %v; want %q", out, err, value)
		}
	}
}

func TestEnvIntoAFolderThatIsNotThere(t *testing.T) {
	if err := writeEnv(filepath.Join(t.TempDir(), "missing", "env"), nil); err == nil {
		t.Error("no error")
	}
}
