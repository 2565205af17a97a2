package service

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/containerpub/cpub/sdk"
)

// file is the service's Quadlet file.
func (h Host) file(name string) string { return filepath.Join(h.Folder, name+".container") }

// backup is where the file is that a rollout replaces, until it has succeeded. Quadlet reads no file with such an ending.
func (h Host) backup(name string) string { return filepath.Join(h.Folder, name+".container.cpub-old") }

// read is what a file holds; empty if it is not there.
func read(name string) (string, error) {
	b, err := os.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	return string(b), err
}

// write writes a file so that there is always the old one or the new one, whole.
func write(name, text string) (err error) {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil { //nolint:gosec // as Podman's packages make it
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(name), ".cpub-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	_, err = f.WriteString(text)
	if err == nil {
		err = f.Sync()
	}
	if err = errors.Join(err, f.Close()); err != nil {
		return err
	}
	return os.Rename(f.Name(), name)
}

// remove removes a file that may not be there.
func remove(name string) error {
	if err := os.Remove(name); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

// check has Podman's generator read the file, in a folder of its own. It gives the unit that it makes of it.
func (h Host) check(ctx context.Context, scratch, name, text string) (string, error) {
	dir, err := os.MkdirTemp(scratch, "quadlet-")
	if err != nil {
		return "", fmt.Errorf("checking the service: %w", err)
	}
	defer func() { _ = os.RemoveAll(dir) }() // the scratch folder goes with the attempt
	if err := write(filepath.Join(dir, name+".container"), text); err != nil {
		return "", fmt.Errorf("checking the service: %w", err)
	}
	args := []string{"-dryrun", "-no-kmsg-log"}
	if h.User {
		args = append(args, "-user")
	}
	cmd := exec.CommandContext(ctx, h.Generator, args...)
	cmd.Env = []string{"PATH=/usr/sbin:/usr/bin:/sbin:/bin", "QUADLET_UNIT_DIRS=" + dir}
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	if err := cmd.Run(); err != nil {
		return "", sdk.Permanentf("Podman's generator refuses the service: %w: %s", err, strings.TrimSpace(errs.String()))
	}
	if !strings.Contains(out.String(), "ExecStart=") {
		return "", sdk.Permanentf("Podman's generator makes no service of the file: %s", strings.TrimSpace(errs.String()))
	}
	return out.String(), nil
}
