package testenv

import (
	"os"
	"os/exec"
	"path/filepath"
	"testing"
)

// Tool finds a program that tests drive, such as "temporal": the one that hack/tools.sh has built, else one on the PATH.
// It fails the test, and says how to get it, when there is none.
func Tool(t testing.TB, name string) string {
	t.Helper()
	root, err := moduleRoot()
	if err != nil {
		t.Fatal(err)
	}
	if path := filepath.Join(root, ".cache", "bin", name); executable(path) {
		return path
	}
	path, err := exec.LookPath(name)
	if err != nil {
		t.Fatalf("%s is missing: %v; build it with hack/tools.sh %s", name, err, name)
	}
	return path
}

func executable(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0
}
