package doctor

import (
	"fmt"
	"strings"

	"github.com/containerpub/cpub/sdk"
)

// oldestCrun is the first crun that takes what Podman 5 writes for it: version 1.2 of the runtime specification.
const oldestCrun = "1.14.3"

// runtime tells whether the OCI runtime is there, and one that works on this host.
func runtime(f *Facts) []sdk.Finding {
	const other = "install runc (`apt-get install runc`) and write `runtime = \"runc\"` into the section [engine] of containers.conf; then start the service again"
	if f.Info == nil {
		if f.Err != nil && strings.Contains(f.Err.Error(), "OCI runtime") {
			return fault(f.Err.Error(), other)
		}
		return nil
	}
	r := f.Info.Host.OCIRuntime
	switch {
	case r == nil || r.Path == "":
		return fault("Podman has no OCI runtime", other)
	case f.Host != nil && !f.Host.Exists(r.Path):
		return fault(fmt.Sprintf("the OCI runtime %s is not there", r.Path), other)
	case !strings.Contains(r.Name, "crun"):
		return fine("%s at %s", r.Name, r.Path)
	case f.Host != nil && f.Info.Host.CgroupsVersion == "v1" && f.Host.Exists("/sys/fs/cgroup/unified"):
		return fault(fmt.Sprintf("%s does not run containers on a host with the hybrid layout of cgroups, as this one has", r.Name), other+"; or "+unified)
	}
	if have := crunVersion(r.Version); have != "" && f.atLeast("5.0.0") && !newer(have, oldestCrun) {
		return fault(fmt.Sprintf("crun %s does not know the version of the runtime specification that Podman %s writes", have, f.Info.Version.Version),
			"upgrade crun to "+oldestCrun+" or newer; or "+other)
	}
	return fine("%s at %s", r.Name, r.Path)
}

// crunVersion is the number in what `crun --version` says: "crun version 1.8.1\n…".
func crunVersion(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	rest, ok := strings.CutPrefix(line, "crun version ")
	if !ok {
		return ""
	}
	return strings.TrimSpace(rest)
}

// conmon tells whether the monitor of containers is there.
func conmon(f *Facts) []sdk.Finding {
	const install = "install conmon (`apt-get install conmon`), or correct `conmon_path` in the section [engine] of containers.conf; then start the service again"
	if f.Info == nil {
		if f.Err != nil && strings.Contains(f.Err.Error(), "conmon") {
			return fault(f.Err.Error(), install)
		}
		return nil
	}
	c := f.Info.Host.Conmon
	if c == nil || c.Path == "" || f.Host != nil && !f.Host.Exists(c.Path) {
		return fault("Podman has no conmon, which watches each container", install)
	}
	return fine("conmon at %s", c.Path)
}

// initProgram tells whether containers get an init that reaps.
func initProgram(f *Facts) []sdk.Finding {
	if f.Host == nil {
		return nil
	}
	if path := f.Host.Find("catatonit", append(helperFolders(), programFolders(f.Env["PATH"])...)...); path != "" {
		return fine("catatonit at %s", path)
	}
	return warning("the host has no catatonit: in containers nobody reaps the processes whose parents ended",
		"install it: `apt-get install catatonit`, `dnf install catatonit`")
}
