//go:build integration

package provider_test

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/containerpub/cpub/internal/testenv"
	"github.com/containerpub/cpub/plugins/podman/internal/provider"
	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/sdktest"
)

// built are image_build's outputs.
type built struct {
	Image  sdk.Located `json:"image"`
	Tags   []string    `json:"tags"`
	Size   int64       `json:"size"`
	Cached bool        `json:"cached"`
}

// pushed are image_push's outputs.
type pushed struct {
	Reference string `json:"reference"`
	Digest    string `json:"digest"`
	Cached    bool   `json:"cached"`
}

// allowLocal are rules that let builds start from what is in the store.
var allowLocal = sdk.Rules{BuildFrom: []string{"localhost/*"}, Source: "worker.hcl:1"}

// buildCall builds a context of these files.
func buildCall(t *testing.T, h *sdktest.Harness, files map[string]string, more map[string]any) sdktest.Call {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	in := map[string]any{"context": h.Dir(dir)}
	for k, v := range more {
		in[k] = v
	}
	return sdktest.Call{Type: "image_build", Input: in, Rules: allowLocal}
}

func TestImages(t *testing.T) {
	registry := testenv.Services(t).Registry
	cases := []struct {
		name string
		test func(t *testing.T, e *env, registry string)
	}{
		{"build", build},
		{"build secrets", buildSecrets},
		{"build limits", buildLimits},
		{"build for another platform", buildForeign},
		{"service killed", buildServiceKilled},
		{"service and provider killed", buildBothKilled},
		{"push and pull", pushAndPull},
		{"prune keeps", pruneKeeps},
		{"push failures", pushFailures},
	}
	eachVersion(t, func(t *testing.T, e *env) {
		e.Harness = e.connect(t, sdk.Registry{Host: registry, Insecure: true})
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) { c.test(t, e, registry) })
		}
	})
}

// build looks at the image in Podman's store, and at its names: while its run lives, and after.
func build(t *testing.T, e *env, _ string) {
	files := map[string]string{"Containerfile": "FROM " + probe + "\nCOPY data /data\n", "data": "a"}
	r := e.Run(buildCall(t, e.Harness, files, map[string]any{"tags": []string{"localhost/mine:1"}, "labels": map[string]string{"a": "b"}}))
	var out built
	r.Decode(&out)
	if !strings.Contains(r.Text("step"), "STEP") {
		t.Errorf("the live log: %s", r.Text("step"))
	}
	if label := e.podman.Run(t, "image", "inspect", "--format", "{{.Labels.a}} {{.Id}}", "localhost/mine:1"); label != "b "+out.Image.ID {
		t.Errorf("the image is %q, want label b and id %s", label, out.Image.ID)
	}
	run := e.Run(sdktest.Call{Type: "container_run", Input: map[string]any{"image": out.Image, "command": []string{"list", "/data"}}})
	if got := ok(t, run); got.Stdout != "file /data a\n" {
		t.Errorf("the image that was built has %q", got.Stdout)
	}
	inline := e.Run(buildCall(t, e.Harness, map[string]string{"f": "x"}, map[string]any{"containerfile": "FROM " + probe + "\nCOPY . /all/\n"}))
	inline.Decode(&out)
	// Release removes what no name keeps, and what has a name of the user's stays.
	if err := e.Release(r.Key, run.Key, inline.Key); err != nil {
		t.Fatal(err)
	}
	names := e.podman.Run(t, "images", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}")
	if strings.Contains(names, "localhost/cpub") || !strings.Contains(names, "localhost/mine:1") || strings.Contains(names, out.Image.ID[:12]) {
		t.Errorf("images after the release:\n%s", names)
	}
}

// progress cancels a build when it shows a sign.
type progress struct {
	*started
	sign string
}

func (p progress) Log(_ string, b []byte) {
	if bytes.Contains(b, []byte(p.sign)) {
		p.started.Log("stdout", b)
	}
}

// buildServiceKilled: the attempt fails in a way that is tried again, and leaves neither its RUN nor its container.
func buildServiceKilled(t *testing.T, e *env, _ string) {
	s := whenStarted(t, nil)
	s.cancel = func(error) {}
	call := buildCall(t, e.Harness, map[string]string{"Containerfile": "FROM " + probe + "\nRUN [\"/probe\", \"wait\", \"50\"]\n"}, nil)
	call.Host = progress{s, "line 1"}
	go func() {
		<-s.seen
		e.podman.Kill(t)
		time.Sleep(300 * time.Millisecond)
		e.podman.Restart(t)
	}()
	r := e.Run(call)
	var se *sdk.Error
	if r.Err == nil || errors.As(r.Err, &se) && se.Kind != sdk.KindTransient {
		t.Errorf("a build whose service was killed: %v, want a failure that is tried again", r.Err)
	}
	e.awaitNothingLeft(t)
	call.Key, call.Attempt, call.Returned, call.Host = r.Key, 2, true, nil
	e.Run(call).Decode(new(built))
	e.awaitNothingLeft(t)
}

