package sdktest

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/containerpub/cpub/sdk"
)

// tree is a folder with a file, a program, a folder and a link.
func tree(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	check(t, os.MkdirAll(filepath.Join(dir, "sub", "deep"), 0o755))
	check(t, os.WriteFile(filepath.Join(dir, "plain.txt"), []byte("plain"), 0o644))
	check(t, os.WriteFile(filepath.Join(dir, "sub", "deep", "run"), []byte("#!run"), 0o755))
	check(t, os.Symlink("sub/deep/run", filepath.Join(dir, "link")))
	return dir
}

// filesArePut into the container before it starts, where they belong to its user.
func filesArePut(t *testing.T, c *containers) {
	file, dir := c.Bytes("hello.txt", []byte("hello")), c.Dir(tree(t))
	files := map[string]any{"/data/new/hello.txt": file, "/app": dir, "/who": file}
	out := c.ok(t, map[string]any{"files": files, "user": "1000:1001", "command": nil, "script": "list /data\nlist /app\nlist /who\n" +
		"stat /data/new/hello.txt /app /app/sub/deep/run /app/plain.txt /app/link\nwrite /app/x\n"})
	holds(t, out.Stdout, "file /data/new/hello.txt hello", "file /app/plain.txt plain", "file /app/sub/deep/run #!run", "file /who hello",
		"stat /data/new/hello.txt -rw-r--r-- 1000 1001", "stat /app drwxr-xr-x 1000 1001", "stat /app/sub/deep/run -rwxr-xr-x 1000 1001",
		"stat /app/plain.txt -rw-r--r-- 1000 1001", "file /app/link #!run", "write /app/x: open /app/x: read-only file system")
	// Where the root can be written to, its user may change them.
	out = c.ok(t, map[string]any{"files": files, "user": "1000:1001", "read_only": false}, "write", "/app/x", "/app/plain.txt")
	holds(t, out.Stdout, "write /app/x: <nil>", "write /app/plain.txt: <nil>")
	for _, path := range []string{"relative", "/", "/a/../b", "/a//b", "/tmp/x", "/tmp", "/proc/x", "/dev/shm/x", "/etc/hosts"} {
		wantKind(t, c.run(map[string]any{"files": map[string]any{path: file}}, "exit", "0"), sdk.KindInvalid)
	}
	// Below what is a file in the image.
	res := c.run(map[string]any{"files": map[string]any{"/who/x": file}}, "exit", "0")
	wantKind(t, res, sdk.KindInvalid)
	c.nothingLeft(t, res.Key)
}

// filesAreCollected when the container has ended, well or not.
func filesAreCollected(t *testing.T, c *containers) {
	collect := map[string]any{"report": "/out/report.txt", "site": "/var/site/"}
	script := "put /out/report.txt all is well\nput /var/site/index.html hi\nput /var/site/a/b.txt b\nlink a/b.txt /var/site/b\n"
	for _, user := range []any{nil, "1000:1001"} {
		res := c.run(map[string]any{"collect": collect, "command": nil, "script": script, "user": user})
		var out ran
		res.Decode(&out)
		collected(t, c, out, "report", "all is well")
		site := c.Path(out.Collected["site"])
		for name, want := range map[string]string{"index.html": "hi", "a/b.txt": "b", "b": "b"} {
			if got, err := os.ReadFile(filepath.Join(site, name)); err != nil || string(got) != want {
				t.Errorf("collected %s: %q, %v", name, got, err)
			}
		}
		if d := out.Collected["site"]; d.MediaType != sdk.MediaTypeDirectory || d.Name != "site" {
			t.Errorf("the folder is %+v", d)
		}
		check(t, c.Release(res.Key))
		c.nothingLeft(t, res.Key)
	}
	collectsFailures(t, c)
	collectsNoLies(t, c)
	collectsAgain(t, c)
}

