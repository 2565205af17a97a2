//go:build integration

package provider_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/containerpub/cpub/internal/testenv"
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
		{"run limits", buildLimits},
		{"build policy", buildPolicy},
		{"build failures", buildFailures},
		{"build cancelled", buildCancelled},
		{"service killed", buildServiceKilled},
		{"push and pull", pushAndPull},
		{"push failures", pushFailures},
	}
	eachVersion(t, func(t *testing.T, e *env) {
		e.Harness = e.connect(t, sdk.Registry{Host: registry, Insecure: true})
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) { c.test(t, e, registry) })
		}
	})
}

func build(t *testing.T, e *env, _ string) {
	files := map[string]string{
		"Containerfile": "ARG BASE\nFROM ${BASE}\nARG WHO\nCOPY data /data\nRUN [\"/probe\", \"env\", \"WHO\"]\nENV NAME=$WHO\n",
		"data/a.txt":    "a", "data/secret": "s", ".containerignore": "data/secret\n",
	}
	args := map[string]any{
		"build_args": map[string]string{"BASE": probe, "WHO": "me"}, "tags": []string{"localhost/mine:1"},
		"labels": map[string]string{"a": "b"},
	}
	r := e.Run(buildCall(t, e.Harness, files, args))
	var out built
	r.Decode(&out)
	if out.Image.Location != e.Location || out.Size <= 0 || out.Cached || len(out.Tags) != 1 {
		t.Errorf("outputs: %+v", out)
	}
	if !strings.Contains(r.Text("step"), "STEP") || !strings.Contains(r.Text("step"), "WHO=me") {
		t.Errorf("the live log: %s", r.Text("step"))
	}
	if label := e.podman.Run(t, "image", "inspect", "--format", "{{.Labels.a}} {{.Id}}", "localhost/mine:1"); label != "b "+out.Image.ID {
		t.Errorf("the image is %q, want label b and id %s", label, out.Image.ID)
	}
	// What is ignored is not copied, and the image runs.
	run := ok(t, e.Run(sdktest.Call{Type: "container_run", Input: map[string]any{"image": out.Image, "command": []string{"write", "/data/a.txt", "/data/secret/x"}}}))
	if !strings.Contains(run.Stdout, "/data/a.txt: open /data/a.txt: read-only") || !strings.Contains(run.Stdout, "/data/secret/x: open /data/secret/x: no such file") {
		t.Errorf("the context was copied as: %s", run.Stdout)
	}
	var again built
	second := e.Run(buildCall(t, e.Harness, files, args))
	second.Decode(&again)
	if !again.Cached || again.Image.ID != out.Image.ID {
		t.Errorf("the same build again: %+v, want it cached as %s", again, out.Image.ID)
	}
	// An inline Containerfile, which is not in the image.
	inline := e.Run(buildCall(t, e.Harness, map[string]string{"f": "x"}, map[string]any{"containerfile": "FROM " + probe + "\nCOPY . /all/\n"}))
	inline.Decode(&out)
	last := e.Run(sdktest.Call{Type: "container_run", Input: map[string]any{
		"image": out.Image, "command": []string{"write", "/all/f", "/all/.cpub.Containerfile/x"},
	}})
	run = ok(t, last)
	if !strings.Contains(run.Stdout, "/all/f: open /all/f: read-only") || !strings.Contains(run.Stdout, "Containerfile/x: no such file") {
		t.Errorf("the inline build's context was copied as: %s", run.Stdout)
	}
	// Release removes what no name keeps, and what has a name of the user's stays.
	if err := e.Release(r.Key, second.Key, inline.Key, last.Key); err != nil {
		t.Fatal(err)
	}
	names := e.podman.Run(t, "images", "--format", "{{.Repository}}:{{.Tag}} {{.ID}}")
	if strings.Contains(names, "localhost/cpub") || !strings.Contains(names, "localhost/mine:1") || strings.Contains(names, out.Image.ID[:12]) {
		t.Errorf("images after the release:\n%s", names)
	}
}

