package client

import (
	"errors"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestEnvironmentOfAServiceWithoutOne(t *testing.T) {
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	env := environment(nil)
	for name, want := range map[string]string{"PATH": systemPath, "HOME": me.HomeDir, "USER": me.Username} {
		if got := variable(env, name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if dir := variable(env, "XDG_RUNTIME_DIR"); os.Getuid() == 0 && dir != "" {
		t.Errorf("root's XDG_RUNTIME_DIR is %s", dir)
	}
}

func TestEnvironmentKeepsWhatIsGiven(t *testing.T) {
	own := []string{"PATH=/mine", "HOME=", "CONTAINER_HOST=unix:///x", "CONTAINER_CONNECTION=", "CONTAINERS_CONF=/c"}
	env := environment(own)
	if variable(env, "PATH") != "/mine" || variable(env, "CONTAINERS_CONF") != "/c" {
		t.Errorf("it is %v", env)
	}
	if variable(env, "HOME") == "" {
		t.Error("an empty HOME is left: Podman refuses it")
	}
	if slices.ContainsFunc(env, func(v string) bool { return strings.HasPrefix(v, "CONTAINER_") }) {
		t.Errorf("the service would be a client: %v", env)
	}
	if own[2] != "CONTAINER_HOST=unix:///x" {
		t.Errorf("the caller's environment was changed: %v", own)
	}
}

func TestLookPath(t *testing.T) {
	t.Setenv("PATH", "")
	dir := t.TempDir()
	program := filepath.Join(dir, "podman")
	if err := os.WriteFile(program, nil, 0o755); err != nil {
		t.Fatal(err)
	}
	t.Chdir(dir)
	for _, tc := range []struct{ program, path, want string }{
		{"podman", "/nowhere:" + dir, program},
		{"podman", "/nowhere:.:", ""},
		{program, "", program},
		{"sh", systemPath, "/usr/bin/sh"},
	} {
		got, err := lookPath(tc.program, []string{"PATH=" + tc.path})
		if got != tc.want || tc.want == "" && !errors.Is(err, exec.ErrNotFound) {
			t.Errorf("%s in %s: %q, %v, want %q", tc.program, tc.path, got, err, tc.want)
		}
	}
}
