package container

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"regexp"
	"strings"

	"github.com/containers/podman/v5/libpod/define"
	"github.com/containers/podman/v5/pkg/specgen"
	spec "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/containerpub/cpub/plugins/podman/internal/hostfs"
	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/schema"
)

// Mount is one block `mount`.
type Mount struct {
	Path     string        `json:"path"`
	Artifact *sdk.Artifact `json:"artifact"`
	Volume   *string       `json:"volume"`
	Tmpfs    *schema.Size  `json:"tmpfs"`
	HostPath *string       `json:"host_path"`
	ReadOnly *bool         `json:"read_only"`
	Relabel  string        `json:"relabel"`
}

// readOnly tells whether it is mounted so that nothing can be written.
func (m Mount) readOnly() bool {
	switch {
	case m.Artifact != nil:
		return true
	case m.ReadOnly != nil:
		return *m.ReadOnly
	default:
		return m.HostPath != nil
	}
}

// volumeNames are the names that Podman takes.
var volumeNames = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]*$`)

func (in Input) checkMounts() error {
	seen := in.withoutMounts().layout()
	for i, m := range in.Mount {
		attr := fmt.Sprintf("mount[%d]", i)
		if err := clean(attr+".path", m.Path); err != nil {
			return err
		}
		at := seen.under(m.Path)
		switch {
		case at.path == m.Path && m.Path != "/dev/shm" || at.on == onKernel:
			return sdk.Invalidf(attr+".path", "nothing can be mounted at %s: %s is mounted by something else", m.Path, at.path)
		case m.sources() != 1:
			return sdk.Invalidf(attr, "a mount has exactly one of artifact, volume, tmpfs and host_path")
		case m.Tmpfs != nil && *m.Tmpfs <= 0:
			return sdk.Invalidf(attr+".tmpfs", "a folder in memory needs a size")
		case m.Artifact != nil && m.ReadOnly != nil && !*m.ReadOnly:
			return sdk.Invalidf(attr+".read_only", "an artifact is read-only; copy it in with `files` to change it")
		case m.Tmpfs != nil && m.ReadOnly != nil && *m.ReadOnly:
			return sdk.Invalidf(attr+".read_only", "a folder in memory that cannot be written to would stay empty")
		case m.Volume != nil && (!volumeNames.MatchString(*m.Volume) || strings.HasPrefix(*m.Volume, reserved)):
			return sdk.Invalidf(attr+".volume", "%q is no name of a volume: letters, digits, _ . and -, not beginning with %q", *m.Volume, reserved)
		case m.Relabel != "" && m.Tmpfs != nil:
			return sdk.Invalidf(attr+".relabel", "a folder in memory has no label to change")
		}
		seen = append(seen, place{m.Path, onHost, true})
	}
	return nil
}

// reserved is how the names of our own volumes begin.
const reserved = "cpub-"

func (m Mount) sources() (n int) {
	for _, has := range []bool{m.Artifact != nil, m.Volume != nil, m.Tmpfs != nil, m.HostPath != nil} {
		if has {
			n++
		}
	}
	return n
}

func (in Input) withoutMounts() Input {
	in.Mount = nil
	return in
}

// mount adds one block to what is mounted.
func (a *run) mount(ctx context.Context, out *mounted, i int, info *define.Info) error {
	m, attr := a.in.Mount[i], fmt.Sprintf("mount[%d]", i)
	switch {
	case m.Tmpfs != nil:
		out.mounts = append(out.mounts, memory(m.Path, int64(*m.Tmpfs)))
	case m.Volume != nil:
		options := append([]string{"nosuid", "nodev"}, m.relabelling()...)
		out.volumes = append(out.volumes, &specgen.NamedVolume{Name: *m.Volume, Dest: m.Path, Options: append(options, access(m.readOnly()))})
	case m.HostPath != nil:
		source, err := a.hostPath(ctx, attr, m)
		if err != nil {
			return err
		}
		out.mounts = append(out.mounts, m.bind(source, m.relabelling()))
	default:
		return a.mountArtifact(out, i, attr, info)
	}
	return nil
}

// mountArtifact binds an artifact where Podman can read it; where it cannot, the artifact is copied into a volume of the step's own.
func (a *run) mountArtifact(out *mounted, i int, attr string, info *define.Info) error {
	m := a.in.Mount[i]
	source, err := a.req.Path(m.Artifact)
	if err != nil {
		return err
	}
	if a.readable(info) {
		var relabel []string
		if m.Relabel != "" || info.Host.Security.SELinuxEnabled {
			relabel = []string{"z"} // containers may read nothing else; never one alone, as other steps have the same artifact
		}
		out.mounts = append(out.mounts, m.bind(source, relabel))
		return nil
	}
	if m.Artifact.MediaType == sdk.MediaTypeDirectory {
		own := ownVolume{name: volumeName(a.req.Key, len(out.own)), dest: m.Path, readOnly: true}
		out.own = append(out.own, own)
		out.puts = append(out.puts, put{attr: attr + ".artifact", source: source, base: m.Path, path: m.Path})
		return nil
	}
	if at := a.in.withoutMounts().layout().under(m.Path); at.on != onRoot || !a.in.ReadOnly {
		return sdk.Invalidf(attr+".artifact", "Podman cannot read the files of this worker, so that the file would be copied to %s, where it could be written to: "+
			"use `files` for it", m.Path)
	}
	out.puts = append(out.puts, put{attr: attr + ".artifact", source: source, base: "/", path: m.Path})
	return nil
}

// onThisMachine tells whether Podman sees this machine's files: it is neither on another one, nor in a virtual machine.
func (a *run) onThisMachine() bool {
	host, err := a.Client.Host()
	return err == nil && host.Local()
}

// readable tells whether Podman can read this worker's files: it runs on this machine, as root or as the same user.
func (a *run) readable(info *define.Info) bool {
	return a.onThisMachine() && readableBy(info)
}

func (m Mount) bind(source string, relabel []string) spec.Mount {
	return spec.Mount{
		Destination: m.Path, Type: "bind", Source: source,
		Options: append([]string{"bind", "nosuid", "nodev", "rprivate", access(m.readOnly())}, relabel...),
	}
}

func access(readOnly bool) string {
	if readOnly {
		return "ro"
	}
	return "rw"
}

// relabelling is Podman's option for SELinux labels.
func (m Mount) relabelling() []string {
	switch m.Relabel {
	case "shared":
		return []string{"z"}
	case "private":
		return []string{"Z"}
	default:
		return nil
	}
}

func memory(path string, size int64) spec.Mount {
	return spec.Mount{
		Destination: path, Type: "tmpfs", Source: "tmpfs",
		Options: []string{"rw", "nosuid", "nodev", "mode=1777", fmt.Sprintf("size=%d", size)},
	}
}

// hostPath gives where a path of the host really leads, which the policy must allow as well.
func (a *run) hostPath(ctx context.Context, attr string, m Mount) (string, error) {
	host, err := a.Client.Host()
	if err != nil {
		return "", sdk.Invalidf(attr+".host_path", "where the path leads to cannot be seen from here: %w", err)
	}
	real, err := resolve(ctx, host, *m.HostPath)
	if err != nil {
		return "", sdk.Invalidf(attr+".host_path", "finding %s on the host: %w", *m.HostPath, err)
	}
	if err := sdk.CheckHostPath(a.req.Rules.HostPaths, real, !m.readOnly(), m.Relabel != ""); err != nil {
		return "", &sdk.Error{Kind: sdk.KindPermanent, Code: sdk.CodeDenied, Err: fmt.Errorf(
			"denied by policy: host path %s leads to %s: %w; the rule is policy.host_paths, %s", *m.HostPath, real, err, a.req.Rules.Source)}
	}
	return real, nil
}

// maxLinks is how many links a path may lead over, as the kernel has it.
const maxLinks = 40

// resolve gives a path of the host without symbolic links.
func resolve(ctx context.Context, host hostfs.Host, p string) (string, error) {
	done, rest := "/", strings.Split(strings.TrimPrefix(path.Clean(p), "/"), "/")
	for links := 0; len(rest) > 0; {
		next := path.Join(done, rest[0])
		rest = rest[1:]
		target, err := host.Readlink(ctx, next)
		switch {
		case errors.Is(err, fs.ErrNotExist), errors.Is(err, fs.ErrPermission), errors.Is(err, hostfs.ErrUnreachable), err != nil && ctx.Err() != nil:
			return "", err
		case err != nil: // no link
			done = next
			continue
		}
		if links++; links > maxLinks {
			return "", fmt.Errorf("%s: too many links", p)
		}
		if !path.IsAbs(target) {
			target = path.Join(done, target)
		}
		done, rest = "/", append(strings.Split(strings.TrimPrefix(path.Clean(target), "/"), "/"), rest...)
	}
	return done, nil
}
