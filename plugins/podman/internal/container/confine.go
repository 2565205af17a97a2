package container

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/containers/podman/v5/libpod/define"
	spec "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/containerpub/cpub/sdk"
)

// The values of seccomp that are no profile.
const (
	seccompDefault    = "default"
	seccompUnconfined = "unconfined"
)

func (in Input) checkConfinement() error {
	if in.Seccomp != seccompDefault && in.Seccomp != seccompUnconfined {
		if err := checkProfile(in.Seccomp); err != nil {
			return sdk.Invalidf("seccomp", "%w", err)
		}
	}
	for _, o := range in.SELinux {
		if kind, value, ok := strings.Cut(o, ":"); o != "disable" && (!ok || value == "" || !slices.Contains([]string{"user", "role", "type", "level"}, kind)) {
			return sdk.Invalidf("selinux", "%q is no option: there are user:, role:, type: and level:, each with a value, and disable", o)
		}
	}
	_, err := in.ulimits()
	return err
}

// seccompRules are what decides of a profile, in an author's as in what the OCI runtime is told.
type seccompRules struct {
	DefaultAction string `json:"defaultAction"`
	Syscalls      []struct {
		Names  []string `json:"names"`
		Action string   `json:"action"`
		// Rules with conditions are Podman's to translate.
		Includes, Excludes map[string]any
	} `json:"syscalls"`
}

// wrongProfile compares what the OCI runtime is told with the author's profile: the default, and every rule that has no conditions.
func wrongProfile(profile string, config []byte) []string {
	var asked seccompRules
	var told struct {
		Linux struct{ Seccomp *seccompRules }
	}
	if err := errors.Join(json.Unmarshal([]byte(profile), &asked), json.Unmarshal(config, &told)); err != nil {
		return []string{"seccomp (what the OCI runtime was told cannot be read: " + err.Error() + ")"}
	}
	if told.Linux.Seccomp == nil || told.Linux.Seccomp.DefaultAction != asked.DefaultAction {
		return []string{"seccomp (asked a profile of the author's own, is another one)"}
	}
	actions := map[string]bool{}
	for _, rule := range told.Linux.Seccomp.Syscalls {
		for _, name := range rule.Names {
			actions[name+" "+rule.Action] = true
		}
	}
	for _, rule := range asked.Syscalls {
		if len(rule.Includes) > 0 || len(rule.Excludes) > 0 {
			continue
		}
		for _, name := range rule.Names {
			if !actions[name+" "+rule.Action] {
				return []string{fmt.Sprintf("seccomp (asked %s for %s, is something else)", rule.Action, name)}
			}
		}
	}
	return nil
}

// checkProfile checks that a profile can be read, and filters.
func checkProfile(profile string) error {
	var p seccompRules
	if err := json.Unmarshal([]byte(profile), &p); err != nil {
		return fmt.Errorf("it is neither %q nor %q nor a profile in JSON: %w", seccompDefault, seccompUnconfined, err)
	}
	if !strings.HasPrefix(p.DefaultAction, "SCMP_ACT_") {
		return errors.New("the profile has no defaultAction, such as \"SCMP_ACT_ERRNO\"")
	}
	filters := p.DefaultAction != "SCMP_ACT_ALLOW" && p.DefaultAction != "SCMP_ACT_LOG"
	for _, s := range p.Syscalls {
		filters = filters || s.Action != "SCMP_ACT_ALLOW" && s.Action != "SCMP_ACT_LOG"
	}
	if !filters {
		return fmt.Errorf("the profile allows every system call: write %q for that", seccompUnconfined)
	}
	return nil
}

