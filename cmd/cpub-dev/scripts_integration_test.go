//go:build integration

package main

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// nobody is the id of Debian's user without any rights, who has no session either.
const nobody = 65534

// checkout is a folder with the scripts alone, that everybody can read: what they do before they build.
func checkout(t *testing.T) string {
	t.Helper()
	if os.Getuid() != 0 {
		t.Fatal("becoming another user needs root: run the tests as root")
	}
	dir, err := os.MkdirTemp("", "cpub-checkout-") // that of t.TempDir is root's alone
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	if err := os.CopyFS(filepath.Join(dir, "hack"), os.DirFS("../../hack")); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), "chown", "-R", "65534", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return dir
}

// asNobody runs a script of the checkout and returns its exit code and what it said.
func asNobody(t *testing.T, dir, script string, args ...string) (int, string) {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), filepath.Join(dir, "hack", script), args...)
	cmd.Dir = dir
	cmd.Env = []string{"HOME=" + dir, "PATH=" + filepath.Join(dir, "path") + ":/usr/bin:/bin"}
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(out)
}

func contains(t *testing.T, text string, parts ...string) {
	t.Helper()
	for _, part := range parts {
		if !strings.Contains(text, part) {
			t.Errorf("%q is not in:\n%s", part, text)
		}
	}
}

// TestDemoStopsWhereLimitsCannotBeEnforced runs the real script as a user whose limits the host cannot enforce.
func TestDemoStopsWhereLimitsCannotBeEnforced(t *testing.T) {
	dir := checkout(t)
	before := time.Now()
	code, out := asNobody(t, dir, "demo.sh")
	if code != 1 {
		t.Errorf("exit code %d", code)
	}
	contains(t, out, "cannot enforce limits of memory, CPU and processes for the user nobody", "as root")
	if took := time.Since(before); took > 10*time.Second {
		t.Errorf("it took %v to say so", took)
	}
	left, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(left) != 1 {
		t.Errorf("the checkout has %v, %v: something was built", left, err)
	}
}

func TestLimitsByHost(t *testing.T) {
	dir := checkout(t)
	const session = "user.slice/user-65534.slice/user@65534.service/cgroup.controllers"
	for name, tc := range map[string]struct {
		files map[string]string
		code  int
		says  []string
	}{
		"cgroups v1":        {nil, 1, []string{"cgroups v1", "systemd.unified_cgroup_hierarchy=1", "as root"}},
		"no session":        {map[string]string{"cgroup.controllers": "cpu memory pids"}, 1, []string{"no systemd session", "loginctl enable-linger nobody"}},
		"nothing delegated": {map[string]string{"cgroup.controllers": "cpu memory pids", session: "pids memory\n"}, 1, []string{"not delegated to this user: cpu.", "delegate.conf"}},
		"all delegated":     {map[string]string{"cgroup.controllers": "cpu memory pids", session: "cpuset cpu io memory pids\n"}, 0, nil},
	} {
		t.Run(name, func(t *testing.T) {
			cgroups := filepath.Join(dir, "cgroups "+name)
			for file, text := range tc.files {
				path := filepath.Join(cgroups, file)
				if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
					t.Fatal(err)
				}
				if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			code, out := asNobody(t, dir, "limits.sh", cgroups)
			if code != tc.code || code == 0 && out != "" {
				t.Errorf("exit code %d\n%s", code, out)
			}
			contains(t, out, tc.says...)
		})
	}
}

// TestMissingPackagesWithoutSudo has a dpkg-query that knows of no package, and no sudo.
func TestMissingPackagesWithoutSudo(t *testing.T) {
	dir := checkout(t)
	path := filepath.Join(dir, "path")
	if err := os.Mkdir(path, 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"dpkg-query": "#!/bin/sh\n", "sudo": "#!/bin/sh\nexit 1\n"} {
		if err := os.WriteFile(filepath.Join(path, name), []byte(text), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	code, out := asNobody(t, dir, "apt.sh", "run")
	if code != 1 {
		t.Errorf("exit code %d", code)
	}
	contains(t, out, "sudo cannot be used here", "    apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install", "podman")
	code, out = asNobody(t, dir, "subids.sh")
	if code != 1 {
		t.Errorf("exit code %d", code)
	}
	contains(t, out, "    echo nobody:", ">>/etc/subuid")
}
