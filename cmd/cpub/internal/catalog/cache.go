package catalog

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/containerpub/cpub/sdk"
)

// cacheFormat is the version of the files in the cache: other versions are not seen.
const cacheFormat = "v1"

// describe takes a binary's description from the cache, or from the binary. The cache only saves time: what goes wrong with it is
// no error.
func (o Options) describe(ctx context.Context, path string) (*Provider, error) {
	sum, err := checksum(path)
	if err != nil {
		return nil, err
	}
	p := &Provider{}
	file := filepath.Join(o.Cache, cacheFormat, sum+".json")
	if o.Cache != "" && read(file, p) == nil && p.SHA256 == sum {
		p.Path = path
		return p, nil
	}
	info, err := o.Describe(ctx, path)
	if err != nil {
		return nil, err
	}
	p = newProvider(path, sum, info)
	if o.Cache != "" {
		_ = write(file, p)
	}
	return p, nil
}

func newProvider(path, sum string, info sdk.Info) *Provider {
	p := &Provider{Path: path, SHA256: sum, Name: info.Name, Version: info.Version, Config: info.Config}
	for _, s := range info.Steps {
		step := Step{Name: s.Name, Doc: s.Doc}
		step.Input, step.Output = s.Input, s.Output
		p.Steps = append(p.Steps, step)
	}
	return p
}

// checksum is a file's sha256, in hex.
func checksum(path string) (string, error) {
	f, err := os.Open(path)
	if err != nil {
		return "", fmt.Errorf("reading it: %w", err)
	}
	defer f.Close()
	h := sha256.New()
	if _, err := io.Copy(h, f); err != nil {
		return "", fmt.Errorf("reading it: %w", err)
	}
	return hex.EncodeToString(h.Sum(nil)), nil
}

func read(path string, v any) error {
	data, err := os.ReadFile(path)
	if err != nil {
		return err
	}
	return json.Unmarshal(data, v)
}

// write puts a whole file in place, or none.
func write(path string, v any) error {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	f, err := os.CreateTemp(filepath.Dir(path), ".new-*")
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if closeErr := f.Close(); err == nil {
		err = closeErr
	}
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}
