// Package provider serves the step type archive_extract.
package provider

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/contract"
)

// Version is the provider's version.
const Version = "0.1.0"

// Provider unpacks archives. It needs nothing but the folders that its host gives it.
type Provider struct{}

// New makes the provider.
func New() *Provider { return &Provider{} }

// Info implements sdk.Provider.
func (p *Provider) Info() sdk.Info {
	extract := contract.ArchiveExtract()
	return sdk.Info{
		Name:    "archive",
		Version: Version,
		Steps: []sdk.StepType{
			// Pure, so that its cached is the host's to tell.
			{Name: extract.Name, Doc: extract.Doc, Input: extract.Input, Output: extract.Output, Pure: true, Run: runExtract},
		},
	}
}

// Configure implements sdk.Provider. There is nothing to configure.
func (p *Provider) Configure(context.Context, sdk.Configuration) (string, error) { return "", nil }

// findingLinks is what Check looks at.
const findingLinks = "archive_links"

// Check implements sdk.Checker: can links be made where archives are unpacked?
func (p *Provider) Check(context.Context) ([]sdk.Finding, error) {
	if err := tryLinks(); err != nil {
		return []sdk.Finding{{ //nolint:nilerr // a finding is how it is told
			Name: findingLinks, Detail: "archives with links cannot be unpacked: " + err.Error(),
			Remedy: "let TMPDIR name a folder on a file system with hard and symbolic links",
		}}, nil
	}
	return []sdk.Finding{{Name: findingLinks, OK: true, Detail: "files, hard links and symbolic links can be made"}}, nil
}

func tryLinks() (err error) {
	dir, err := os.MkdirTemp("", "check-*")
	if err != nil {
		return fmt.Errorf("making a folder: %w", err)
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	root, err := os.OpenRoot(dir)
	if err != nil {
		return fmt.Errorf("opening a folder: %w", err)
	}
	defer func() { err = errors.Join(err, root.Close()) }()
	if err := root.WriteFile("file", []byte("x"), 0o600); err != nil {
		return fmt.Errorf("writing a file: %w", err)
	}
	return errors.Join(root.Link("file", "hard"), root.Symlink("file", "symbolic"))
}
