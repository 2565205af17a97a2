//go:build linux

package container

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	specs "github.com/opencontainers/runtime-spec/specs-go"
	"golang.org/x/sys/unix"

	"github.com/containerpub/cpub/examples/providers/runc/image"
)

// bundle is the folder that the runtime takes a container from: its configuration, and its root. It is not in the provider's private
// folder, because whoever is root in the container must get through to its root.
type bundle string

func (b bundle) root() string   { return filepath.Join(string(b), "root") }
func (b bundle) config() string { return filepath.Join(string(b), "config.json") }

// create mounts the root (the image's files, under a layer of the container's own) and writes the configuration.
func (b bundle) create(img image.Image, shift image.Shift, f folder, s *specs.Spec) error {
	if err := os.MkdirAll(b.root(), 0o711); err != nil {
		return err
	}
	upper, work := f.path("upper"), f.path("work")
	for _, dir := range []string{upper, work} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			return err
		}
	}
	top, err := os.Stat(img.Root)
	if err != nil {
		return err
	}
	if err := errors.Join(os.Chown(upper, shift.UID, shift.GID), os.Chmod(upper, top.Mode())); err != nil {
		return err
	}
	if strings.ContainsAny(img.Root+upper, `:,\`) {
		return fmt.Errorf("the state folder %q cannot be used with overlay mounts: it has one of `:,\\` in its name", f)
	}
	layers := fmt.Sprintf("lowerdir=%s,upperdir=%s,workdir=%s", img.Root, upper, work)
	if err := unix.Mount("overlay", b.root(), "overlay", unix.MS_NODEV|unix.MS_NOSUID, layers); err != nil {
		return fmt.Errorf("mounting the container's root with %s: %w", layers, err)
	}
	return image.WriteJSON(b.config(), s)
}

// remove unmounts the root and removes the folder. That there is none is no error.
func (b bundle) remove() error {
	err := unix.Unmount(b.root(), unix.MNT_DETACH|unix.UMOUNT_NOFOLLOW)
	if err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, fs.ErrNotExist) { // EINVAL: nothing is mounted there
		return fmt.Errorf("unmounting the container's root: %w", err)
	}
	for _, path := range []string{b.config(), filepath.Join(string(b), "pid"), b.root(), string(b)} {
		// Not RemoveAll: were the root still mounted, the files would be lost.
		if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}
