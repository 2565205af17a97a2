package doctor

import (
	"fmt"
	"os"
	"strconv"
	"strings"

	"github.com/containerpub/cpub/sdk"
)

// The least that a service's limits should be: ten containers at a time take some hundred files and processes of it.
const (
	leastFiles = 4096
	leastProcs = 4096
)

// rlimits tells whether the service may open as many files, and have as many processes, as containers at a time take.
func rlimits(f *Facts) []sdk.Finding {
	if f.Rlimits == "" {
		return nil
	}
	files, procs := hardLimit(f.Rlimits, "Max open files"), hardLimit(f.Rlimits, "Max processes")
	var low []string
	if files >= 0 && files < leastFiles {
		low = append(low, fmt.Sprintf("%d open files", files))
	}
	if procs >= 0 && procs < leastProcs {
		low = append(low, fmt.Sprintf("%d processes", procs))
	}
	if len(low) > 0 {
		return warning(fmt.Sprintf("the service may have %s at most: several containers at a time may fail to start", strings.Join(low, " and ")),
			fmt.Sprintf("raise the limits of the service: `LimitNOFILE=1048576` and `LimitNPROC=infinity` in the section [Service] of its unit, "+
				"or `ulimit -Hn %d` and `ulimit -Hu %d` before it is started; then start it again", 1<<20, 1<<15))
	}
	return fine("the service may have as many open files and processes as containers take")
}

// hardLimit reads a line of /proc/PID/limits: name, soft limit, hard limit, unit. -1: there is none.
func hardLimit(text, name string) int {
	for line := range strings.Lines(text) {
		rest, ok := strings.CutPrefix(line, name)
		if fields := strings.Fields(rest); ok && len(fields) >= 2 {
			if n, err := strconv.Atoi(fields[1]); err == nil {
				return n
			}
		}
	}
	return -1
}

// runtimeDir tells whether a rootless Podman has the folder that it keeps its sockets and states in.
func runtimeDir(f *Facts) []sdk.Finding {
	if f.Host == nil || !f.rootless() {
		return nil
	}
	dir := f.runtimeFolder()
	make := fmt.Sprintf("give the user a session that lasts: `loginctl enable-linger %s`", f.User)
	if !f.systemd() {
		make = fmt.Sprintf("as root: `install -d -m 700 -o %s %s`", f.User, dir)
	}
	info, err := os.Stat(f.Host.path(dir))
	if err != nil || !info.IsDir() {
		return fault(dir+", the folder of the user's sockets (XDG_RUNTIME_DIR), is not there: Podman keeps the state of containers in /tmp, where it outlives a reboot", make)
	}
	if uid, ok := ownerOf(f.Host.path(dir)); ok && uid != f.User.UID {
		return fault(fmt.Sprintf("%s belongs to uid %d, and not to %s", dir, uid, f.User), fmt.Sprintf("as root: `chown %s %s`", f.User, dir))
	}
	if info.Mode().Perm()&0o066 != 0 { // Podman itself lets others through, for user namespaces
		return fault(fmt.Sprintf("%s is open to other users (%04o): so is Podman's socket", dir, info.Mode().Perm()), "`chmod 700 "+dir+"`",
			sdk.Fix{Kind: sdk.FixMode, Path: dir, Mode: 0o700})
	}
	return fine("%s is the user's own", dir)
}

// linger tells whether the containers of a rootless Podman outlive the user's session.
func linger(f *Facts) []sdk.Finding {
	if !f.rootless() || !f.systemd() {
		return nil
	}
	if f.Host.Exists("/var/lib/systemd/linger/" + f.User.Name) {
		return fine("systemd keeps %s's services without a session", f.User)
	}
	return warning(fmt.Sprintf("when %s's last session ends, systemd ends the Podman service and its containers", f.User), fmt.Sprintf("`loginctl enable-linger %s`", f.User))
}
