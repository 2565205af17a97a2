//go:build linux

package container

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/containerpub/cpub/sdk"
)

// Remove removes the container of a key, running or not, with all that there is of it. That there is none is no error.
func (r *Runner) Remove(ctx context.Context, key string) error { return r.remove(ctx, name(key)) }

func (r *Runner) remove(ctx context.Context, name string) error {
	f := r.folder(name)
	if !f.has("") {
		return nil
	}
	log := f.path("log.remove")
	err := r.runtime().remove(ctx, name, log) // its supervisor ends with it
	lock, lerr := f.lock()
	for deadline := time.Now().Add(settle); errors.Is(lerr, errBusy) && time.Now().Before(deadline); lock, lerr = f.lock() {
		time.Sleep(poll / 5)
	}
	if err := errors.Join(err, lerr); err != nil {
		return fmt.Errorf("removing the container: %w", err)
	}
	defer closeAll(lock)
	// Once more: the supervisor may have been at making it.
	err = errors.Join(r.runtime().remove(ctx, name, log), r.bundle(name).remove(), cgroupOf(name).remove())
	if err != nil {
		return fmt.Errorf("removing the container: %w", err)
	}
	return os.RemoveAll(string(f))
}

// Sweep removes the containers of runs that are not alive, unless they are younger than the grace. It returns how many it removed.
func (r *Runner) Sweep(ctx context.Context, sweep sdk.Sweep) (removed int, err error) {
	var errs []error
	for name, c := range r.all() {
		if slices.Contains(sweep.LiveRuns, c.Run) || time.Since(c.Since) < sweep.Grace.Std() {
			continue
		}
		if err := r.remove(ctx, name); err != nil {
			errs = append(errs, err)
			continue
		}
		removed++
	}
	return removed, errors.Join(errs...)
}

// Uses lists the images of all containers.
func (r *Runner) Uses() (images []string) {
	for _, c := range r.all() {
		images = append(images, c.Image)
	}
	return images
}

// all are the containers by their names. What has no record yet was just begun, or was begun by who died at it.
func (r *Runner) all() map[string]record {
	all := map[string]record{}
	folders, _ := filepath.Glob(filepath.Join(r.Dir, "*")) // the pattern is fine
	for _, dir := range folders {
		var c record
		if there, err := folder(dir).read("record", &c); err != nil || !there {
			if info, err := os.Stat(dir); err == nil {
				c.Since = info.ModTime()
			}
		}
		all[filepath.Base(dir)] = c
	}
	return all
}

// Tidy removes the folder of mounts and the cgroup above all containers' where there are none.
func (r *Runner) Tidy() {
	_ = cgroup(groups).remove() // as below
	for _, dir := range []string{r.runtime().State, r.RunDir, filepath.Dir(r.RunDir)} {
		_ = os.Remove(dir) // what is not empty stays
	}
}
