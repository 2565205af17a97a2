package host

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// copyBinary copies a provider's binary to the private folder and checks the copy's digest, so that what is started is what was
// checked. Instances of one binary share a copy.
func (r *rooms) copyBinary(path, want string) (string, error) {
	src, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("the provider's binary: %w", err)
	}
	defer src.Close()
	if info, err := src.Stat(); err != nil || !info.Mode().IsRegular() {
		return "", errors.Join(err, fmt.Errorf("the provider's binary %s is no regular file", path))
	}
	dst, err := os.CreateTemp(r.bin.Dir(), "new-")
	if err != nil {
		return "", fmt.Errorf("copying the provider's binary: %w", err)
	}
	sum := sha256.New()
	_, err = io.Copy(io.MultiWriter(dst, sum), src)
	if err == nil {
		err = dst.Chmod(0o500)
	}
	if err = errors.Join(err, dst.Close()); err != nil {
		return "", fmt.Errorf("copying the provider's binary: %w", err)
	}
	got := hex.EncodeToString(sum.Sum(nil))
	if want != "" && !strings.EqualFold(strings.TrimPrefix(want, "sha256:"), got) {
		return "", errors.Join(&checksumError{path: path, got: got, want: want}, os.Remove(dst.Name()))
	}
	// Under its own name, so that a list of processes says what runs.
	target := filepath.Join(r.bin.Dir(), got, filepath.Base(path))
	err = os.MkdirAll(filepath.Dir(target), 0o700)
	if err == nil {
		err = os.Rename(dst.Name(), target)
	}
	if err != nil {
		return "", fmt.Errorf("copying the provider's binary: %w", err)
	}
	return target, nil
}

// checksumError is a binary that is another one than worker.hcl means.
type checksumError struct{ path, got, want string }

func (e *checksumError) Error() string {
	return fmt.Sprintf("the provider's binary %s has sha256 %s, and not %s as worker.hcl says: install the right one, or put its sum there", e.path, e.got, e.want)
}

// private checks that a folder is this user's own, and that nobody else can enter it.
func private(dir string) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is no folder", dir)
	}
	if s, ok := info.Sys().(*syscall.Stat_t); ok && int(s.Uid) != os.Getuid() {
		return fmt.Errorf("%s belongs to another user", dir)
	}
	if info.Mode().Perm()&0o077 != 0 {
		return os.Chmod(dir, 0o700) //nolint:gosec // a folder needs x
	}
	return nil
}
