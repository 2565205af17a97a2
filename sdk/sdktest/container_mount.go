package sdktest

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/containerpub/cpub/sdk"
)

// mountsHold mounts artifacts, memory, a volume and a path of the host.
func mountsHold(t *testing.T, c *containers) {
	dir, file := c.Dir(tree(t)), c.Bytes("conf", []byte("conf"))
	out := c.ok(t, map[string]any{"command": nil, "mount": []any{
		map[string]any{"path": "/src", "artifact": dir},
		map[string]any{"path": "/conf", "artifact": file},
		map[string]any{"path": "/fast", "tmpfs": "1m"},
	}, "script": "list /src\nlist /conf\nwrite /src/x /conf /fast/x\nmounts\n"})
	holds(t, out.Stdout, "file /src/plain.txt plain", "file /src/sub/deep/run #!run", "file /conf conf", "write /fast/x: <nil>",
		"write /src/x: open /src/x: read-only file system")
	if strings.Contains(out.Stdout, "write /conf: <nil>") || !strings.Contains(out.Stdout, "/fast tmpfs rw,nosuid,nodev") {
		t.Errorf("a file can be written, or there is no memory:\n%s", out.Stdout)
	}
	volumesStay(t, c)
	hostPaths(t, c)
	for name, mount := range map[string]map[string]any{
		"nothing":              {"path": "/a"},
		"two things":           {"path": "/a", "artifact": file, "tmpfs": "1m"},
		"relative":             {"path": "a", "tmpfs": "1m"},
		"the root":             {"path": "/", "tmpfs": "1m"},
		"dots":                 {"path": "/a/../..", "tmpfs": "1m"},
		"over the kernel's":    {"path": "/proc/sys", "tmpfs": "1m"},
		"over another":         {"path": "/tmp", "tmpfs": "1m"},
		"no size":              {"path": "/a", "tmpfs": "0"},
		"a writable artifact":  {"path": "/a", "artifact": file, "read_only": false},
		"a name of the host's": {"path": "/a", "volume": "../etc"},
	} {
		res := c.run(map[string]any{"mount": []any{mount}}, "exit", "0")
		wantKind(t, res, sdk.KindInvalid)
		if res.Err == nil {
			t.Errorf("%s was mounted", name)
		}
	}
}

// volumesStay: what one step writes into a volume another one reads, also after the release of the first.
func volumesStay(t *testing.T, c *containers) {
	name := "sdktest-" + NewKey()[:12]
	mount := func(readOnly bool) map[string]any {
		return map[string]any{"mount": []any{map[string]any{"path": "/vol", "volume": name, "read_only": readOnly}}}
	}
	first := c.run(mount(false), "put", "/vol/a", "kept")
	var out ran
	first.Decode(&out)
	check(t, c.Release(first.Key))
	c.nothingLeft(t, first.Key)
	out = c.ok(t, mount(true), "list", "/vol")
	holds(t, out.Stdout, "file /vol/a kept")
	holds(t, c.ok(t, mount(true), "write", "/vol/b").Stdout, "write /vol/b: open /vol/b: read-only file system")
}

// hostPaths are what the policy allows, wherever links lead.
func hostPaths(t *testing.T, c *containers) {
	base, err := filepath.EvalSymlinks(t.TempDir())
	check(t, err)
	for _, dir := range []string{"allowed", "private"} {
		check(t, os.MkdirAll(filepath.Join(base, dir), 0o755))
		check(t, os.WriteFile(filepath.Join(base, dir, "a"), []byte(dir), 0o644))
	}
	check(t, os.Symlink("../private", filepath.Join(base, "allowed", "out")))
	check(t, os.Symlink("a", filepath.Join(base, "allowed", "in")))
	run := func(path string, readOnly any, command ...string) *Result {
		call := c.call(map[string]any{"mount": []any{map[string]any{"path": "/host", "host_path": path, "read_only": readOnly}}}, command...)
		call.Rules.HostPaths = []string{filepath.Join(base, "allowed")}
		return c.Run(call)
	}
	var out ran
	run(filepath.Join(base, "allowed"), nil, "list", "/host/a").Decode(&out)
	holds(t, out.Stdout, "file /host/a allowed")
	run(filepath.Join(base, "allowed", "in"), nil, "list", "/host").Decode(&out)
	holds(t, out.Stdout, "file /host allowed")
	run(filepath.Join(base, "allowed"), true, "write", "/host/b").Decode(&out)
	holds(t, out.Stdout, "write /host/b: open /host/b: read-only file system")
	for _, path := range []string{"private", "allowed/out", "allowed/out/a"} {
		res := run(filepath.Join(base, path), nil, "list", "/host")
		wantCode(t, res, sdk.KindPermanent, sdk.CodeDenied)
		c.nothingLeft(t, res.Key)
	}
	wantCode(t, run(filepath.Join(base, "allowed"), false, "exit", "0"), sdk.KindPermanent, sdk.CodeDenied)
	wantKind(t, run(filepath.Join(base, "allowed", "none"), nil, "exit", "0"), sdk.KindInvalid)
}
