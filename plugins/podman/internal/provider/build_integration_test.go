//go:build integration

package provider_test

import (
	"bytes"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/containerpub/cpub/internal/testenv"
	"github.com/containerpub/cpub/plugins/podman/internal/provider"
	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/schema"
	"github.com/containerpub/cpub/sdk/sdktest"
)

// secretBuild builds with the suite's secret as token, on a provider that is granted it.
func secretBuild(t *testing.T, e *env, containerfile string) (*sdktest.Harness, sdktest.Call) {
	t.Helper()
	p := provider.New()
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	h := sdktest.New(t, p, sdktest.Options{Config: map[string]string{"connection": e.podman.URI}, Secrets: []sdk.Secret{sdktest.Secret()}})
	call := buildCall(t, h, map[string]string{"Containerfile": containerfile}, map[string]any{"build_secrets": map[string]string{"token": "shown"}})
	call.Secrets = []schema.SecretText{{Path: []string{"build_secrets", "token"}, Parts: []schema.SecretPart{{Secret: sdktest.Secret().Name}}}}
	return h, call
}

// buildSecrets: the disk of Podman's host has no word of a secret after a build, and none after one whose service was killed under it.
func buildSecrets(t *testing.T, e *env, _ string) {
	mount := "FROM " + probe + "\nRUN --mount=type=secret,id=token "
	h, call := secretBuild(t, e, mount+"[\"/probe\", \"list\", \"/run/secrets\"]\n")
	res := h.Run(call)
	res.Decode(&built{})
	if !strings.Contains(res.Text("step"), "file /run/secrets/token ***") {
		t.Errorf("the RUN did not see its secret:\n%s", res.Text("step"))
	}
	dir := filepath.Dir(e.podman.Run(t, "info", "--format", "{{.Store.GraphRoot}}"))
	for _, file := range holding(t, dir, "open sesame") {
		t.Errorf("%s holds the secret", file)
	}

	h, call = secretBuild(t, e, mount+"[\"/probe\", \"wait\", \"50\"]\n")
	s := whenStarted(t, nil)
	s.cancel = func(error) {}
	call.Host = progress{s, "line 1"}
	during := make(chan int, 1)
	go func() {
		<-s.seen
		during <- len(holding(t, dir, "open sesame"))
		e.podman.Kill(t)
		time.Sleep(300 * time.Millisecond)
		e.podman.Restart(t)
	}()
	res2 := h.Run(call)
	if res2.Err == nil {
		t.Error("the build survived its service")
	}
	if n := <-during; n == 0 {
		t.Error("no file held the secret while the build ran: the test shows nothing")
	}
	e.awaitNothingLeft(t)
	for _, file := range holding(t, dir, "open sesame") {
		t.Errorf("%s holds the secret of a build whose service was killed", file)
	}
	if err := h.Release(res.Key, res2.Key); err != nil {
		t.Error(err)
	}
}

