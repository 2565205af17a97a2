package pod

import (
	"encoding/json"
	"path"
	"regexp"

	"github.com/containers/podman/v5/pkg/specgen"

	"github.com/containerpub/cpub/sdk"
)

// Mount is a named volume in a container.
type Mount struct {
	Path     string `json:"path"`
	Volume   string `json:"volume"`
	ReadOnly bool   `json:"read_only"`
}

// volumeName is Podman's rule, which keeps a path of the host from being taken for a name.
var volumeName = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9_.-]*$`)

// mountPath are the paths that need no quoting anywhere: in Podman's options a colon or a comma would begin another one.
var mountPath = regexp.MustCompile(`^/[^:,\x00-\x1f\x7f]+$`)

// ReadMounts reads the blocks `mount` of a container's input.
func ReadMounts(input json.RawMessage) ([]Mount, error) {
	var in struct {
		Mounts []Mount `json:"mount"`
	}
	if err := json.Unmarshal(input, &in); err != nil {
		return nil, sdk.Invalidf("mount", "reading the mounts: %w", err)
	}
	for _, m := range in.Mounts {
		if !volumeName.MatchString(m.Volume) {
			return nil, sdk.Invalidf("mount", "%q is no name of a volume: letters, digits, _, . and -, which begins with a letter or digit", m.Volume)
		}
		if !mountPath.MatchString(m.Path) || path.Clean(m.Path) != m.Path {
			return nil, sdk.Invalidf("mount", "%q is not a plain absolute path below /", m.Path)
		}
	}
	return in.Mounts, nil
}

// volumes are the mounts as Podman is asked for them.
func volumes(mounts []Mount) []*specgen.NamedVolume {
	var all []*specgen.NamedVolume
	for _, m := range mounts {
		all = append(all, &specgen.NamedVolume{Name: m.Volume, Dest: m.Path, Options: m.Options()})
	}
	return all
}

// Options are the mount's options, in Podman's words.
func (m Mount) Options() []string {
	if m.ReadOnly {
		return []string{"nodev", "nosuid", "ro"}
	}
	return []string{"nodev", "nosuid"}
}
