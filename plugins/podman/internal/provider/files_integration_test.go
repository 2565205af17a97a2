//go:build integration

package provider_test

import (
	"archive/tar"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/containerpub/cpub/internal/testenv"
	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/schema"
	"github.com/containerpub/cpub/sdk/sdktest"
)

// TestContainerFiles is what is Podman's own about files, volumes and confinement.
func TestContainerFiles(t *testing.T) {
	cases := []struct {
		name string
		test func(t *testing.T, e *env)
	}{
		{"what Podman leaves out", leftOut},
		{"volumes of a step", stepVolumes},
		{"plain steps make no more", plainMakesNoVolumes},
		{"volumes that stay", namedVolumes},
		{"an example's script", exampleScript},
	}
	eachVersion(t, func(t *testing.T, e *env) {
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) { c.test(t, e) })
		}
	})
}

// leftOut: Podman's archives of a volume lack a top folder "dev"; a collected folder that lacks something is a failure.
func leftOut(t *testing.T, e *env) {
	r := e.run(map[string]any{"collect": map[string]string{"it": "/out/"}, "time_limit": "60s"}, "put", "/out/dev/x", "y")
	failed(t, r, "collect")
	if !strings.Contains(r.Err.Error(), `no "dev" at its top`) {
		t.Errorf("a folder that lacks something: %v", r.Err)
	}
	// Below the top it is there.
	ok(t, e.run(map[string]any{"collect": map[string]string{"it": "/out/site/", "all": "/out/"}, "time_limit": "60s"}, "put", "/out/site/dev/x", "y"))
}

// stepVolumes carry the step's labels and go with it: by Release, and by the sweeper when nobody released them.
func stepVolumes(t *testing.T, e *env) {
	call := e.call(map[string]any{"collect": map[string]string{"it": "/out/x"}, "time_limit": "60s"}, "put", "/out/x", "y")
	call.Run, call.Key = "dead/2", sdktest.NewKey()
	// An attempt that was lost early may have left one: nothing of it is used.
	e.podman.Run(t, "volume", "create", "cpub-"+call.Key+"-0")
	r := e.Run(call)
	ok(t, r)
	name := e.podman.Run(t, "volume", "ls", "--quiet", "--filter", "label=io.cpub.key="+r.Key)
	if name == "" || e.podman.Run(t, "volume", "inspect", "--format", `{{index .Labels "io.cpub.run"}} {{index .Labels "io.cpub.step"}}`, name) != "dead/2 step" {
		t.Errorf("the step's volume is %q", name)
	}
	if _, err := e.Sweep(sdk.Sweep{LiveRuns: []string{"dead/2"}}); err != nil || volumesOf(t, e, r.Key) == "" {
		t.Errorf("the sweeper took the volume of a live run: %v", err)
	}
	if _, err := e.Sweep(sdk.Sweep{Grace: sdkHour}); err != nil || volumesOf(t, e, r.Key) == "" {
		t.Errorf("the sweeper took a young volume: %v", err)
	}
	if n, err := e.Sweep(sdk.Sweep{Grace: schema.Duration(0)}); err != nil || n < 2 || volumesOf(t, e, r.Key) != "" {
		t.Errorf("the sweeper removed %d things: %v", n, err)
	}
}

func volumesOf(t *testing.T, e *env, key string) string {
	t.Helper()
	return e.podman.Run(t, "volume", "ls", "--quiet", "--filter", "label=io.cpub.key="+key)
}

// plainMakesNoVolumes: what is not asked for is not made.
func plainMakesNoVolumes(t *testing.T, e *env) {
	before := e.podman.Run(t, "volume", "ls", "--quiet")
	r := e.run(nil, "exit", "0")
	ok(t, r)
	if now := e.podman.Run(t, "volume", "ls", "--quiet"); now != before {
		t.Errorf("volumes before %q, with a plain step %q", before, now)
	}
	if err := e.Release(r.Key); err != nil {
		t.Error(err)
	}
}

// namedVolumes tell who made them, and outlive run and sweeper.
func namedVolumes(t *testing.T, e *env) {
	const name = "test-cache"
	call := e.call(map[string]any{"mount": []any{map[string]any{"path": "/c", "volume": name}}, "time_limit": "60s"}, "write", "/c/x")
	call.Run = "dead/3"
	r := e.Run(call)
	has(t, ok(t, r).Stdout, "write /c/x: <nil>")
	if err := e.Release(r.Key); err != nil {
		t.Error(err)
	}
	if _, err := e.Sweep(sdk.Sweep{}); err != nil {
		t.Error(err)
	}
	if got := e.podman.Run(t, "volume", "inspect", "--format", `{{index .Labels "io.cpub.run"}}`, name); got != "dead/3" {
		t.Errorf("the volume's run is %q", got)
	}
	e.podman.Run(t, "volume", "rm", name)
}