func collected(t *testing.T, c *containers, out ran, name, want string) {
	t.Helper()
	a := out.Collected[name]
	if a == nil {
		t.Fatalf("%s was not collected: %+v", name, out.Collected)
	}
	if got, err := os.ReadFile(c.Path(a)); err != nil || string(got) != want || a.MediaType == sdk.MediaTypeDirectory {
		t.Errorf("collected %s: %q, %v, %s; want %q", name, got, err, a.MediaType, want)
	}
}

// collectsFailures: what a container that failed left is collected too, as far as it is there.
func collectsFailures(t *testing.T, c *containers) {
	collect := map[string]any{"report": "/out/report.txt", "more": "/out/more/"}
	res := c.run(map[string]any{"collect": collect, "command": nil, "script": "put /out/report.txt two failed\nexit 3\n"})
	wantCode(t, res, sdk.KindPermanent, sdk.CodeExit)
	var e *sdk.Error
	if errors.As(res.Err, &e) && !strings.Contains(string(e.Outputs), "report.txt") {
		t.Errorf("a failed container's report is not among its outputs: %s", e.Outputs)
	}
	c.nothingLeft(t, res.Key)
}

// collectsNoLies: what is not there, not of the kind, too much, or leads out is a failure that says so.
func collectsNoLies(t *testing.T, c *containers) {
	for name, tt := range map[string]struct {
		path, script, want string
		more               map[string]any
	}{
		"missing":            {"/out/report.txt", "put /out/other x", "left nothing at /out/report.txt", nil},
		"missing folder":     {"/out/site/", "put /tmp/other x", "", map[string]any{"read_only": false}},
		"a folder":           {"/out/x", "put /out/x/y z", "is a folder", nil},
		"a file":             {"/out/x/", "put /out/x y", "", map[string]any{"read_only": false}},
		"a link":             {"/out/x", "link /who /out/x", "", nil},
		"links out":          {"/out/", "link /etc /out/x", "leads out of the folder", nil},
		"links out by steps": {"/out/", "link ../../who /out/x", "leads out of the folder", nil},
		"too much":           {"/out/x", "fill /out/x 2", "more than 1MiB (collect_limit)", map[string]any{"collect_limit": "1MiB"}},
	} {
		in := map[string]any{"collect": map[string]any{"it": tt.path}, "command": nil, "script": tt.script}
		for k, v := range tt.more {
			in[k] = v
		}
		res := c.run(in)
		wantKind(t, res, sdk.KindPermanent)
		if res.Err != nil && !strings.Contains(res.Err.Error(), tt.want) {
			t.Errorf("%s: %v, want %q", name, res.Err, tt.want)
		}
		if tt.more != nil {
			c.nothingLeft(t, res.Key)
		}
	}
	for name, path := range map[string]string{
		"memory": "/tmp/report.txt", "memory itself": "/tmp/", "the root": "/report.txt", "relative": "out", "dots": "/out/../x", "kernel": "/proc/x",
	} {
		res := c.run(map[string]any{"collect": map[string]any{"it": path}}, "exit", "0")
		wantKind(t, res, sdk.KindInvalid)
		if name == "memory" && res.Err != nil && !strings.Contains(res.Err.Error(), "memory") {
			t.Errorf("collecting from memory: %v", res.Err)
		}
	}
}

// collectsAgain: an attempt that adopts a container which has ended collects the same.
func collectsAgain(t *testing.T, c *containers) {
	more := map[string]any{"collect": map[string]any{"report": "/tmp/out/report.txt"}, "command": nil, "script": "put /tmp/out/report.txt same\n"}
	first := c.run(more)
	var out, again ran
	first.Decode(&out)
	next := c.call(more)
	next.Key, next.Attempt, next.Checkpoint = first.Key, 2, first.LastCheckpoint()
	c.Run(next).Decode(&again)
	collected(t, c, out, "report", "same")
	if a, b := out.Collected["report"], again.Collected["report"]; b == nil || a.Digest != b.Digest {
		t.Errorf("collected %+v, and by another attempt %+v", a, b)
	}
	check(t, c.Release(first.Key))
	c.nothingLeft(t, first.Key)
}
