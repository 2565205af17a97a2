package doctor

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Host is the files of a machine: below a folder, so that tests make up machines.
type Host struct {
	// Root is "/" for the real one.
	Root string
	// Usage looks at the file system that a path lies on.
	Usage func(path string) (Usage, error)
	// Copies are the texts of another machine's files, by name: then there are no others. Nil for this machine.
	Copies map[string]string
}

// Usage is what a file system has.
type Usage struct {
	Free, Size uint64 // bytes, for a user without privileges
	// Inodes are 0 where the file system does not count them.
	FreeInodes, Inodes uint64
}

func (h *Host) path(name string) string { return filepath.Join(h.Root, name) }

// Exists tells whether there is such a file.
func (h *Host) Exists(name string) bool {
	if h.Copies != nil {
		_, ok := h.Copies[name]
		return ok
	}
	_, err := os.Stat(h.path(name))
	return err == nil
}

// bytes reads a file.
func (h *Host) bytes(name string) ([]byte, error) {
	if h.Copies == nil {
		return os.ReadFile(h.path(name))
	}
	text, ok := h.Copies[name]
	if !ok {
		return nil, &fs.PathError{Op: "open", Path: name, Err: fs.ErrNotExist}
	}
	return []byte(text), nil
}

// Read gives a file's text without white space at its ends; empty for one that cannot be read.
func (h *Host) Read(name string) string {
	b, err := h.bytes(name)
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(b))
}

// Lines gives the lines of a file; none of one that is not there.
func (h *Host) Lines(name string) ([]string, error) {
	b, err := h.bytes(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var lines []string
	for line := range strings.Lines(string(b)) {
		if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
			lines = append(lines, line)
		}
	}
	return lines, nil
}

// Find looks for a program in folders; empty: it is in none.
func (h *Host) Find(program string, folders ...string) string {
	for _, dir := range folders {
		name := filepath.Join(dir, program)
		if info, err := os.Stat(h.path(name)); err == nil && info.Mode().IsRegular() && info.Mode()&0o111 != 0 {
			return name
		}
	}
	return ""
}

// UsageOf looks at the file system of a path, or of the nearest folder above it that is there.
func (h *Host) UsageOf(name string) (Usage, error) {
	for !h.Exists(name) && name != "/" && name != "." {
		name = filepath.Dir(name)
	}
	return h.Usage(h.path(name))
}

// programFolders are where programs are that everybody calls, helperFolders where those are that Podman alone does.
func programFolders(path string) []string {
	if path == "" {
		path = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
	}
	return filepath.SplitList(path)
}

func helperFolders() []string {
	return []string{"/usr/local/libexec/podman", "/usr/local/lib/podman", "/usr/libexec/podman", "/usr/lib/podman", "/usr/libexec", "/usr/bin", "/bin"}
}
