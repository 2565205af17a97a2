// Package scaffold writes the files of a new pipeline folder.
package scaffold

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
)

//go:embed folder
var folder embed.FS

// ErrExists is returned by Write where a file would be overwritten.
var ErrExists = errors.New("it would be overwritten")

// File is a file of a new folder; Path is relative to it, with slashes.
type File struct {
	Path    string
	Content []byte
}

// Files gives the files of a folder of that name, sorted by path.
func Files(name string) ([]File, error) {
	pipeline := identifier(name)
	replace := strings.NewReplacer("PIPELINE", pipeline, "IMAGE", strings.Trim(strings.ReplaceAll(pipeline, "_", "-"), "-"), "TITLE", name)
	var out []File
	err := fs.WalkDir(folder, "folder", func(p string, d fs.DirEntry, err error) error {
		if err != nil || d.IsDir() {
			return err
		}
		content, err := folder.ReadFile(p)
		if err != nil {
			return err
		}
		rel := strings.TrimPrefix(p, "folder/")
		if path.Base(rel) == "gitignore" { // as .gitignore it would hold for this folder
			rel = path.Join(path.Dir(rel), ".gitignore")
		}
		out = append(out, File{Path: rel, Content: []byte(replace.Replace(string(content)))})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("reading the example: %w", err)
	}
	slices.SortFunc(out, func(a, b File) int { return strings.Compare(a.Path, b.Path) })
	return out, nil
}

// identifier makes a pipeline's name of a folder's: lower-case letters, digits and single underscores.
func identifier(name string) string {
	var b strings.Builder
	for _, r := range strings.ToLower(name) {
		switch {
		case r >= 'a' && r <= 'z', r >= '0' && r <= '9':
			b.WriteRune(r)
		case b.Len() > 0 && !strings.HasSuffix(b.String(), "_"):
			b.WriteByte('_')
		}
		if b.Len() == maxName {
			break
		}
	}
	id := strings.Trim(b.String(), "_")
	if id == "" || id[0] >= '0' && id[0] <= '9' {
		id = strings.TrimSuffix("pipeline_"+id, "_")
	}
	return id
}

// maxName keeps names short enough for everything that is called after them.
const maxName = 40

// Write writes files into a folder, which is made if there is none. It returns ErrExists, and has written nothing, where one is there already.
func Write(dir string, files []File) error {
	for _, f := range files {
		name := filepath.Join(dir, filepath.FromSlash(f.Path))
		if _, err := os.Lstat(name); err == nil {
			return fmt.Errorf("%s is there already: %w", name, ErrExists)
		} else if !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("looking for %s: %w", name, err)
		}
	}
	for _, f := range files {
		if err := write(filepath.Join(dir, filepath.FromSlash(f.Path)), f.Content); err != nil {
			return err
		}
	}
	return nil
}

func write(name string, content []byte) (err error) {
	if err := os.MkdirAll(filepath.Dir(name), 0o755); err != nil {
		return fmt.Errorf("making the folder: %w", err)
	}
	f, err := os.OpenFile(name, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s is there already: %w", name, ErrExists)
	}
	if err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	defer func() {
		if closed := f.Close(); err == nil && closed != nil {
			err = fmt.Errorf("writing %s: %w", name, closed)
		}
	}()
	if _, err := f.Write(content); err != nil {
		return fmt.Errorf("writing %s: %w", name, err)
	}
	return nil
}
