package container

import (
	"maps"
	"math"
	"slices"

	"github.com/containers/podman/v5/pkg/specgen"
	spec "github.com/opencontainers/runtime-spec/specs-go"
	nettypes "go.podman.io/common/libnetwork/types"
	"go.podman.io/storage/types"

	"github.com/containerpub/cpub/plugins/podman/internal/owner"
	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/schema"
)

// cpuPeriod is the length of the window, in µs, in which a container may use its share of CPU.
const cpuPeriod = 100_000

// backstop is how long after its time limit Podman itself ends a container: for the case that nobody of us is left to do it.
const backstop = 30

// maxLog is how large Podman's own log of a container may become, in bytes; older lines go.
const maxLog = 256 << 20

// plan is what a container is created with, apart from the input.
type plan struct {
	name         string
	imageID      string
	cgroupParent string
	userns       specgen.Namespace
	idMappings   *types.IDMappingOptions
	rlimits      []spec.POSIXRlimit
	init         bool
	mounted      mounted
	seccomp      string // the profile's path for Podman; empty: its default
	unconfined   bool   // without seccomp
	sidecar      string // its name; empty for the step's own container
	joined       joined
}

// specification is the container as Podman is asked for it.
func specification(req *sdk.Request, in Input, p plan) *specgen.SpecGenerator {
	s := specgen.NewSpecGenerator(p.imageID, false)
	yes, no := true, false
	s.Name = p.name
	s.Command = in.Command
	if in.Script != nil {
		s.Entrypoint, s.Command = []string{"/bin/sh"}, []string{"-e", "-c", *in.Script}
	}
	s.Env = in.Env
	s.EnvHost, s.HTTPProxy = &no, &no
	s.WorkDir = in.Workdir
	s.User = in.User
	s.Labels = owner.Labels(req, in.Labels)
	s.Labels[owner.LabelTimeLimit] = in.TimeLimit.Std().String()
	if p.sidecar != "" {
		s.Labels[owner.LabelSidecar] = p.sidecar
	}
	stdin := in.Stdin != ""
	s.Stdin = &stdin
	s.Timeout = uint(math.Ceil(in.TimeLimit.Std().Seconds()+in.Grace.Std().Seconds())) + backstop
	s.LogConfiguration = &specgen.LogConfig{Driver: "k8s-file", Size: maxLog}
	s.Systemd = "false"
	s.Init = &p.init
	s.RestartPolicy = "no"

	s.ImageVolumeMode = "ignore"
	s.ReadOnlyFilesystem = &in.ReadOnly
	s.ReadWriteTmpfs = &no
	s.Mounts = append(tmpfs(in.Tmpfs), p.mounted.mounts...)
	s.Mounts = append(s.Mounts, sharedMemory(s.Mounts)...)
	s.Volumes = p.mounted.volumes
	s.SeccompProfilePath = p.seccomp
	s.SelinuxOpts = in.SELinux

	s.CapAdd, s.CapDrop = in.added(), []string{"all"}
	s.NoNewPrivileges = &yes
	s.UserNS, s.IDMappings = p.userns, p.idMappings
	s.PidNS.NSMode, s.IpcNS.NSMode = specgen.Private, specgen.Private
	s.UtsNS.NSMode, s.CgroupNS.NSMode = specgen.Private, specgen.Private
	s.CgroupParent = p.cgroupParent
	s.NetNS, s.Networks = network(in.Network)
	s.ResourceLimits = resources(in)
	s.Rlimits = p.rlimits
	s.HealthConfig = in.Healthcheck.config()
	p.joined.join(s)
	return s
}

func resources(in Input) *spec.LinuxResources {
	memory, swap := int64(in.Memory), int64(*in.MemorySwap)
	quota, period := int64(in.CPUs*cpuPeriod), uint64(cpuPeriod)
	return &spec.LinuxResources{
		Memory: &spec.LinuxMemory{Limit: &memory, Swap: &swap},
		CPU:    &spec.LinuxCPU{Quota: &quota, Period: &period},
		Pids:   &spec.LinuxPids{Limit: in.Pids},
	}
}

func tmpfs(folders map[string]string) []spec.Mount {
	var mounts []spec.Mount
	for _, path := range slices.Sorted(maps.Keys(folders)) {
		size, err := schema.ParseSize(folders[path])
		if err != nil {
			continue // Input.check has refused it
		}
		mounts = append(mounts, memory(path, int64(size)))
	}
	return mounts
}

// sharedMemory is the /dev/shm that Podman would mount itself, on the host, and in the container as memory of nobody: 4.3.1
// forgets to unmount it where there is a user namespace, and then fails to remove the container.
func sharedMemory(others []spec.Mount) []spec.Mount {
	const path = "/dev/shm"
	if slices.ContainsFunc(others, func(m spec.Mount) bool { return m.Destination == path }) {
		return nil
	}
	return []spec.Mount{{
		Destination: path, Type: "tmpfs", Source: "shm", Options: []string{"rw", "nosuid", "nodev", "noexec", "mode=1777", "size=64m"},
	}}
}

// network is the namespace for an attribute's value: a mode of Podman's, or a network by its name.
func network(value string) (specgen.Namespace, map[string]nettypes.PerNetworkOptions) {
	switch value {
	case "none":
		return specgen.Namespace{NSMode: specgen.NoNetwork}, nil
	case "host":
		return specgen.Namespace{NSMode: specgen.Host}, nil
	case "bridge":
		return specgen.Namespace{NSMode: specgen.Bridge}, nil
	case "slirp4netns":
		return specgen.Namespace{NSMode: specgen.Slirp}, nil
	case "pasta":
		return specgen.Namespace{NSMode: specgen.Pasta}, nil
	default:
		return specgen.Namespace{NSMode: specgen.Bridge}, map[string]nettypes.PerNetworkOptions{value: {}}
	}
}
