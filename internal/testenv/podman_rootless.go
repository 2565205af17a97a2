package testenv

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"strconv"
	"syscall"
	"testing"
)

// RootlessUser is the user of rootless services. It is removed again by the test that made it.
const RootlessUser = "cpub-rootless"

// StartRootlessPodman starts a service of a user without privileges, who is made for the test.
func StartRootlessPodman(t testing.TB, version string) *Podman {
	t.Helper()
	if os.Getuid() != 0 {
		t.Fatal("making the user of a rootless Podman needs root: run the tests as root")
	}
	u := ensureUser(t)
	uid, err := strconv.ParseUint(u.Uid, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	gid, err := strconv.ParseUint(u.Gid, 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	p := newPodman(t, version, &syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)})
	runtimeDir := fmt.Sprintf("/run/user/%d", uid)
	if err := os.MkdirAll(runtimeDir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chown(runtimeDir, int(uid), int(gid)); err != nil {
		t.Fatal(err)
	}
	p.Environ = append(p.Environ, "HOME="+u.HomeDir, "USER="+u.Username, "XDG_RUNTIME_DIR="+runtimeDir)
	p.start(t)
	return p
}

// ensureUser makes the user with ids of its own for containers.
func ensureUser(t testing.TB) *user.User {
	t.Helper()
	if _, err := user.Lookup(RootlessUser); err != nil {
		if out, err := exec.Command("useradd", "--create-home", RootlessUser).CombinedOutput(); err != nil {
			t.Fatalf("making the user %s: %v\n%s", RootlessUser, err, out)
		}
		t.Cleanup(func() {
			// Podman's pause process lives on as the user's.
			_ = exec.Command("pkill", "-KILL", "-u", RootlessUser).Run()
			if out, err := exec.Command("userdel", "--remove", "--force", RootlessUser).CombinedOutput(); err != nil {
				t.Logf("removing the user %s: %v\n%s", RootlessUser, err, out)
			}
		})
	}
	for _, name := range []string{"/etc/subuid", "/etc/subgid"} {
		appendLine(t, name, RootlessUser+":", RootlessUser+":3000000:65536")
	}
	u, err := user.Lookup(RootlessUser)
	if err != nil {
		t.Fatal(err)
	}
	return u
}
