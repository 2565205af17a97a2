package sdktest

import (
	"errors"
	"strings"
	"testing"

	"github.com/containerpub/cpub/sdk"
)

// usernsHolds: each mode is what it says, or refused on that attribute; it is never silently another one.
func usernsHolds(t *testing.T, c *containers) {
	for _, mode := range []string{"auto", "keep-id", "nomap", "host"} {
		res := c.run(map[string]any{"userns": mode}, "status")
		if res.Err != nil {
			refused(t, res, "userns")
			c.nothingLeft(t, res.Key)
			continue
		}
		var out ran
		res.Decode(&out)
		if want := map[bool]string{true: "host", false: "private"}[mode == "host"]; out.Receipt.Limits.Userns != want {
			t.Errorf("userns %s is %q", mode, out.Receipt.Limits.Userns)
		}
	}
}

func refused(t *testing.T, res *Result, attr string) {
	t.Helper()
	var e *sdk.Error
	if !errors.As(res.Err, &e) || e.Kind != sdk.KindInvalid || e.Attr != attr {
		t.Errorf("%v, want a mistake in %s", res.Err, attr)
	}
}

// seccompFilters by the default, by a profile of the author's own, and not at all.
func seccompFilters(t *testing.T, c *containers) {
	const profile = `{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1}]}`
	for value, want := range map[string][]string{
		"default":    {"Seccomp: 2", "mkdir /tmp/d: <nil>"},
		profile:      {"Seccomp: 2", "mkdir /tmp/d: mkdir /tmp/d: operation not permitted"},
		"unconfined": {"Seccomp: 0", "mkdir /tmp/d: <nil>"},
	} {
		res := c.run(map[string]any{"seccomp": value, "command": nil, "script": "status\nmkdir /tmp/d\n"})
		var out ran
		res.Decode(&out)
		holds(t, out.Stdout, want...)
		check(t, c.Release(res.Key))
		c.nothingLeft(t, res.Key)
	}
	for _, wrong := range []string{"", "none", "{", "[]", "{}", `{"defaultAction": "SCMP_ACT_ALLOW"}`} {
		refused(t, c.run(map[string]any{"seccomp": wrong}, "exit", "0"), "seccomp")
	}
}

// selinuxIsNeverIgnored: where there is no SELinux, asking for it is refused.
func selinuxIsNeverIgnored(t *testing.T, c *containers) {
	res := c.run(map[string]any{"selinux": []string{"type:container_t"}}, "exit", "0")
	if res.Err != nil {
		refused(t, res, "selinux")
		c.nothingLeft(t, res.Key)
	}
	refused(t, c.run(map[string]any{"selinux": []string{"colour:blue"}}, "exit", "0"), "selinux")
}

func ulimitsHold(t *testing.T, c *containers) {
	out := c.ok(t, map[string]any{"ulimits": map[string]string{"nofile": "200", "core": "0:100", "fsize": "1048576"}}, "limits")
	holds(t, out.Stdout, "Max open files 200 200 files", "Max core file size 0 100 bytes", "Max file size 1048576 1048576 bytes")
	for _, wrong := range []map[string]string{
		{"files": "1"}, {"nofile": "many"}, {"nofile": "2:1"}, {"nofile": "-1"}, {"nofile": "1:2:3"}, {"nofile": ""},
	} {
		refused(t, c.run(map[string]any{"ulimits": wrong}, "exit", "0"), "ulimits")
	}
	// More than anybody may give: the kernel itself has a bound.
	res := c.run(map[string]any{"ulimits": map[string]string{"nofile": "9000000000"}}, "exit", "0")
	refused(t, res, "ulimits")
	if res.Err != nil && !strings.Contains(res.Err.Error(), "nofile") {
		t.Errorf("the refusal names no limit: %v", res.Err)
	}
	c.nothingLeft(t, res.Key)
}
