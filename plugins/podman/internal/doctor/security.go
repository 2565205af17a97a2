package doctor

import "github.com/containerpub/cpub/sdk"

// seccomp tells whether the system calls of containers are filtered.
func seccomp(f *Facts) []sdk.Finding {
	if f.Info == nil {
		return nil
	}
	s := f.Info.Host.Security
	const remedy = "install the profile (`apt-get install golang-github-containers-common`, `dnf install containers-common`), or correct `seccomp_profile` in the section " +
		"[containers] of containers.conf; then start the service again"
	switch {
	case !s.SECCOMPEnabled:
		return fault("system calls of containers are not filtered: Podman or the kernel is without seccomp", "install a Podman and a kernel that are built with seccomp")
	case s.SECCOMPProfilePath == "unconfined":
		return fault("system calls of containers are not filtered: containers.conf says `seccomp_profile = \"unconfined\"`", remedy)
	case f.Host != nil && s.SECCOMPProfilePath != "" && s.SECCOMPProfilePath != "default" && !f.Host.Exists(s.SECCOMPProfilePath):
		return fault("the filter of system calls, "+s.SECCOMPProfilePath+", is not there: containers do not start", remedy)
	}
	return fine("system calls of containers are filtered")
}

// selinux tells whether SELinux keeps containers apart, where the host has it.
func selinux(f *Facts) []sdk.Finding {
	if f.Info == nil || f.Files == nil {
		return nil
	}
	enforce := "/sys/fs/selinux/enforce"
	switch {
	case !f.Files.Exists(enforce):
		return fine("the host has no SELinux")
	case f.Files.Read(enforce) != "1":
		return warning("SELinux is permissive: it reports what containers do, and stops nothing", "enforce it: `setenforce 1`, and `SELINUX=enforcing` in /etc/selinux/config")
	case !f.Info.Host.Security.SELinuxEnabled:
		return warning("the host enforces SELinux, and Podman gives containers no labels",
			"install container-selinux, and remove `label = false` from the section [containers] of containers.conf; then start the service again")
	}
	return fine("SELinux keeps containers apart")
}
