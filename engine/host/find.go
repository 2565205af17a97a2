package host

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Prefix is what the names of provider binaries begin with.
const Prefix = "cpub-provider-"

// Binary is a provider's binary, called by its file's name alone: nothing of it was started.
type Binary struct {
	// Name is the provider's, such as "podman".
	Name string
	Path string
}

// Find lists the provider binaries in the folders, sorted by name in each one. Of those with one name the first counts, and a folder that
// does not exist is empty.
func Find(folders ...string) ([]Binary, error) {
	var found []Binary
	seen := map[string]bool{}
	for _, folder := range folders {
		entries, err := os.ReadDir(folder)
		if err != nil && !os.IsNotExist(err) {
			return nil, fmt.Errorf("looking for providers: %w", err)
		}
		for _, e := range entries {
			path := filepath.Join(folder, e.Name())
			name, ok := strings.CutPrefix(strings.TrimSuffix(e.Name(), ".exe"), Prefix)
			if !ok || name == "" || seen[name] || !executable(path) {
				continue
			}
			seen[name] = true
			found = append(found, Binary{Name: name, Path: path})
		}
	}
	return found, nil
}

// executable tells whether path is a program, as far as its name and mode say.
func executable(path string) bool {
	info, err := os.Stat(path)
	if err != nil || !info.Mode().IsRegular() {
		return false
	}
	extension := filepath.Ext(path)
	return extension == ".exe" || extension == "" && info.Mode()&0o111 != 0
}
