package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/containerpub/cpub/cmd/cpub/internal/catalog"
	"github.com/containerpub/cpub/engine/host"
	"github.com/containerpub/cpub/sdk"
)

// loadCatalog finds the step types of this machine: in the folders that CPUB_PROVIDERS lists, or beside this binary.
func loadCatalog(ctx context.Context, c *stdio) (*catalog.Catalog, error) {
	folders := filepath.SplitList(c.getenv("CPUB_PROVIDERS"))
	if len(folders) == 0 {
		self, err := os.Executable()
		if err != nil {
			return nil, fmt.Errorf("finding the providers beside this program: %w", err)
		}
		if self, err = filepath.EvalSymlinks(self); err != nil {
			return nil, fmt.Errorf("finding the providers beside this program: %w", err)
		}
		folders = []string{filepath.Dir(self)}
	}
	cache := ""
	if dir, err := os.UserCacheDir(); err == nil { // without a home nothing is kept
		cache = filepath.Join(dir, "cpub", "providers")
	}
	return catalog.Load(ctx, catalog.Options{Folders: folders, Cache: cache, Describe: describe})
}

// describe asks one provider, in a folder of its own.
func describe(ctx context.Context, path string) (info sdk.Info, err error) {
	dir, err := os.MkdirTemp("", "cpub-describe-")
	if err != nil {
		return sdk.Info{}, fmt.Errorf("making a folder for it: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	return host.Describe(ctx, path, dir)
}
