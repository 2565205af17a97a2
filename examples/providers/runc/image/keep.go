//go:build linux

package image

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/containerpub/cpub/sdk"
)

// unused is how long an image stays in the store that nobody uses.
const unused = 7 * 24 * time.Hour

// hold keeps an image for a step until its run ends.
type hold struct {
	Run   string    `json:"run"`
	Image string    `json:"image"`
	Since time.Time `json:"since"`
}

func (s *Store) holdPath(key string) string { return filepath.Join(s.Dir, "holds", Hash(key)) }

func (s *Store) keep(req *sdk.Request, id string) error {
	if err := WriteJSON(s.holdPath(req.Key), hold{Run: req.Run, Image: id, Since: time.Now()}); err != nil {
		return fmt.Errorf("keeping the image for the run: %w", err)
	}
	return nil
}

// Release ends what a key holds. An unknown key is no error.
func (s *Store) Release(key string) error {
	if err := os.Remove(s.holdPath(key)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("releasing an image: %w", err)
	}
	return nil
}

// Sweep ends the holds of runs that are gone, and removes images that nobody holds, uses, or used of late. It returns how much it removed.
func (s *Store) Sweep(sweep sdk.Sweep, inUse []string) (removed int, err error) {
	if !s.using.TryLock() {
		return 0, nil // the next sweep will do
	}
	defer s.using.Unlock()
	removed, held, err := s.sweepHolds(sweep)
	if err != nil {
		return removed, err
	}
	held = append(held, inUse...)
	folders, err := os.ReadDir(filepath.Join(s.Dir, "images"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return removed, err
	}
	var errs []error
	for _, f := range folders {
		info, err := f.Info()
		id, _, _ := strings.Cut(f.Name(), ".")
		if err != nil || slices.Contains(held, id) || time.Since(info.ModTime()) < max(unused, sweep.Grace.Std()) {
			continue
		}
		if err := os.RemoveAll(filepath.Join(s.Dir, "images", f.Name())); err != nil {
			errs = append(errs, err)
			continue
		}
		removed++
	}
	return removed, errors.Join(errs...)
}

// sweepHolds removes the holds of runs that are gone, and lists what the others hold.
func (s *Store) sweepHolds(sweep sdk.Sweep) (removed int, held []string, err error) {
	paths, err := filepath.Glob(filepath.Join(s.Dir, "holds", "[0-9a-f]*")) // not what is being written
	if err != nil {
		return 0, nil, err
	}
	var errs []error
	for _, path := range paths {
		var h hold
		if err := readJSON(path, &h); err != nil {
			errs = append(errs, err)
			continue
		}
		if slices.Contains(sweep.LiveRuns, h.Run) || time.Since(h.Since) < sweep.Grace.Std() {
			held = append(held, h.Image)
			continue
		}
		errs = append(errs, os.Remove(path))
		removed++
	}
	return removed, held, errors.Join(errs...)
}