// holding lists the files below a folder that hold a text.
func holding(t *testing.T, dir, text string) (files []string) {
	err := filepath.WalkDir(dir, func(path string, d fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // what went meanwhile holds nothing
		}
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		if b, rerr := os.ReadFile(path); rerr == nil && bytes.Contains(b, []byte(text)) {
			files = append(files, path)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
	return files
}

// TestReproducible builds the same in two stores of each version, which know nothing of one another.
func TestReproducible(t *testing.T) {
	for _, version := range testenv.PodmanVersions {
		t.Run(version, func(t *testing.T) {
			program, err := os.ReadFile(testenv.Build(t, probePkg))
			if err != nil {
				t.Fatal(err)
			}
			files := map[string]string{
				"Containerfile": "FROM scratch\nCOPY --chmod=755 probe /probe\nRUN [\"/probe\", \"write\", \"/made\"]\nENTRYPOINT [\"/probe\"]\n", "probe": string(program),
			}
			var first string
			for range 2 {
				h := sdktest.New(t, provider.New(), sdktest.Options{Config: map[string]string{"connection": testenv.StartPodman(t, version).URI}})
				res := h.Run(buildCall(t, h, files, map[string]any{"reproducible": true}))
				var out built
				res.Decode(&out)
				if first == "" {
					first = out.Image.ID
				}
				if out.Image.ID != first {
					t.Errorf("another store gave the image %s, the first one %s", out.Image.ID, first)
				}
			}
		})
	}
}

// buildLimits: the cgroup above a RUN has the build's limits while the RUN is there, and is gone afterwards.
func buildLimits(t *testing.T, e *env, _ string) {
	call := buildCall(t, e.Harness, map[string]string{"Containerfile": "FROM " + probe + "\nRUN [\"/probe\", \"wait\", \"20\"]\n"},
		map[string]any{"memory": "64m", "cpus": 0.5, "pids": 33})
	call.Key = sdktest.NewKey()
	s := whenStarted(t, nil)
	s.cancel = func(error) {}
	call.Host = progress{s, "line 1"}
	read := make(chan map[string]string, 1)
	go func() {
		<-s.seen
		got := map[string]string{}
		for _, name := range []string{"memory/cpub/KEY/memory.limit_in_bytes", "cpu/cpub/KEY/cpu.cfs_quota_us", "pids/cpub/KEY/pids.max", "memory/cpub/KEY/run-*/cgroup.procs"} {
			files, err := filepath.Glob("/sys/fs/cgroup/" + strings.ReplaceAll(name, "KEY", call.Key))
			if err != nil || len(files) != 1 {
				continue
			}
			text, err := os.ReadFile(files[0])
			if err == nil {
				got[filepath.Base(name)] = strings.TrimSpace(string(text))
			}
		}
		read <- got
	}()
	res := e.Run(call)
	res.Decode(&built{})
	got := <-read
	if got["memory.limit_in_bytes"] != "67108864" || got["cpu.cfs_quota_us"] != "50000" || got["pids.max"] != "33" || got["cgroup.procs"] == "" {
		t.Errorf("while a RUN was there, its cgroups had %v", got)
	}
	if err := e.Release(res.Key); err != nil {
		t.Error(err)
	}
	for _, what := range left(t, e.podman, res.Key) {
		t.Errorf("left: %s", what)
	}
}

// buildForeign: a base for another platform is taken, and a RUN on it fails with words that say why.
func buildForeign(t *testing.T, e *env, _ string) {
	res := e.Run(buildCall(t, e.Harness, map[string]string{"Containerfile": "FROM scratch\nCOPY f /f\n", "f": "x"}, map[string]any{"platform": "linux/s390x"}))
	var out built
	res.Decode(&out)
	if arch := e.podman.Run(t, "image", "inspect", "--format", "{{.Architecture}}", out.Image.ID); arch != "s390x" {
		t.Errorf("the image is for %s", arch)
	}
	// Not a program of this machine's, whatever the platform is called.
	bad := e.Run(buildCall(t, e.Harness, map[string]string{"Containerfile": "FROM scratch\nCOPY --chmod=755 f /f\nRUN [\"/f\"]\n", "f": "\x7fELF no program"},
		map[string]any{"platform": "linux/s390x"}))
	var se *sdk.Error
	if !errors.As(bad.Err, &se) || se.Kind != sdk.KindPermanent || !strings.Contains(bad.Err.Error(), "linux/s390x") {
		t.Errorf("a RUN for another platform: %v", bad.Err)
	}
	if err := e.Release(res.Key, bad.Key); err != nil {
		t.Error(err)
	}
}

// TestBuildBesideSystemd: the limits of a build hold as well where Podman is configured to have systemd manage cgroups, as a distribution's is.
func TestBuildBesideSystemd(t *testing.T) {
	for _, version := range testenv.PodmanVersions {
		t.Run(version, func(t *testing.T) {
			p := testenv.StartPodman(t, version)
			p.Configure(t, "CONTAINERS_CONF", func(text string) string {
				const manager = "cgroup_manager = "
				if !strings.Contains(text, manager+`"cgroupfs"`) {
					t.Fatalf("no manager of cgroups in:\n%s", text)
				}
				return strings.Replace(text, manager+`"cgroupfs"`, manager+`"systemd"`, 1)
			})
			buildLimits(t, newEnv(t, p), "")
		})
	}
}
