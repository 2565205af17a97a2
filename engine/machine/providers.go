package machine

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/containerpub/cpub/engine/config"
	"github.com/containerpub/cpub/engine/host"
	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/contract"
)

// LocalProviders are the providers beside this program, for a worker on a developer's own machine. What tells Podman which service,
// storage and configuration are the user's reaches the Podman provider; nothing else of the environment reaches any. Whoever puts a
// provider that is not one of ours beside the program wants its step types, so those are allowed. Scratch is an absolute
// folder for what lasts as long as the call.
func LocalProviders(ctx context.Context, scratch string) ([]config.MachineProvider, error) {
	dir, err := programDir()
	if err != nil {
		return nil, err
	}
	return providersIn(ctx, []string{dir}, scratch, host.Describe)
}

// programDir is where this program lies.
func programDir() (string, error) {
	self, err := os.Executable()
	if err == nil {
		self, err = filepath.EvalSymlinks(self)
	}
	if err != nil {
		return "", fmt.Errorf("finding the providers beside this program: %w", err)
	}
	return filepath.Dir(self), nil
}

func providersIn(ctx context.Context, folders []string, scratch string,
	describe func(ctx context.Context, path, dir string) (sdk.Info, error),
) ([]config.MachineProvider, error) {
	binaries, err := host.Find(folders...)
	if err != nil {
		return nil, err
	}
	if len(binaries) == 0 {
		return nil, fmt.Errorf("there is no provider beside this program: put %sNAME into %s, or name the providers in worker.hcl", host.Prefix,
			strings.Join(folders, ", "))
	}
	var all []config.MachineProvider
	for _, b := range binaries {
		p := config.MachineProvider{Name: b.Name, Path: b.Path}
		switch b.Name {
		case "archive", "s3": // they need none
		case "podman":
			p.Env = podmanEnv()
		default:
			info, err := describe(ctx, b.Path, scratch)
			if err != nil {
				return nil, err
			}
			p.StepTypes = outsideContracts(info)
		}
		all = append(all, p)
	}
	return all, nil
}

// outsideContracts are a provider's step types that are not standard ones.
func outsideContracts(info sdk.Info) (types []string) {
	for _, s := range info.Steps {
		if _, standard := contract.Lookup(s.Name); !standard {
			types = append(types, s.Name)
		}
	}
	slices.Sort(types)
	return types
}

// podmanEnv picks, from this process's environment, what tells Podman which service, storage and configuration are the user's.
func podmanEnv() []string {
	var env []string
	for _, name := range []string{
		"PATH", "HOME", "USER", "TMPDIR", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "DBUS_SESSION_BUS_ADDRESS",
		"CONTAINER_HOST", "CONTAINER_SSHKEY", "CONTAINER_CONNECTION", "SSH_AUTH_SOCK", "CONTAINERS_CONF", "CONTAINERS_STORAGE_CONF", "CONTAINERS_REGISTRIES_CONF",
		"PODMAN_IGNORE_CGROUPSV1_WARNING",
	} {
		if value, ok := os.LookupEnv(name); ok {
			env = append(env, name+"="+value)
		}
	}
	return env
}
