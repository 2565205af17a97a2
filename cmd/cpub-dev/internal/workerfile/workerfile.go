// Package workerfile writes the worker.hcl of cpub-dev's worker, and leaves it
// alone once a person has changed it.
package workerfile

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/containerpub/cpub/engine/config"
)

// header tells a reader whose file it is.
const header = `# Written by cpub-dev, for its own worker, at every start. Once you change this
# file it is yours, and is left as it is; remove it to have it written again.

`

// Write writes the file into dir, readable by its owner since it holds a
// secret, and returns its path. A file that somebody else has changed since is
// kept; kept tells.
func Write(dir string, m config.Machine) (path string, kept bool, err error) {
	path = filepath.Join(dir, "worker.hcl")
	sum := filepath.Join(dir, ".worker.hcl.sum") // of what was written last
	if kept, err = changed(path, sum); kept || err != nil {
		return path, kept, err
	}
	content, err := m.WorkerFile()
	if err != nil {
		return path, false, err
	}
	content = append([]byte(header), content...)
	// The sum comes first: an interruption between the two leaves the file
	// to be taken for a changed one, never a changed one overwritten.
	if err := replace(sum, []byte(digest(content))); err != nil {
		return path, false, err
	}
	return path, false, replace(path, content)
}

// changed reports whether there is a file that is not what was written last.
func changed(path, sum string) (bool, error) {
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, fmt.Errorf("reading the worker's configuration: %w", err)
	}
	written, err := os.ReadFile(sum)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return false, fmt.Errorf("reading the worker's configuration: %w", err)
	}
	return strings.TrimSpace(string(written)) != digest(content), nil
}

// digest is how two contents are compared.
func digest(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// replace writes a file whole or not at all.
func replace(path string, content []byte) error {
	if err := os.WriteFile(path+".new", content, 0o600); err != nil {
		return fmt.Errorf("writing the worker's configuration: %w", err)
	}
	if err := os.Rename(path+".new", path); err != nil {
		return fmt.Errorf("writing the worker's configuration: %w", err)
	}
	return nil
}
