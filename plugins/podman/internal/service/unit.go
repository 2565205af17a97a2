package service

import (
	"encoding/json"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/containers/podman/v5/pkg/specgen"
	"go.podman.io/storage/pkg/idtools"

	"github.com/containerpub/cpub/plugins/podman/internal/pod"
	"github.com/containerpub/cpub/sdk"
)

// marker begins the files that are ours.
const marker = "# Made by ContainerPub (podman_service) for the service "

// unit is what a Quadlet file is written of.
type unit struct {
	name        string
	image       string
	spec        *specgen.SpecGenerator // how the container is confined
	in          Input
	health      *pod.Health
	mounts      []pod.Mount
	wantedBy    []string
	labels      map[string]string
	description string
}

// argument is one of podman run's, and the attribute that it comes from.
type argument struct{ attr, text string }

// text is the Quadlet file. All that confines the container is given as arguments of podman run, which is what the trial container was proven with;
// each is quoted.
func (u *unit) text() (string, error) {
	args, err := u.arguments()
	if err != nil {
		return "", err
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s%s; by hand it is changed until the next rollout only.\n", marker, u.name)
	fmt.Fprintf(&b, "[Unit]\nDescription=%s\n\n[Container]\nContainerName=%s\nImage=%s\n", u.description, u.name, u.image)
	for _, a := range args {
		q, err := quote(a.attr, a.text)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(&b, "PodmanArgs=%s\n", q)
	}
	if len(u.spec.Command) > 0 {
		var words []string
		for _, word := range u.spec.Command {
			q, err := quote("command", word)
			if err != nil {
				return "", err
			}
			words = append(words, q)
		}
		fmt.Fprintf(&b, "Exec=%s\n", strings.Join(words, " "))
	}
	fmt.Fprintf(&b, "\n[Service]\nRestart=%s\nTimeoutStartSec=%d\nTimeoutStopSec=%d\n", u.in.Restart,
		whole(u.in.StartLimit.Std()), whole(u.in.Grace.Std())+10)
	fmt.Fprintf(&b, "\n[Install]\nWantedBy=%s\n", strings.Join(u.wantedBy, " "))
	return b.String(), nil
}

func whole(d time.Duration) int64 { return int64((d + time.Second - 1) / time.Second) }

// envName is a name of an environment variable that cannot be taken for anything else.
var envName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.-]*$`)

// arguments are podman run's, in the order of the specification.
func (u *unit) arguments() ([]argument, error) {
	s := u.spec
	var args []argument
	add := func(attr, format string, values ...any) {
		args = append(args, argument{attr, fmt.Sprintf(format, values...)})
	}
	limits := s.ResourceLimits
	add("memory", "--memory=%d", *limits.Memory.Limit)
	add("memory_swap", "--memory-swap=%d", *limits.Memory.Swap)
	add("cpus", "--cpu-period=%d", *limits.CPU.Period)
	add("cpus", "--cpu-quota=%d", *limits.CPU.Quota)
	add("pids", "--pids-limit=%d", u.in.Pids)
	add("cap_drop", "--cap-drop=all")
	for _, c := range s.CapAdd {
		add("cap_add", "--cap-add=%s", c)
	}
	add("", "--security-opt=no-new-privileges")
	add("read_only", "--read-only=%t", *s.ReadOnlyFilesystem)
	for _, fixed := range []string{
		"--read-only-tmpfs=false", "--image-volume=ignore", "--systemd=false", "--http-proxy=false", "--init", "--pull=never",
		"--ipc=private", "--pid=private", "--uts=private", "--cgroupns=private",
	} {
		add("", "%s", fixed)
	}
	for _, m := range s.Mounts {
		if !plainPath.MatchString(m.Destination) {
			return nil, sdk.Invalidf("tmpfs", "%q is not a plain absolute path", m.Destination)
		}
		add("tmpfs", "--tmpfs=%s:%s", m.Destination, strings.Join(m.Options, ","))
	}
	for _, l := range s.Rlimits {
		add("", "--ulimit=%s=%d:%d", l.Type, l.Soft, l.Hard)
	}
	add("network", "--network=%s", u.in.Network)
	args = append(args, u.userns()...)
	add("grace", "--stop-timeout=%d", whole(u.in.Grace.Std()))
	for _, p := range u.in.Ports {
		add("port", "--publish=%s", published(p))
	}
	for _, m := range u.mounts {
		add("mount", "--volume=%s:%s:%s", m.Volume, m.Path, strings.Join(m.Options(), ","))
	}
	args = append(args, u.checks()...)
	texts, err := u.texts()
	return append(args, texts...), err
}

// plainPath are paths that no separator of Podman's options stands in.
var plainPath = regexp.MustCompile(`^/[^:,\x00-\x1f\x7f]*$`)

// texts are the arguments that an author writes freely.
func (u *unit) texts() (args []argument, err error) {
	add := func(attr, text string) { args = append(args, argument{attr, text}) }
	if u.spec.WorkDir != "" {
		add("workdir", "--workdir="+u.spec.WorkDir)
	}
	if u.spec.User != "" {
		add("user", "--user="+u.spec.User)
	}
	for _, name := range slices.Sorted(maps.Keys(u.spec.Env)) {
		if !envName.MatchString(name) {
			return nil, sdk.Invalidf("env", "%q is no name of an environment variable", name)
		}
		add("env."+name, "--env="+name+"="+u.spec.Env[name])
	}
	for _, name := range slices.Sorted(maps.Keys(u.labels)) {
		if name == "" || strings.Contains(name, "=") {
			return nil, sdk.Invalidf("labels", "%q is no name of a label", name)
		}
		add("labels."+name, "--label="+name+"="+u.labels[name])
	}
	if u.in.AutoUpdate != "" {
		add("auto_update", "--label=io.containers.autoupdate="+u.in.AutoUpdate)
	}
	return args, nil
}

// userns are the arguments of the user namespace.
func (u *unit) userns() (args []argument) {
	add := func(text string) { args = append(args, argument{"userns", text}) }
	if u.spec.UserNS.NSMode != specgen.Private {
		if mode := string(u.spec.UserNS.NSMode); mode != "" {
			add("--userns=" + mode)
		}
		return args
	}
	for flag, ids := range map[string][]idtools.IDMap{"--gidmap": u.spec.IDMappings.GIDMap, "--uidmap": u.spec.IDMappings.UIDMap} {
		for _, m := range ids {
			add(fmt.Sprintf("%s=%d:%d:%d", flag, m.ContainerID, m.HostID, m.Size))
		}
	}
	slices.SortFunc(args, func(a, b argument) int { return strings.Compare(a.text, b.text) })
	return args
}

// checks are the arguments of the healthcheck.
func (u *unit) checks() []argument {
	h := u.health
	if h == nil {
		return []argument{{"healthcheck", "--no-healthcheck"}}
	}
	command, _ := json.Marshal(append([]string{"CMD"}, h.Command...)) // strings always have a JSON form
	return []argument{
		{"healthcheck.command", "--health-cmd=" + string(command)},
		{"healthcheck.interval", "--health-interval=" + h.Interval.Std().String()},
		{"healthcheck.timeout", "--health-timeout=" + h.Timeout.Std().String()},
		{"healthcheck.start_period", "--health-start-period=" + h.StartPeriod.Std().String()},
		{"healthcheck.retries", "--health-retries=" + strconv.Itoa(*h.Retries)},
	}
}

// published is a port as podman run takes it.
func published(p pod.Port) string {
	return fmt.Sprintf("%s:%d/%s", address(p), p.ContainerPort, p.Protocol)
}

// address is where on the host a port is published.
func address(p pod.Port) string {
	ip := p.HostIP
	if strings.Contains(ip, ":") {
		ip = "[" + ip + "]"
	}
	return fmt.Sprintf("%s:%d", ip, p.HostPort)
}
