package container

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/containers/podman/v5/pkg/specgen"
	spec "github.com/opencontainers/runtime-spec/specs-go"

	"github.com/containerpub/cpub/plugins/podman/internal/owner"
	"github.com/containerpub/cpub/sdk"
)

// surface is what lies under a path of a container.
type surface int

// The surfaces.
const (
	onRoot   surface = iota // the image's own file system
	onMemory                // a tmpfs: empty at the start, gone at the end
	onVolume                // a volume, which Podman's archive API reaches
	onHost                  // a file or folder of the host
	onKernel                // what the runtime itself makes: /proc, /sys, /dev
)

// place is one mount point.
type place struct {
	path     string
	on       surface
	readOnly bool
}

// layout are the mount points of a container, beside its root.
type layout []place

// layout gives what the input asks for, the folders that are collected left out.
func (in Input) layout() layout {
	l := layout{
		{"/proc", onKernel, true},
		{"/sys", onKernel, true},
		{"/dev", onKernel, true},
		{"/dev/shm", onMemory, false},
		{"/etc/hosts", onKernel, true},
		{"/etc/hostname", onKernel, true},
		{"/etc/resolv.conf", onKernel, true},
		{"/run/.containerenv", onKernel, true},
	}
	for _, p := range slices.Sorted(maps.Keys(in.Tmpfs)) {
		l = append(l, place{path.Clean(p), onMemory, false})
	}
	for _, m := range in.Mount {
		switch {
		case m.Tmpfs != nil:
			l = append(l, place{m.Path, onMemory, false})
		case m.Volume != nil:
			l = append(l, place{m.Path, onVolume, m.readOnly()})
		default:
			l = append(l, place{m.Path, onHost, m.readOnly()})
		}
	}
	return l
}

// under is the mount point that a path lies on; the root's path is "/".
func (l layout) under(p string) place {
	best := place{path: "/"}
	for _, one := range l {
		if within(p, one.path) && len(one.path) >= len(best.path) {
			best = one
		}
	}
	return best
}

// within tells whether a path is a folder, or lies below it.
func within(p, folder string) bool {
	return p == folder || folder == "/" || strings.HasPrefix(p, folder+"/")
}

// clean checks that a path of a container is absolute, and has one meaning.
func clean(attr, p string) error {
	if !path.IsAbs(p) || path.Clean(p) != p || p == "/" || strings.ContainsAny(p, ":*\x00") {
		return sdk.Invalidf(attr, "%q is no absolute path below / without \"..\", \".\", double slashes, colons and stars", p)
	}
	return nil
}

// checkPlaces checks everything that is put, mounted or collected.
func (in Input) checkPlaces() error {
	for _, check := range []func() error{in.checkMounts, in.checkFiles, in.checkCollect} {
		if err := check(); err != nil {
			return err
		}
	}
	return nil
}

// ownVolume is a volume that lives as long as its container.
type ownVolume struct {
	name, dest string
	readOnly   bool
}

// ownVolumes are the step's: the folders that are collected, where the root cannot be written to or would not keep them. A name is the same for
// every attempt.
func (in Input) ownVolumes(key string) []ownVolume {
	l := in.layout()
	var all []ownVolume
	for _, folder := range slices.Sorted(maps.Values(in.collected())) {
		at := l.under(folder)
		keeps := at.on == onVolume || at.on == onHost || at.on == onRoot && (!in.ReadOnly || folder == "/")
		if keeps {
			continue
		}
		l = append(l, place{folder, onVolume, false})
		all = append(all, ownVolume{name: volumeName(key, len(all)), dest: folder})
	}
	return all
}

// collected gives the folder that each collected path lies in, or is.
func (in Input) collected() map[string]string {
	folders := map[string]string{}
	for name, p := range in.Collect {
		folders[name] = path.Dir(p) // of "/out/" it is "/out"
	}
	return folders
}

func volumeName(key string, n int) string { return fmt.Sprintf("%s-%d", owner.Name(key), n) }

// mounted is what a container's file system is made of, beside its image.
type mounted struct {
	mounts  []spec.Mount
	volumes []*specgen.NamedVolume
	own     []ownVolume
	puts    []put
}

// put is an artifact to be copied in: at a path below a mount point, which is the root or a volume.
type put struct {
	attr, source string // the attribute for messages, the path of the artifact here
	base, path   string
}
