package provider

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/containerpub/cpub/sdk"
)

const (
	ownerFile     = "run"     // which run a download belongs to
	contentFolder = "content" // fetch's own folder
)

// download is the folder of one step's download: it outlives the attempt, and the process.
type download struct{ dir string }

func (p *Provider) download(key string) download {
	sum := sha256.Sum256([]byte(key)) // a name that is safe whatever the key
	return download{filepath.Join(p.dir, hex.EncodeToString(sum[:16]))}
}

func (d download) content() string { return filepath.Join(d.dir, contentFolder) }

// claim makes the folder and notes whose it is.
func (d download) claim(run string) error {
	if err := os.MkdirAll(d.dir, 0o700); err != nil {
		return fmt.Errorf("making the download's folder: %w", err)
	}
	if err := os.WriteFile(filepath.Join(d.dir, ownerFile), []byte(run), 0o600); err != nil {
		return fmt.Errorf("noting whose the download is: %w", err)
	}
	return nil
}

func (d download) remove() error {
	if err := os.RemoveAll(d.dir); err != nil {
		return fmt.Errorf("removing a download: %w", err)
	}
	return nil
}

// Release implements sdk.Releaser: it removes the keys' downloads.
func (p *Provider) Release(_ context.Context, keys []string) error {
	if p.dir == "" {
		return p.problem
	}
	var errs []error
	for _, k := range keys {
		errs = append(errs, p.download(k).remove())
	}
	return errors.Join(errs...)
}

// Sweep implements sdk.Sweeper: it removes the downloads of runs that are no more.
func (p *Provider) Sweep(ctx context.Context, s sdk.Sweep) (int, error) {
	if p.dir == "" {
		return 0, p.problem
	}
	entries, err := os.ReadDir(p.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return 0, nil
	}
	if err != nil {
		return 0, fmt.Errorf("listing downloads: %w", err)
	}
	removed := 0
	for _, e := range entries {
		if ctx.Err() != nil {
			return removed, context.Cause(ctx)
		}
		d := download{filepath.Join(p.dir, e.Name())}
		if !d.orphaned(s) {
			continue
		}
		if err := d.remove(); err != nil {
			return removed, err
		}
		removed++
	}
	return removed, nil
}

// orphaned tells whether a download belongs to none of the live runs and is old enough.
func (d download) orphaned(s sdk.Sweep) bool {
	// A missing note is that of a download which begins just now, or whose beginning was cut off: the folder's age tells.
	owner, err := os.ReadFile(filepath.Join(d.dir, ownerFile))
	if err == nil && slices.Contains(s.LiveRuns, string(owner)) {
		return false
	}
	newest := time.Time{}
	for _, name := range []string{"", ownerFile, filepath.Join(contentFolder, "parts")} {
		if info, err := os.Stat(filepath.Join(d.dir, name)); err == nil && info.ModTime().After(newest) {
			newest = info.ModTime()
		}
	}
	return time.Since(newest) >= s.Grace.Std()
}
