package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/containerpub/cpub/cmd/cpub/internal/catalog"
	"github.com/containerpub/cpub/engine/host"
	"github.com/containerpub/cpub/sdk"
)

// loadCatalog finds the step types of this machine: in the folders that CPUB_PROVIDERS lists, or beside this binary.
func loadCatalog(ctx context.Context, c *stdio) (*catalog.Catalog, error) {
	folders, err := providerFolders(c)
	if err != nil {
		return nil, err
	}
	cache := ""
	if dir, err := os.UserCacheDir(); err == nil { // without a home nothing is kept
		cache = filepath.Join(dir, "cpub", "providers")
	}
	return catalog.Load(ctx, catalog.Options{Folders: folders, Cache: cache, Describe: describe})
}

// providerFolders are where providers are looked for.
func providerFolders(c *stdio) ([]string, error) {
	if folders := filepath.SplitList(c.getenv("CPUB_PROVIDERS")); len(folders) > 0 {
		return folders, nil
	}
	self, err := os.Executable()
	if err == nil {
		self, err = filepath.EvalSymlinks(self)
	}
	if err != nil {
		return nil, fmt.Errorf("finding the providers beside this program: %w", err)
	}
	return []string{filepath.Dir(self)}, nil
}

// describe asks one provider, in a folder of its own.
func describe(ctx context.Context, path string) (sdk.Info, error) {
	dir, remove, err := tempDir()
	if err != nil {
		return sdk.Info{}, err
	}
	defer remove()
	return host.Describe(ctx, path, dir)
}

// tempDir is a private folder for as long as a call lasts.
func tempDir() (dir string, remove func(), err error) {
	dir, err = os.MkdirTemp("", "cpub-")
	if err != nil {
		return "", nil, fmt.Errorf("making a temporary folder: %w", err)
	}
	return dir, func() { _ = os.RemoveAll(dir) }, nil
}