func buildLimits(t *testing.T, e *env, _ string) {
	r := e.Run(buildCall(t, e.Harness, map[string]string{"Containerfile": "FROM " + probe + "\nRUN [\"/probe\", \"alloc\", \"300\"]\n"},
		map[string]any{"memory": "64m"}))
	failed(t, r, sdk.CodeOOM)
	if !strings.Contains(r.Err.Error(), "64MiB") {
		t.Errorf("a RUN over its memory: %v\n%s", r.Err, r.Text("step"))
	}
	r = e.Run(buildCall(t, e.Harness, map[string]string{"Containerfile": "FROM " + probe + "\nRUN [\"/probe\", \"net\", \"192.0.2.1:80\"]\n"}, nil))
	r.Decode(new(built))
	if text := r.Text("step"); !strings.Contains(text, "interface lo") || strings.Contains(text, "interface eth") || !strings.Contains(text, "unreachable") {
		t.Errorf("the network of a RUN: %s", text)
	}
	start := time.Now()
	r = e.Run(buildCall(t, e.Harness, map[string]string{"Containerfile": "FROM " + probe + "\nRUN [\"/probe\", \"sleep\", \"60\"]\n"}, map[string]any{"time_limit": "3s"}))
	failed(t, r, sdk.CodeTimeLimit)
	if took := time.Since(start); took > 30*time.Second {
		t.Errorf("a build of 3 s took %s", took)
	}
	e.awaitNothingLeft(t)
}

func buildPolicy(t *testing.T, e *env, registry string) {
	for name, file := range map[string]string{
		"FROM":        "FROM docker.io/library/alpine\n",
		"FROM by ARG": "ARG B=docker.io/library/alpine\nFROM $B\n",
		"COPY --from": "FROM " + probe + "\nCOPY --from=" + registry + "/x:1 / /\n",
		"RUN --mount": "FROM " + probe + "\nRUN --mount=type=bind,from=" + registry + "/x:1 [\"/probe\"]\n",
		"cache":       "FROM " + probe + "\nRUN --mount=type=cache,target=/c [\"/probe\"]\n",
		"ADD":         "FROM " + probe + "\nADD http://" + registry + "/ /x\n",
		"network":     "FROM " + probe + "\nRUN --network=host [\"/probe\"]\n",
	} {
		r := e.Run(buildCall(t, e.Harness, map[string]string{"Containerfile": file}, nil))
		var se *sdk.Error
		if !errors.As(r.Err, &se) || se.Code != sdk.CodeDenied || !strings.Contains(r.Err.Error(), "worker.hcl:1") {
			t.Errorf("%s: %v, want a refusal that names the policy", name, r.Err)
		}
	}
}