// exampleScript runs the script of examples/hcl/pages, with the shell that it is written for.
func exampleScript(t *testing.T, e *env) {
	example := filepath.Join("..", "..", "..", "..", "examples", "hcl", "pages")
	script, err := os.ReadFile(filepath.Join(example, "make.sh"))
	if err != nil {
		t.Fatal(err)
	}
	call := e.call(map[string]any{
		"command": nil, "script": string(script), "env": map[string]string{"TITLE": "Notes"}, "time_limit": "60s", "ulimits": map[string]string{"fsize": "1048576"},
		"files": map[string]any{"/notes": e.Dir(filepath.Join(example, "notes"))}, "collect": map[string]string{"site": "/out/site/", "report": "/out/report.txt"},
		"image": sdk.Located{ID: busybox(t, e), Location: e.Location},
	})
	r := e.Run(call)
	var out struct{ Collected map[string]*sdk.Artifact }
	r.Decode(&out)
	page, err := os.ReadFile(filepath.Join(e.Path(out.Collected["site"]), "sums.html"))
	if err != nil || string(page) != "<!doctype html><title>Notes</title><pre>\nx &lt; y, mostly\n</pre>\n" {
		t.Errorf("the page is %q: %v", page, err)
	}
	report, err := os.ReadFile(e.Path(out.Collected["report"]))
	if err != nil || !strings.Contains(string(report), "/out/site/shopping.html") {
		t.Errorf("the report is %q: %v", report, err)
	}
}

// busybox imports an image of a real shell.
func busybox(t *testing.T, e *env) string {
	t.Helper()
	program, err := os.ReadFile("/bin/busybox")
	if err != nil {
		t.Fatalf("the tests need busybox-static (hack/apt.sh test): %v", err)
	}
	file := filepath.Join(t.TempDir(), "image.tar")
	f, err := os.Create(file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	w := tar.NewWriter(f)
	headers := []tar.Header{{Name: "bin/busybox", Typeflag: tar.TypeReg, Mode: 0o755, Size: int64(len(program))}}
	for _, name := range []string{"sh", "sed", "wc", "tee", "mkdir"} {
		headers = append(headers, tar.Header{Name: "bin/" + name, Typeflag: tar.TypeSymlink, Linkname: "busybox", Mode: 0o777})
	}
	for _, h := range headers {
		if err := w.WriteHeader(&h); err != nil {
			t.Fatal(err)
		}
		if h.Size > 0 {
			if _, err := w.Write(program); err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	e.podman.Run(t, "import", "--quiet", "--change", "ENV PATH=/bin", file, "localhost/busybox:latest")
	return e.podman.Run(t, "images", "--quiet", "--no-trunc", "localhost/busybox:latest")
}

// TestUserNamespaces of a rootless Podman: each mode is proven, or refused with the reason. Limits do not hold there, see TestUnenforceableLimits.
func TestUserNamespaces(t *testing.T) {
	for _, version := range testenv.PodmanVersions {
		t.Run(version, func(t *testing.T) {
			e := newEnv(t, testenv.StartRootlessPodman(t, version))
			service := e.podman.Run(t, "info", "--format", "{{(index .Host.IDMappings.UIDMap 0).HostID}}")
			for mode, want := range map[string]string{
				"keep-id": "uid " + service, "nomap": "uid 0", "auto": "uid 0", "host": "uid 0",
			} {
				r := e.run(map[string]any{"userns": mode, "allow_unenforced_limits": true, "time_limit": "60s"}, "env")
				if out := ok(t, r); !strings.Contains(out.Stdout, want+" ") || out.Receipt.Limits.Userns != "private" {
					t.Errorf("userns %s: it is %q (%s), want %s", mode, out.Stdout, out.Receipt.Limits.Userns, want)
				}
				if err := e.Release(r.Key); err != nil {
					t.Error(err)
				}
			}
			filesForAnotherUser(t, e)
		})
	}
}

// filesForAnotherUser: a Podman of another user cannot read this worker's files, nor a private folder of it; what is copied or mounted is there all the
// same, and a seccomp profile is in force.
func filesForAnotherUser(t *testing.T, e *env) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a"), []byte("of the worker"), 0o600); err != nil {
		t.Fatal(err)
	}
	file, tree := e.Bytes("f", []byte("a file")), e.Dir(dir)
	profile := `{"defaultAction": "SCMP_ACT_ALLOW", "syscalls": [{"names": ["mkdir", "mkdirat"], "action": "SCMP_ACT_ERRNO", "errnoRet": 1}]}`
	r := e.run(map[string]any{
		"allow_unenforced_limits": true, "time_limit": "60s", "seccomp": profile, "user": "7:8",
		"files": map[string]any{"/in/f": file}, "collect": map[string]string{"it": "/out/x"},
		"mount": []any{map[string]any{"path": "/src", "artifact": tree}, map[string]any{"path": "/conf", "artifact": file}},
	}, "list", "/in", "/src", "/conf")
	failed(t, r, "collect") // it wrote nothing
	var se *sdk.Error
	var out outputs
	if errors.As(r.Err, &se) {
		if err := json.Unmarshal(se.Outputs, &out); err != nil {
			t.Fatal(err)
		}
	}
	for _, line := range []string{"file /in/f a file", "file /src/a of the worker", "file /conf a file"} {
		has(t, out.Stdout, line)
	}
	r = e.run(map[string]any{
		"allow_unenforced_limits": true, "time_limit": "60s", "read_only": false,
		"mount": []any{map[string]any{"path": "/conf", "artifact": file}},
	}, "exit", "0")
	if !errors.As(r.Err, &se) || se.Kind != sdk.KindInvalid || !strings.Contains(r.Err.Error(), "use `files` for it") {
		t.Errorf("a file that would be writable: %v", r.Err)
	}
	if left := e.podman.Run(t, "volume", "ls", "--quiet", "--filter", "label=io.cpub.key"); left != "" {
		t.Errorf("volumes are left: %s", left)
	}
}
