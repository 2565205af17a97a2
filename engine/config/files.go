package config

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/containerpub/cpub/engine/eval"
)

// maxFiles is the most files that a module, or a fileset, may have.
const maxFiles = 1000

// maxEntries is the most that fileset looks at.
const maxEntries = 50_000

// readModule reads the source files of a folder, or the one file named. dir is the module's folder.
func readModule(ctx context.Context, name string) (dir string, files []eval.File, err error) {
	info, err := os.Stat(name)
	if err != nil {
		return "", nil, fmt.Errorf("reading pipelines: %w", err)
	}
	if !info.IsDir() {
		content, err := readSource(name)
		if err != nil {
			return "", nil, err
		}
		return filepath.Dir(name), []eval.File{{Path: filepath.Base(name), Content: content}}, nil
	}
	entries, err := os.ReadDir(name) // sorted
	if err != nil {
		return "", nil, fmt.Errorf("reading pipelines: %w", err)
	}
	for _, e := range entries {
		if err := ctx.Err(); err != nil {
			return "", nil, err
		}
		if e.IsDir() || !isSource(e.Name()) {
			continue
		}
		content, err := readSource(filepath.Join(name, e.Name()))
		if err != nil {
			return "", nil, err
		}
		files = append(files, eval.File{Path: e.Name(), Content: content})
		if len(files) > maxFiles {
			return "", nil, fmt.Errorf("%s has more than %d pipeline files", name, maxFiles)
		}
	}
	if len(files) == 0 {
		return "", nil, fmt.Errorf("there is no pipeline in %q: no file there ends in .hcl or .hcl.json", name)
	}
	return name, files, nil
}

// isSource tells a module's files from tests, the lock file and whatever else is hidden.
func isSource(name string) bool {
	if strings.HasPrefix(name, ".") || strings.HasSuffix(name, ".cpubtest.hcl") || strings.HasSuffix(name, ".cpubtest.hcl.json") {
		return false
	}
	return strings.HasSuffix(name, ".hcl") || strings.HasSuffix(name, ".hcl.json")
}

// readSource reads one file, and no more of it than shows that it is too large.
func readSource(name string) ([]byte, error) {
	f, err := os.Open(name)
	if err != nil {
		return nil, fmt.Errorf("reading pipelines: %w", err)
	}
	defer f.Close()
	content, err := io.ReadAll(io.LimitReader(f, eval.MaxFileSize+1))
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	return content, nil
}

// recorder reads files for file() and its kin, inside the module's folder only, and keeps what it read for the plan.
type recorder struct {
	root  *os.Root
	reads map[string][]byte
}

func newRecorder(dir string) (*recorder, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, fmt.Errorf("opening the module's folder: %w", err)
	}
	return &recorder{root: root, reads: map[string][]byte{}}, nil
}

func (r *recorder) close() { _ = r.root.Close() } // nothing was written

// ReadFile implements eval.Files. os.Root refuses what leads out of the folder, symbolic links included.
func (r *recorder) ReadFile(name string) ([]byte, error) {
	if b, ok := r.reads[name]; ok {
		return b, nil
	}
	info, err := r.root.Stat(name)
	if err != nil {
		return nil, fileError(name, err)
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%q is not a file", name)
	}
	if info.Size() > eval.MaxFileSize {
		return nil, fmt.Errorf("%q has %d bytes; a plan can hold files of %d. Fetch it in a step instead", name, info.Size(), eval.MaxFileSize)
	}
	b, err := r.root.ReadFile(name)
	if err != nil {
		return nil, fileError(name, err)
	}
	if len(b) > eval.MaxFileSize {
		return nil, fmt.Errorf("%q grew while it was read", name)
	}
	r.reads[name] = b
	return b, nil
}

func fileError(name string, err error) error {
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return fmt.Errorf("there is no file %q in the module's folder", name)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("%q may not be read", name)
	default:
		return fmt.Errorf("%q cannot be read: it leads out of the module's folder, or is no file", name)
	}
}

// FileSet implements eval.Files.
func (r *recorder) FileSet(dir, pattern string) ([]string, error) {
	key := eval.FileSetPath(dir, pattern)
	if b, ok := r.reads[key]; ok {
		var out []string
		return out, json.Unmarshal(b, &out)
	}
	if !doublestar.ValidatePattern(pattern) || strings.HasPrefix(pattern, "/") || slices.Contains(strings.Split(pattern, "/"), "..") {
		return nil, fmt.Errorf("%q is not a pattern of files inside the folder: use *, ?, [abc] and **", pattern)
	}
	found, seen := []string{}, 0
	err := fs.WalkDir(r.root.FS(), dir, func(p string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if seen++; seen > maxEntries {
			return fmt.Errorf("it has more than %d entries", maxEntries)
		}
		rel := strings.TrimPrefix(strings.TrimPrefix(p, dir), "/")
		if dir == "." {
			rel = p
		}
		if match, _ := doublestar.Match(pattern, rel); match && d.Type().IsRegular() {
			found = append(found, path.Clean(rel))
		}
		if len(found) > maxFiles {
			return fmt.Errorf("it matches more than %d files", maxFiles)
		}
		return nil
	})
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("there is no folder %q in the module's folder", dir)
	}
	if err != nil {
		return nil, fmt.Errorf("listing %q: %w", dir, err)
	}
	slices.Sort(found)
	b, err := json.Marshal(found)
	if err != nil {
		return nil, err
	}
	r.reads[key] = b
	return found, nil
}
