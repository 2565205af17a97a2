package doctor

import (
	"fmt"
	"os"
	"strings"

	"github.com/containerpub/cpub/sdk"
)

// kernelNamespaces tells whether the kernel lets the service make user namespaces.
func kernelNamespaces(f *Facts) []sdk.Finding {
	if f.Files == nil {
		return nil
	}
	switch {
	case f.Files.Read("/proc/sys/user/max_user_namespaces") == "0":
		return fault("the kernel allows no user namespaces", "allow them: `sysctl -w user.max_user_namespaces=15000`, and the same in /etc/sysctl.d")
	case f.rootless() && f.Files.Read("/proc/sys/kernel/unprivileged_userns_clone") == "0":
		return fault("the kernel allows no user namespaces to users without privileges",
			"allow them: `sysctl -w kernel.unprivileged_userns_clone=1`, and the same in /etc/sysctl.d")
	case f.rootless() && f.Files.Read("/proc/sys/kernel/apparmor_restrict_unprivileged_userns") == "1" && !f.Files.Exists("/etc/apparmor.d/podman"):
		return fault("AppArmor keeps users without privileges from user namespaces, and has no profile for podman",
			"install the distribution's AppArmor profile of podman (/etc/apparmor.d/podman), or `sysctl -w kernel.apparmor_restrict_unprivileged_userns=0`")
	}
	return fine("the kernel allows user namespaces")
}

// newIDMap tells whether the programs work by which a rootless Podman takes the ids that are set aside.
func newIDMap(f *Facts) []sdk.Finding {
	if f.Host == nil || !f.rootless() {
		return nil
	}
	for _, program := range []string{"newuidmap", "newgidmap"} {
		name := f.Host.Find(program, programFolders(f.Env["PATH"])...)
		if name == "" {
			return fault(program+" is not installed: a rootless Podman cannot use the ids in /etc/subuid and /etc/subgid",
				"install it: `apt-get install uidmap`, `dnf install shadow-utils`")
		}
		info, err := os.Stat(f.Host.path(name))
		if err != nil || info.Mode()&os.ModeSetuid == 0 && !capable(f.Host.path(name)) {
			return fault(fmt.Sprintf("%s runs without privileges: it has neither the setuid bit nor capabilities", name), "as root: `chmod u+s "+name+"`")
		}
	}
	return fine("newuidmap and newgidmap are there, with privileges")
}

// idMap tells whether a rootless Podman uses the ids that are set aside.
func idMap(f *Facts) []sdk.Finding {
	if f.Info == nil || f.Files == nil || !f.rootless() {
		return nil
	}
	mapped := 0
	for _, m := range f.Info.Host.IDMappings.UIDMap {
		mapped += m.Size
	}
	set, err := idsOf(f.Files, "/etc/subuid", f.User)
	if err == nil && set >= oneNamespace && mapped < oneNamespace {
		return fault(fmt.Sprintf("Podman has %d ids, though /etc/subuid gives %s more: its user namespace is older than that line", mapped, f.User),
			"as that user: `podman system migrate`; then start the service again")
	}
	return fine("Podman has %d ids", mapped)
}

// runtimeFolder is the user's folder of sockets.
func (f *Facts) runtimeFolder() string {
	if dir := f.Env["XDG_RUNTIME_DIR"]; dir != "" {
		return strings.TrimSuffix(dir, "/")
	}
	return fmt.Sprintf("/run/user/%d", f.User.UID)
}
