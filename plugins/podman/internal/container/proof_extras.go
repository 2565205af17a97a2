package container

import (
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/containers/podman/v5/libpod/define"
)

// proveExtras reads back what was asked for beside the limits that every container has, before the user's code starts. It costs nothing where
// nothing of it was asked for.
func (a *run) proveExtras(ctx context.Context, state *inspected, info *define.Info) error {
	in := a.in
	asksUserns, asksProfile := in.Userns == "keep-id" || in.Userns == "nomap", in.Seccomp != seccompDefault && in.Seccomp != seccompUnconfined
	if len(in.Ulimits) == 0 && len(in.Mount) == 0 && len(in.SELinux) == 0 && !asksUserns && !asksProfile {
		return nil
	}
	host, err := a.Client.Host()
	if err != nil {
		return unenforced("its isolation cannot be read back: %s", "run the worker on the machine that Podman runs on", err.Error())
	}
	dir := fmt.Sprintf("/proc/%d/", state.pid)
	names := []string{dir + "limits", dir + "mountinfo", dir + "uid_map"}
	if len(in.SELinux) > 0 {
		names = append(names, dir+"attr/current")
	}
	got := host.ReadFiles(ctx, names...)
	for _, c := range got {
		if c.Err != nil {
			return unenforced("its isolation cannot be read back: %s", remedyFor(info), c.Err.Error())
		}
	}
	bad := append(in.wrongUlimits(string(got[0].Data)), in.wrongMounts(string(got[1].Data))...)
	if asksUserns {
		bad = append(bad, wrongUserns(in.Userns, string(got[2].Data), serviceUID(info))...)
	}
	if asksProfile {
		told, err := orders(ctx, host, state)
		if err != nil {
			return unenforced("its isolation cannot be read back: %s", remedyFor(info), err.Error())
		}
		bad = append(bad, wrongProfile(in.Seccomp, told)...)
	}
	if len(in.SELinux) > 0 {
		bad = append(bad, wrongLabel(in.SELinux, string(got[3].Data))...)
	}
	if len(bad) > 0 {
		return notIsolated(bad, info)
	}
	return nil
}

// wrongUlimits compares /proc/PID/limits with what was asked for.
func (in Input) wrongUlimits(limits string) (bad []string) {
	asked, err := in.ulimits()
	if err != nil {
		return []string{err.Error()}
	}
	for _, l := range asked {
		soft, hard := limitOf(limits, limitNames()[l.Type])
		if want := [2]string{limitText(l.Soft), limitText(l.Hard)}; soft != want[0] || hard != want[1] {
			bad = append(bad, fmt.Sprintf("ulimit %s (asked %s:%s, is %s:%s)", l.Type, want[0], want[1], soft, hard))
		}
	}
	return bad
}

// limitOf gives the soft and the hard limit of a name, as /proc/PID/limits writes them.
func limitOf(limits, name string) (soft, hard string) {
	for line := range strings.Lines(limits) {
		rest, ok := strings.CutPrefix(line, name+" ")
		if f := strings.Fields(rest); ok && len(f) >= 2 {
			return f[0], f[1]
		}
	}
	return "unknown", "unknown"
}

// wrongMounts compares /proc/PID/mountinfo with what was to be mounted.
func (in Input) wrongMounts(mountinfo string) (bad []string) {
	options := map[string][]string{}
	for line := range strings.Lines(mountinfo) {
		if f := strings.Fields(line); len(f) > 5 {
			options[unescape(f[4])] = strings.Split(f[5], ",") // the last one mounted is on top
		}
	}
	for _, m := range in.Mount {
		have, there := options[m.Path]
		switch {
		case !there && m.Artifact != nil && !slices.Contains(options["/"], "rw"):
			// A file of which there is a copy in the root, which is read-only.
		case !there:
			bad = append(bad, fmt.Sprintf("mount %s (asked one, is none)", m.Path))
		case m.readOnly() && !slices.Contains(have, "ro"):
			bad = append(bad, fmt.Sprintf("mount %s (asked read-only, is writable)", m.Path))
		}
	}
	return bad
}

// unescape gives a path of mountinfo, which has blanks and the like as octal numbers.
func unescape(s string) string {
	for _, c := range []byte(" \t\n\\") {
		s = strings.ReplaceAll(s, fmt.Sprintf("\\%03o", c), string(c))
	}
	return s
}

// serviceUID is the user on the host that Podman runs as; 0 for a rootful one.
func serviceUID(info *define.Info) int {
	if ids := info.Host.IDMappings.UIDMap; info.Host.Security.Rootless && len(ids) > 0 {
		return ids[0].HostID
	}
	return 0
}

// wrongUserns compares /proc/PID/uid_map, whose second numbers are the host's, with the mode that was asked for: keep-id has Podman's own user
// under its own number, nomap does not have it at all.
func wrongUserns(mode, uidMap string, uid int) []string {
	inside, mapped := insideOf(uidMap, uid)
	switch {
	case mode == "keep-id" && (!mapped || inside != uid):
		return []string{fmt.Sprintf("userns (asked keep-id, is one where the user %d has another number, or none)", uid)}
	case mode == "nomap" && mapped:
		return []string{fmt.Sprintf("userns (asked nomap, is one with the user %d in it)", uid)}
	}
	return nil
}

// insideOf gives the number that an id of the host has in a namespace.
func insideOf(idMap string, id int) (inside int, mapped bool) {
	for line := range strings.Lines(idMap) {
		var n [3]int
		f := strings.Fields(line)
		if len(f) != len(n) {
			continue
		}
		for i := range n {
			n[i], _ = strconv.Atoi(f[i]) // the kernel writes numbers
		}
		if id >= n[1] && id < n[1]+n[2] {
			return n[0] + id - n[1], true
		}
	}
	return 0, false
}

// wrongLabel compares an SELinux label, user:role:type:level, with the options that were asked for.
func wrongLabel(options []string, label string) (bad []string) {
	label = strings.TrimRight(strings.TrimSpace(label), "\x00")
	parts := strings.SplitN(label, ":", 4)
	for _, o := range options {
		kind, value, _ := strings.Cut(o, ":")
		i := slices.Index([]string{"user", "role", "type", "level"}, kind)
		if i >= 0 && (i >= len(parts) || parts[i] != value) {
			bad = append(bad, fmt.Sprintf("SELinux label (asked %s, is %s)", o, label))
		}
	}
	return bad
}