func buildFailures(t *testing.T, e *env, _ string) {
	r := e.Run(buildCall(t, e.Harness, map[string]string{"Containerfile": "FROM " + probe + "\nRUN [\"/probe\", \"exit\", \"3\"]\n"}, nil))
	failed(t, r, sdk.CodeExit)
	for name, c := range map[string]struct{ file, attr string }{
		"unknown instruction": {"FROM " + probe + "\nFORM x\n", "context"},
		"no FROM":             {"RUN x\n", "context"},
	} {
		r := e.Run(buildCall(t, e.Harness, map[string]string{"Containerfile": c.file}, nil))
		var se *sdk.Error
		if !errors.As(r.Err, &se) || se.Kind == sdk.KindTransient {
			t.Errorf("%s: %v, want the author's mistake", name, r.Err)
		}
	}
	r = e.Run(buildCall(t, e.Harness, map[string]string{"f": ""}, nil))
	var se *sdk.Error
	if !errors.As(r.Err, &se) || se.Kind != sdk.KindInvalid || se.Attr != "context" {
		t.Errorf("no Containerfile: %v", r.Err)
	}
	e.awaitNothingLeft(t)
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

func buildCancelled(t *testing.T, e *env, _ string) {
	s := whenStarted(t, sdk.ErrCancelled)
	call := buildCall(t, e.Harness, map[string]string{"Containerfile": "FROM " + probe + "\nRUN [\"/probe\", \"wait\", \"6000\"]\n"}, nil)
	call.Context, call.Host = s.ctx, progress{s, "line 1"}
	r := e.Run(call)
	if !errors.Is(r.Err, sdk.ErrCancelled) && !errors.Is(r.Err, context.Canceled) {
		t.Errorf("a cancelled build: %v", r.Err)
	}
	e.awaitNothingLeft(t)
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

// awaitNothingLeft gives Podman some seconds to remove what a build that was broken off left.
func (e *env) awaitNothingLeft(t *testing.T) {
	t.Helper()
	var left string
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(200 * time.Millisecond) {
		left = e.podman.Run(t, "ps", "--all", "--external", "--format", "{{.Names}} {{.Status}}", "--filter", "name=working-container")
		if left == "" {
			return
		}
	}
	t.Errorf("containers of builds are left: %s", left)
}

func pushAndPull(t *testing.T, e *env, registry string) {
	tag := fmt.Sprintf("%s/pushed-%s:v1", registry, strings.ReplaceAll(e.podman.Version, ".", "-"))
	var b built
	e.Run(buildCall(t, e.Harness, map[string]string{"Containerfile": "FROM " + probe + "\nLABEL x=" + e.podman.Version + "\n"}, nil)).Decode(&b)
	push := sdktest.Call{Type: "image_push", Input: map[string]any{"image": b.Image, "destination": tag}}
	var out, again pushed
	e.Run(push).Decode(&out)
	if out.Cached || out.Reference != strings.TrimSuffix(tag, ":v1")+"@"+out.Digest {
		t.Errorf("outputs: %+v", out)
	}
	name := strings.TrimPrefix(strings.TrimSuffix(tag, ":v1"), registry+"/")
	if got := registryDigest(t, registry, name, "v1"); got != out.Digest {
		t.Errorf("the registry has %s, the step says %s", got, out.Digest)
	}
	e.Run(push).Decode(&again)
	if !again.Cached || again.Digest != out.Digest {
		t.Errorf("pushed again: %+v", again)
	}
	// Pulled by digest, and run by reference.
	e.podman.Run(t, "rmi", "--force", b.Image.ID)
	rules := sdk.Rules{PullFrom: []string{registry + "/*"}}
	var pulled struct {
		Image  sdk.Located `json:"image"`
		Digest string      `json:"digest"`
	}
	r := e.Run(sdktest.Call{Type: "image_pull", Input: map[string]any{"reference": out.Reference}, Rules: rules})
	r.Decode(&pulled)
	if pulled.Digest != out.Digest || pulled.Image.ID != b.Image.ID {
		t.Errorf("pulled %+v, want %s with digest %s", pulled, b.Image.ID, out.Digest)
	}
	e.podman.Run(t, "rmi", "--force", b.Image.ID)
	run := ok(t, e.Run(sdktest.Call{Type: "container_run", Input: map[string]any{"image": out.Reference, "command": []string{"exit", "0"}}, Rules: rules}))
	if run.Receipt.PullMS <= 0 {
		t.Errorf("the receipt's pull_ms is %d", run.Receipt.PullMS)
	}
	missing := e.Run(sdktest.Call{Type: "image_pull", Input: map[string]any{"reference": registry + "/nothing:1"}, Rules: rules})
	failed(t, missing, "not_found")
}

// registryDigest asks the registry itself.
func registryDigest(t *testing.T, registry, name, tag string) string {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodHead, "http://"+registry+"/v2/"+name+"/manifests/"+tag, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Accept", "application/vnd.oci.image.manifest.v1+json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = resp.Body.Close() }()
	if _, err := io.Copy(io.Discard, resp.Body); err != nil {
		t.Fatal(err)
	}
	return resp.Header.Get("Docker-Content-Digest")
}

func pushFailures(t *testing.T, e *env, registry string) {
	push := func(h *sdktest.Harness, dest string) error {
		return h.Run(sdktest.Call{Type: "image_push", Input: map[string]any{"image": e.image(), "destination": dest}}).Err
	}
	var se *sdk.Error
	if err := push(e.Harness, "nohost"); !errors.As(err, &se) || se.Kind != sdk.KindInvalid || se.Attr != "destination" {
		t.Errorf("no host: %v", err)
	}
	if err := push(e.Harness, "127.0.0.1:1/x:1"); err == nil || errors.As(err, &se) && se.Kind != sdk.KindTransient {
		t.Errorf("a registry that does not answer must be tried again: %v", err)
	}
	// The registry speaks plain HTTP, and nothing says that this is meant.
	err := push(e.connect(t), registry+"/x:1")
	if !errors.As(err, &se) || se.Kind != sdk.KindPermanent || !strings.Contains(err.Error(), "insecure = true") {
		t.Errorf("plain HTTP by surprise: %v", err)
	}
}
