package client

import (
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strings"
)

// systemPath are the folders where podman and what it starts (conmon, the OCI runtime, newuidmap) are installed.
const systemPath = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"

// environment is that of a service of our own: this process's, in which the host leaves only what worker.hcl names, and what
// Podman cannot do without.
func environment(own []string) []string {
	// With these, even empty, Podman would be a client and serve nothing.
	env := slices.DeleteFunc(slices.Clone(own), func(v string) bool {
		return strings.HasPrefix(v, "CONTAINER_HOST=") || strings.HasPrefix(v, "CONTAINER_CONNECTION=")
	})
	add := func(name, value string) {
		if value != "" && variable(env, name) == "" {
			env = append(env, name+"="+value)
		}
	}
	add("PATH", systemPath)
	if u, err := user.Current(); err == nil {
		add("HOME", u.HomeDir)
		add("USER", u.Username)
	}
	if uid := os.Getuid(); uid != 0 {
		add("XDG_RUNTIME_DIR", runtimeDir(uid))
	}
	return env
}

// runtimeDir is where logind keeps the user's sockets; empty where it does not: Podman then makes a folder of its own.
func runtimeDir(uid int) string {
	dir := fmt.Sprintf("/run/user/%d", uid)
	if info, err := os.Stat(dir); err != nil || !info.IsDir() {
		return ""
	}
	return dir
}

// variable is the value that counts in an environment: the last one.
func variable(env []string, name string) (value string) {
	for _, v := range env {
		if v, ok := strings.CutPrefix(v, name+"="); ok {
			value = v
		}
	}
	return value
}

// lookPath is exec.LookPath with the PATH of that environment.
func lookPath(program string, env []string) (string, error) {
	if strings.ContainsRune(program, filepath.Separator) {
		return exec.LookPath(program)
	}
	path := variable(env, "PATH")
	for _, dir := range filepath.SplitList(path) {
		if !filepath.IsAbs(dir) {
			continue // the provider's working directory is nobody's choice
		}
		if found, err := exec.LookPath(filepath.Join(dir, program)); err == nil {
			return found, nil
		}
	}
	return "", fmt.Errorf("%s: %w (%s)", program, exec.ErrNotFound, path)
}
