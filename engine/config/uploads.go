package config

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/containerpub/cpub/engine/eval"
	"github.com/containerpub/cpub/sdk"
)

// Upload is a local file or folder that a plan names with artifact(): it must be in the store when a run starts.
type Upload struct {
	// Path is where it lies on this machine.
	Path     string
	Artifact sdk.Artifact
}

// Uploads gives what the module's plans and schedules name with artifact(), and those of the modules that it calls, each once, sorted by path.
func (m *Module) Uploads() ([]Upload, error) {
	all := map[string]Upload{}
	if err := m.addUploads(all); err != nil {
		return nil, err
	}
	var out []Upload
	for _, p := range slices.Sorted(maps.Keys(all)) {
		out = append(out, all[p])
	}
	return out, nil
}

func (m *Module) addUploads(all map[string]Upload) error {
	for _, read := range slices.Concat(m.reads, m.scheduled) {
		name, ok := strings.CutPrefix(read.Path, "artifact(")
		if !ok {
			continue
		}
		var file string
		if err := json.Unmarshal([]byte(strings.TrimSuffix(name, ")")), &file); err != nil {
			return fmt.Errorf("reading %s of a plan: %w", read.Path, err)
		}
		u := Upload{Path: filepath.Join(m.Dir, filepath.FromSlash(file))}
		if err := json.Unmarshal(read.Content, &u.Artifact); err != nil {
			return fmt.Errorf("reading %s of a plan: %w", read.Path, err)
		}
		all[u.Path] = u
	}
	for _, name := range slices.Sorted(maps.Keys(m.sources)) {
		if err := m.sources[name].addUploads(all); err != nil {
			return err
		}
	}
	return nil
}

// Artifact implements eval.Files: it takes the digest, and leaves the upload to who starts a run.
func (r *recorder) Artifact(name string) ([]byte, error) {
	key := eval.ArtifactPath(name)
	if b, ok := r.reads[key]; ok {
		return b, nil
	}
	info, err := r.root.Stat(name)
	if err != nil {
		return nil, fileError(name, err)
	}
	a := sdk.Artifact{Name: path.Base(name), MediaType: sdk.MediaTypeBytes}
	hash := sha256.New()
	counted := &counter{w: hash}
	switch {
	case info.IsDir():
		a.MediaType = sdk.MediaTypeDirectory
		err = r.packFolder(counted, name)
	case info.Mode().IsRegular():
		err = r.copyFile(counted, name)
	default:
		err = fmt.Errorf("%q is neither a file nor a folder", name)
	}
	if err != nil {
		return nil, err
	}
	a.Digest, a.Size = "sha256:"+hex.EncodeToString(hash.Sum(nil)), counted.n
	b, err := json.Marshal(a)
	if err != nil {
		return nil, fmt.Errorf("describing %q: %w", name, err)
	}
	r.reads[key] = b
	return b, nil
}

func (r *recorder) copyFile(w io.Writer, name string) error {
	f, err := r.root.Open(name)
	if err != nil {
		return fileError(name, err)
	}
	defer f.Close()
	if _, err := io.Copy(w, f); err != nil {
		return fmt.Errorf("reading %q: %w", name, err)
	}
	return nil
}

func (r *recorder) packFolder(w io.Writer, name string) error {
	dir, err := r.root.OpenRoot(name)
	if err != nil {
		return fileError(name, err)
	}
	defer dir.Close()
	if err := sdk.WriteTar(w, dir); err != nil {
		return fmt.Errorf("reading %q: %w", name, err)
	}
	return nil
}

// OpenUpload opens the folder that an upload is, or that holds the file that it is; then name is the file's.
func OpenUpload(u Upload) (root *os.Root, name string, err error) {
	dir := u.Path
	if u.Artifact.MediaType != sdk.MediaTypeDirectory {
		dir, name = filepath.Split(u.Path)
	}
	root, err = os.OpenRoot(filepath.Clean(dir))
	if err != nil {
		return nil, "", fmt.Errorf("opening %s: %w", u.Path, err)
	}
	return root, name, nil
}

// counter counts what is written through it.
type counter struct {
	w io.Writer
	n int64
}

func (c *counter) Write(p []byte) (int, error) {
	n, err := c.w.Write(p)
	c.n += int64(n)
	return n, err
}
