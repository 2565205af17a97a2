package policy

import (
	"crypto/sha256"
	"encoding/hex"
	"slices"

	"github.com/containerpub/cpub/sdk"
)

// mounts checks what is mounted into a container.
func (c *check) mounts() {
	var mounts []struct {
		Volume   *string `json:"volume"`
		HostPath *string `json:"host_path"`
		ReadOnly *bool   `json:"read_only"`
		Relabel  *string `json:"relabel"`
	}
	c.get("mount", &mounts)
	for _, m := range mounts {
		if m.Volume != nil && !sdk.MatchName(c.policy.Volumes, *m.Volume) {
			c.deny("volumes", "volume %q is not allowed", *m.Volume)
		}
		if m.HostPath == nil {
			continue
		}
		write, relabel := m.ReadOnly != nil && !*m.ReadOnly, m.Relabel != nil
		if err := sdk.CheckHostPath(c.policy.HostPaths, *m.HostPath, write, relabel); err != nil {
			c.deny("host_paths", "%w", err)
		}
	}
}

// confinement checks what would loosen the kernel's own confinement of a container. Only the defaults need no rule: a profile of an author's own may
// allow anything.
func (c *check) confinement() {
	var seccomp string
	if c.get("seccomp", &seccomp) && seccomp != "default" && !c.allowsSeccomp(seccomp) {
		if seccomp == "unconfined" {
			c.deny("seccomp", "a container without a seccomp filter is not allowed")
		} else {
			c.deny("seccomp", "a seccomp profile of the author's own is not allowed (this one is sha256:%s)", digest(seccomp))
		}
	}
	var options []string
	c.get("selinux", &options)
	for _, o := range options {
		if !sdk.MatchName(c.policy.SELinux, o) {
			c.deny("selinux", "the SELinux option %q is not allowed", o)
		}
	}
}

func (c *check) allowsSeccomp(profile string) bool {
	if profile == "unconfined" {
		return slices.Contains(c.policy.Seccomp, profile)
	}
	return slices.Contains(c.policy.Seccomp, "custom") || slices.Contains(c.policy.Seccomp, "sha256:"+digest(profile))
}

func digest(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

// collected checks how much may become artifacts.
func (c *check) collected() {
	if c.contract.Attr("collect_limit") == nil {
		return
	}
	def := c.defaultSize("collect_limit")
	limit := def
	if most := orDefault(c.policy.Max.Collect, def); c.get("collect_limit", &limit) && limit > most {
		c.deny("max.collect", "collecting %s is more than %s", limit, most)
	}
}
