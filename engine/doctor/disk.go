package doctor

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/containerpub/cpub/sdk"
)

// What is looked at of the machine.
const (
	nameState      = "state_folder"
	nameDiskSpace  = "disk_space"
	nameDiskInodes = "disk_inodes"
)

const (
	// tightSpace is where a step of ordinary size does not fit any more, smallSpace where a few larger ones fill the rest; in bytes.
	tightSpace = 256 << 20
	smallSpace = 2 << 30
	// fewInodes is less than one larger archive has files.
	fewInodes = 10_000
)

// disk looks at the folders in which the worker works.
func disk(state string) []Finding {
	found := stateFolder(state)
	seen := map[string]bool{}
	for _, dir := range []string{os.TempDir(), state} {
		if dir == "" || seen[dir] {
			continue
		}
		seen[dir] = true
		found = append(found, usage(GroupMachine, nameDiskSpace, nameDiskInodes, dir, dir)...)
	}
	return found
}

// stateFolder looks at the worker's own folder, which may belong to another user.
func stateFolder(dir string) []Finding {
	if dir == "" {
		return []Finding{fault(GroupMachine, nameState, "", "this user has no home, so that the worker has no folder of its own", "set HOME or XDG_STATE_HOME, or start cpub-worker with -state")}
	}
	info, err := os.Stat(dir)
	switch {
	case errors.Is(err, os.ErrNotExist):
		return []Finding{fine(GroupMachine, nameState, "", "%s is made when a worker first starts", dir)}
	case err != nil:
		return []Finding{warning(GroupMachine, nameState, "", err.Error(), "look as the worker's user")}
	case !info.IsDir():
		return []Finding{fault(GroupMachine, nameState, "", dir+" is no folder", "name another one: `cpub-worker -state DIR`")}
	case info.Mode().Perm()&0o022 != 0:
		return []Finding{fault(GroupMachine, nameState, "", fmt.Sprintf("others may change %s (%04o), where programs of providers lie that the worker starts", dir, info.Mode().Perm()),
			"`chmod go= "+dir+"`", sdk.Fix{Kind: sdk.FixMode, Path: dir, Mode: uint32(info.Mode().Perm() &^ 0o077)})}
	}
	return []Finding{fine(GroupMachine, nameState, "", "%s", dir)}
}

// usage looks at the room on the file system of a folder, or of the nearest one above it that is there.
func usage(group, spaceName, inodesName, subject, dir string) []Finding {
	for _, err := os.Stat(dir); err != nil && dir != filepath.Dir(dir); _, err = os.Stat(dir) {
		dir = filepath.Dir(dir)
	}
	u, err := usageOf(dir)
	if err != nil {
		return nil // not known on this system
	}
	return room(group, spaceName, inodesName, subject, dir, u)
}

// room judges what the file system of a folder has.
func room(group, spaceName, inodesName, subject, dir string, u space) []Finding {
	remedy := "free some, or give it more room: `du -xh --max-depth=1 " + dir + " | sort -h` tells what takes it"
	var found []Finding
	switch detail := fmt.Sprintf("%s has %s left", dir, amount(u.free)); {
	case u.free < tightSpace:
		found = append(found, fault(group, spaceName, subject, detail, remedy))
	case u.free < smallSpace:
		found = append(found, warning(group, spaceName, subject, detail, remedy))
	default:
		found = append(found, fine(group, spaceName, subject, "%s", detail))
	}
	if u.inodes == 0 { // a file system without a fixed number
		return found
	}
	if u.freeInodes < fewInodes {
		return append(found, fault(group, inodesName, subject, fmt.Sprintf("%s has %d inodes left, for as many files", dir, u.freeInodes),
			"remove files that nothing needs, or put it on a file system with more inodes"))
	}
	return append(found, fine(group, inodesName, subject, "%s has %d inodes left", dir, u.freeInodes))
}

// space is what a file system has; inodes are 0 where it does not count them.
type space struct{ free, inodes, freeInodes uint64 }

// amount writes bytes as people say them.
func amount(n uint64) string {
	for _, u := range []struct {
		name   string
		factor uint64
	}{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}} {
		if n >= u.factor {
			return fmt.Sprintf("%.1f %s", float64(n)/float64(u.factor), u.name)
		}
	}
	return fmt.Sprintf("%d KiB", n>>10)
}
