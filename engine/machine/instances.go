package machine

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/containerpub/cpub/engine"
	"github.com/containerpub/cpub/engine/config"
	"github.com/containerpub/cpub/engine/host"
	"github.com/containerpub/cpub/sdk"
)

// Instances are worker.hcl's, their config blocks checked against what the providers say of themselves, which are started for a moment. What
// is wrong in a block is an *engine.DiagnosticsError. Scratch is a folder for what lasts as long as the call.
func (m *Machine) Instances(ctx context.Context, scratch string) ([]host.Instance, error) {
	var all []host.Instance
	infos := map[string]sdk.Info{}
	for _, p := range m.Worker.Providers {
		path, err := m.Binary(p)
		if err != nil {
			return nil, err
		}
		info, known := infos[path]
		if !known {
			if info, err = host.Describe(ctx, path, scratch); err != nil {
				return nil, err
			}
			infos[path] = info
		}
		settings, diags := p.DecodeConfig(info.Config)
		if diags.HasErrors() {
			return nil, &engine.DiagnosticsError{Diags: diags, Files: m.Worker.Files}
		}
		all = append(all, host.Instance{
			Provider: p.Name, Name: p.Instance, Path: path, SHA256: p.SHA256, MaxConcurrent: p.MaxConcurrent, Env: p.Env, Config: settings,
			Secrets: m.Worker.SecretsOf(p),
		})
	}
	return all, nil
}

// Binary is a provider's program: the one that worker.hcl names, or the one in the folders.
func (m *Machine) Binary(p config.Provider) (string, error) {
	if p.Path != "" {
		return p.Path, nil
	}
	folders, err := orBeside(m.Folders)
	if err != nil {
		return "", err
	}
	for _, dir := range folders {
		path := filepath.Join(dir, host.Prefix+p.Name)
		if _, err = os.Stat(path); err == nil {
			return path, nil
		}
	}
	return "", fmt.Errorf("finding provider %s: it has no path in worker.hcl, and there is none beside this program: %w", p.Name, err)
}

// orBeside are the folders, or the one of this program.
func orBeside(folders []string) ([]string, error) {
	if len(folders) > 0 {
		return folders, nil
	}
	dir, err := programDir()
	return []string{dir}, err
}