// profile puts the author's seccomp profile where Podman reads it while it creates the container. Call remove then.
func (a *run) profile() (path string, remove func() error, err error) {
	remove = func() error { return nil }
	switch a.in.Seccomp {
	case seccompDefault:
		return "", remove, nil
	case seccompUnconfined:
		return seccompUnconfined, remove, nil
	}
	if !a.onThisMachine() {
		return "", remove, sdk.Invalidf("seccomp", "a profile of one's own needs a Podman on the worker's machine, and this one (%s) is on another: "+
			"it reads profiles from its own files alone", a.Client.URI)
	}
	// The scratch folder is the worker's alone; a rootless Podman may be another user's. A profile is no secret.
	dir, err := os.MkdirTemp("", "cpub-seccomp-")
	if err != nil {
		return "", remove, fmt.Errorf("writing the seccomp profile: %w", err)
	}
	remove = func() error { return os.RemoveAll(dir) }
	path = filepath.Join(dir, "profile.json")
	//nolint:gosec // to be read by the user that Podman runs as
	err = errors.Join(os.WriteFile(path, []byte(a.in.Seccomp), 0o644), os.Chmod(path, 0o644), os.Chmod(dir, 0o755))
	if err != nil {
		return "", remove, fmt.Errorf("writing the seccomp profile: %w", errors.Join(err, remove()))
	}
	return path, remove, nil
}

// checkSELinux refuses label options where nothing enforces them.
func (in Input) checkSELinux(info *define.Info) error {
	if len(in.SELinux) > 0 && !info.Host.Security.SELinuxEnabled {
		return sdk.Invalidf("selinux", "the host that runs the container has no SELinux, or has it switched off: nothing would enforce %s", strings.Join(in.SELinux, ", "))
	}
	return nil
}

// limitNames are the names of limits, and what /proc/PID/limits calls them. Those that would let a process take precedence over others (nice, rtprio,
// rttime) are not among them: what runs in real time is not bound by its group's share of CPU.
func limitNames() map[string]string {
	return map[string]string{
		"as": "Max address space", "core": "Max core file size", "cpu": "Max cpu time", "data": "Max data size", "fsize": "Max file size",
		"locks": "Max file locks", "memlock": "Max locked memory", "msgqueue": "Max msgqueue size",
		"nofile": "Max open files", "nproc": "Max processes", "rss": "Max resident set",
		"sigpending": "Max pending signals", "stack": "Max stack size",
	}
}

// unlimited is how a limit says that there is none.
const unlimited = "unlimited"

// ulimits are the limits that are asked for, sorted by name.
func (in Input) ulimits() ([]spec.POSIXRlimit, error) {
	var all []spec.POSIXRlimit
	for _, name := range slices.Sorted(maps.Keys(in.Ulimits)) {
		if limitNames()[name] == "" {
			return nil, sdk.Invalidf("ulimits", "there is no limit %q; there are %s", name, strings.Join(slices.Sorted(maps.Keys(limitNames())), ", "))
		}
		softText, hardText, both := strings.Cut(in.Ulimits[name], ":")
		if !both {
			hardText = softText
		}
		soft, err := parseLimit(softText)
		hard, herr := parseLimit(hardText)
		if err := errors.Join(err, herr); err != nil {
			return nil, sdk.Invalidf("ulimits", "%s: %w", name, err)
		}
		if soft > hard {
			return nil, sdk.Invalidf("ulimits", "%s: the soft limit %s is more than the hard limit %s", name, softText, hardText)
		}
		all = append(all, spec.POSIXRlimit{Type: name, Soft: soft, Hard: hard})
	}
	return all, nil
}

func parseLimit(s string) (uint64, error) {
	if s == unlimited {
		return ^uint64(0), nil
	}
	n, err := strconv.ParseUint(s, 10, 63)
	if err != nil {
		return 0, fmt.Errorf("%q is neither a whole number nor %q", s, unlimited)
	}
	return n, nil
}

// withUlimits are limits with those that are asked for in the place of ours.
func withUlimits(ours, asked []spec.POSIXRlimit) []spec.POSIXRlimit {
	ours = slices.DeleteFunc(slices.Clone(ours), func(l spec.POSIXRlimit) bool {
		return slices.ContainsFunc(asked, func(other spec.POSIXRlimit) bool { return other.Type == l.Type })
	})
	return append(ours, asked...)
}

// ulimitText are the limits that are asked for, for messages.
func (in Input) ulimitText() string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(in.Ulimits)) {
		all = append(all, name+" "+in.Ulimits[name])
	}
	return strings.Join(all, ", ")
}

func limitText(n uint64) string {
	if n == ^uint64(0) {
		return unlimited
	}
	return strconv.FormatUint(n, 10)
}
