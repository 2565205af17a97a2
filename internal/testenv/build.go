package testenv

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"sync"
	"syscall"
	"testing"
)

// tags are the build tags of the whole project: Podman's bindings without
// their C libraries.
const tags = "containers_image_openpgp,exclude_graphdriver_btrfs,remote"

// builds remembers what this process has built. It is shared by all tests of
// one binary on purpose: asking the go command again takes a second each time.
var builds sync.Map // package pattern -> func() (string, error)

// Build builds a command of this module, "./cmd/cpub" or "./plugins/s3" for
// one, into the module's .cache/test (bin/ has the builds that know their
// version), once in a test process, and returns the binary's path. Binaries have
// the names that users know them by, so that a worker finds its providers
// beside it. What is up to date is not built again. It fails the test when it
// cannot.
func Build(t testing.TB, pkg string) string {
	t.Helper()
	once, _ := builds.LoadOrStore(pkg, sync.OnceValues(func() (string, error) { return build(pkg) }))
	built, _ := once.(func() (string, error)) // nothing else is stored
	path, err := built()
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// build runs the go command, while no other test process does.
func build(pkg string) (string, error) {
	root, err := moduleRoot()
	if err != nil {
		return "", err
	}
	bin := filepath.Join(root, ".cache", "test")
	if err := os.MkdirAll(bin, 0o755); err != nil {
		return "", fmt.Errorf("making the folder of binaries: %w", err)
	}
	unlock, err := lock(filepath.Join(bin, ".lock"))
	if err != nil {
		return "", err
	}
	defer unlock()

	target := filepath.Join(bin, binaryName(pkg))
	cmd := exec.Command("go", "build", "-buildvcs=false", "-ldflags=-s", "-tags", tags, "-o", target, pkg)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOFLAGS=")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building %s: %w\n%s", pkg, err, out)
	}
	return target, nil
}

// binaryName is how the build of that package is called. A program that lies
// deeper in a provider's folder is not a provider, and must not be found as one.
func binaryName(pkg string) string {
	name := path.Base(pkg)
	if path.Dir(path.Clean(pkg)) == "plugins" {
		return "cpub-provider-" + name
	}
	return name
}

// moduleRoot finds the folder of go.mod above the working directory, which in
// a test is that of the tested package.
func moduleRoot() (string, error) {
	dir, err := os.Getwd()
	if err != nil {
		return "", fmt.Errorf("finding the module: %w", err)
	}
	for {
		if _, err := os.Stat(filepath.Join(dir, "go.mod")); err == nil {
			return dir, nil
		}
		parent := filepath.Dir(dir)
		if parent == dir {
			return "", errors.New("finding the module: no folder above the working directory has a go.mod")
		}
		dir = parent
	}
}

// lock waits for the lock file and returns what releases it.
func lock(path string) (func(), error) {
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o644)
	if err != nil {
		return nil, fmt.Errorf("opening the build lock: %w", err)
	}
	if err := syscall.Flock(int(file.Fd()), syscall.LOCK_EX); err != nil {
		return nil, errors.Join(fmt.Errorf("taking the build lock: %w", err), file.Close())
	}
	return func() { _ = file.Close() }, nil
}
