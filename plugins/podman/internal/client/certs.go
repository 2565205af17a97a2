package client

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/containerpub/cpub/sdk"
)

// certsPath is where Podman looks first for the CAs of registries, in the home of its user. No variable and no setting of the service
// names another folder.
var certsPath = []string{".config", "containers", "certs.d"}

// systemCerts are the folders that Podman looks into afterwards. Of all of them it takes the first that has the registry.
func systemCerts() []string { return []string{"/etc/containers/certs.d", "/etc/docker/certs.d"} }

// CertFolders are where a Podman whose user has that home looks for the CA of a registry, in this order.
func CertFolders(home, host string) []string {
	var folders []string
	for _, dir := range append([]string{filepath.Join(append([]string{home}, certsPath...)...)}, systemCerts()...) {
		folders = append(folders, filepath.Join(dir, host))
	}
	return folders
}

// withCerts gives a service of our own the CAs that worker.hcl names: a home of its own in dir, which leads to everything in the
// user's home but has these CAs too. Podman's store and settings stay the user's.
func withCerts(env []string, dir string, registries []sdk.Registry) ([]string, error) {
	home := variable(env, "HOME")
	own := filepath.Join(dir, "home")
	made := false
	for _, r := range registries {
		if r.CA == "" || r.Insecure {
			continue
		}
		if !made {
			if err := mirror(home, own, certsPath); err != nil {
				return nil, fmt.Errorf("making a home for Podman with the CAs of worker.hcl: %w", err)
			}
			made = true
		}
		if err := addCA(home, own, r); err != nil {
			return nil, fmt.Errorf("giving Podman the CA of registry %q: %w", r.Host, err)
		}
	}
	if !made {
		return env, nil
	}
	for _, v := range []struct{ name, path string }{
		{"XDG_CONFIG_HOME", ".config"}, {"XDG_DATA_HOME", ".local/share"}, {"XDG_CACHE_HOME", ".cache"},
	} {
		if variable(env, v.name) == "" {
			env = append(env, v.name+"="+filepath.Join(home, v.path))
		}
	}
	return append(env, "HOME="+own), nil
}

// mirror makes the folder to with links to everything in from, and does the same with the folders on the path below it.
func mirror(from, to string, path []string) error {
	if err := os.MkdirAll(to, 0o700); err != nil {
		return err
	}
	entries, err := os.ReadDir(from)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		if len(path) > 0 && e.Name() == path[0] {
			continue
		}
		if err := os.Symlink(filepath.Join(from, e.Name()), filepath.Join(to, e.Name())); err != nil {
			return err
		}
	}
	if len(path) == 0 {
		return nil
	}
	return mirror(filepath.Join(from, path[0]), filepath.Join(to, path[0]), path[1:])
}

// addCA gives a registry a folder of its own, with its CA and with what is in the folder that Podman would have taken.
func addCA(home, own string, r sdk.Registry) error {
	if r.Host != filepath.Base(r.Host) {
		return sdk.Permanentf("%q is not HOST or HOST:PORT", r.Host)
	}
	folder := CertFolders(own, r.Host)[0]
	if err := os.Remove(folder); err != nil && !errors.Is(err, fs.ErrNotExist) { // the link that mirror made
		return err
	}
	from := ""
	for _, dir := range CertFolders(home, r.Host) {
		if _, err := os.Stat(dir); err == nil {
			from = dir
			break
		}
	}
	if from == "" {
		from = folder // nothing to link to
	}
	if err := mirror(from, folder, nil); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(folder, "cpub-ca.crt"), []byte(r.CA), 0o600)
}