// buildBothKilled: nobody is there to remove the working container and to end its RUN, until the step is repeated, or its run is swept.
func buildBothKilled(t *testing.T, e *env, registry string) {
	lose := func(run string) sdktest.Call {
		s := whenStarted(t, nil)
		s.cancel = func(error) {}
		p := provider.New()
		h := sdktest.New(t, p, sdktest.Options{
			Config: map[string]string{"connection": e.podman.URI}, Registries: []sdk.Registry{{Host: registry, Insecure: true}},
		})
		call := buildCall(t, h, map[string]string{"Containerfile": "FROM " + probe + "\nRUN [\"/probe\", \"wait\", \"600\"]\n"}, nil)
		call.Key, call.Run, call.Host = sdktest.NewKey(), run, progress{s, "line 1"}
		go func() {
			<-s.seen
			e.podman.Kill(t)
			if err := p.Close(); err != nil { // what it would do now, it cannot do any more
				t.Error(err)
			}
		}()
		r := h.Run(call)
		if r.Err == nil {
			t.Error("the build was not lost")
		}
		e.podman.Restart(t)
		if working := e.workingContainers(t); working == "" {
			t.Error("nothing is left: the test shows nothing")
		}
		return call
	}
	lost := lose("live/1")
	for _, sweep := range []sdk.Sweep{{LiveRuns: []string{"live/1"}}, {Grace: sdkHour}} {
		if _, err := e.Sweep(sweep); err != nil || e.workingContainers(t) == "" {
			t.Errorf("%+v swept the working container of a run that lives, or within the grace (%v)", sweep, err)
		}
	}
	// The next attempt, on another provider, whose own RUN is short.
	next := buildCall(t, e.Harness, map[string]string{"Containerfile": "FROM " + probe + "\nRUN [\"/probe\", \"wait\", \"2\"]\n"}, nil)
	next.Key, next.Run, next.Attempt = lost.Key, lost.Run, 2
	e.Run(next).Decode(new(built))
	e.awaitNothingLeft(t)
	lost = lose("dead/1")
	if n, err := e.Sweep(sdk.Sweep{LiveRuns: []string{"live/1"}}); err != nil || n < 1 {
		t.Errorf("swept %d (%v), want the one that is dead", n, err)
	}
	e.awaitNothingLeft(t)
	if err := e.Release(next.Key); err != nil {
		t.Error(err)
	}
	for _, key := range []string{next.Key, lost.Key} {
		for _, what := range left(t, e.podman, key) {
			t.Errorf("left: %s", what)
		}
	}
}

func (e *env) workingContainers(t *testing.T) string {
	t.Helper()
	return strings.Join(workingContainers(t, e.podman), ", ")
}

// awaitNothingLeft gives Podman some seconds to remove what a build that was broken off left.
func (e *env) awaitNothingLeft(t *testing.T) {
	t.Helper()
	var left string
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		left = e.workingContainers(t)
		if left == "" {
			return
		}
	}
	t.Errorf("containers of builds are left: %s", left)
}

// pushAndPull: what was built here is pushed, goes, comes back by its digest as the same image, and is run by reference.
func pushAndPull(t *testing.T, e *env, registry string) {
	tag := fmt.Sprintf("%s/pushed-%s:v1", registry, strings.ReplaceAll(e.podman.Version, ".", "-"))
	var b built
	e.Run(buildCall(t, e.Harness, map[string]string{"Containerfile": "FROM " + probe + "\nLABEL x=" + e.podman.Version + "\n"}, nil)).Decode(&b)
	var out pushed
	e.Run(sdktest.Call{Type: "image_push", Input: map[string]any{"image": b.Image, "destination": tag}}).Decode(&out)
	e.podman.Run(t, "rmi", "--force", b.Image.ID)
	rules := sdk.Rules{PullFrom: []string{registry + "/*"}}
	var pulled struct {
		Image  sdk.Located `json:"image"`
		Digest string      `json:"digest"`
	}
	pull := e.Run(sdktest.Call{Type: "image_pull", Input: map[string]any{"reference": out.Reference}, Rules: rules})
	pull.Decode(&pulled)
	if p := pull.ProgressReports(); len(p) == 0 || p[len(p)-1].Unit != "bytes" || p[len(p)-1].Done <= 0 {
		t.Errorf("the progress of the pull was %+v", p)
	}
	if pulled.Digest != out.Digest || pulled.Image.ID != b.Image.ID {
		t.Errorf("pulled %+v, want %s with digest %s", pulled, b.Image.ID, out.Digest)
	}
	e.podman.Run(t, "rmi", "--force", b.Image.ID)
	run := ok(t, e.Run(sdktest.Call{Type: "container_run", Input: map[string]any{"image": out.Reference, "command": []string{"exit", "0"}}, Rules: rules}))
	if run.Receipt.PullMS <= 0 {
		t.Errorf("the receipt's pull_ms is %d", run.Receipt.PullMS)
	}
}

func pushFailures(t *testing.T, e *env, registry string) {
	push := func(h *sdktest.Harness, dest string) error {
		return h.Run(sdktest.Call{Type: "image_push", Input: map[string]any{"image": e.image(), "destination": dest}}).Err
	}
	var se *sdk.Error
	// The registry speaks plain HTTP, and nothing says that this is meant.
	err := push(e.connect(t), registry+"/x:1")
	if !errors.As(err, &se) || se.Kind != sdk.KindPermanent || !strings.Contains(err.Error(), "insecure = true") {
		t.Errorf("plain HTTP by surprise: %v", err)
	}
}
