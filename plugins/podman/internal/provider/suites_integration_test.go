//go:build integration

package provider_test

import (
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/containerpub/cpub/internal/testenv"
	"github.com/containerpub/cpub/plugins/podman/internal/provider"
	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/sdktest"
)

// The suites of the contracts on every Podman: on one in this process, on the other over the wire.
func TestContracts(t *testing.T) {
	registry := sdk.Registry{Host: testenv.Services(t).Registry, Insecure: true}
	for n, version := range testenv.PodmanVersions {
		t.Run(version, func(t *testing.T) { contracts(t, testenv.StartPodman(t, version), registry, n == 0) })
	}
}

func contracts(t *testing.T, podman *testenv.Podman, registry sdk.Registry, wire bool) {
	p := provider.New()
	t.Run("description", func(t *testing.T) { sdktest.Conforms(t, p) })
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Errorf("closing the provider: %v", err)
		}
	})
	h := sdktest.New(t, p, sdktest.Options{
		Secrets: []sdk.Secret{sdktest.Secret()},
		Config:  map[string]string{"connection": podman.URI}, Registries: []sdk.Registry{registry}, Wire: wire,
	})
	images := sdktest.Images{Registry: registry, Left: func(t testing.TB, key string) []string { return left(t, podman, key) }}
	t.Run("container_run", func(t *testing.T) { sdktest.ContainerRun(t, h, images) })
	t.Run("image_pull", func(t *testing.T) { sdktest.ImagePull(t, h, images) })
	t.Run("image_push", func(t *testing.T) { sdktest.ImagePush(t, h, images) })
	t.Run("image_copy", func(t *testing.T) { sdktest.ImageCopy(t, h, images) })
	t.Run("image_prune", func(t *testing.T) { sdktest.ImagePrune(t, h, images) })
	t.Run("image_build", func(t *testing.T) { sdktest.ImageBuild(t, h, images) })
}

// left lists the container and the cgroups of a key, its names of images, and the containers that builds work in: Podman takes some
// seconds to remove those of a build that was broken off.
func left(t testing.TB, podman *testenv.Podman, key string) []string {
	t.Helper()
	var found []string
	for deadline := time.Now().Add(20 * time.Second); ; time.Sleep(200 * time.Millisecond) {
		found = strings.Fields(podman.Run(t, "ps", "--all", "--format", "{{.Names}}", "--filter", "label=io.cpub.key="+key))
		found = append(found, strings.Fields(podman.Run(t, "volume", "ls", "--quiet", "--filter", "label=io.cpub.key="+key))...)
		found = append(found, workingContainers(t, podman)...)
		for name := range strings.Lines(podman.Run(t, "images", "--format", "{{.Repository}}:{{.Tag}}")) {
			if strings.Contains(name, key) {
				found = append(found, strings.TrimSpace(name))
			}
		}
		for _, pattern := range []string{"/sys/fs/cgroup/*/cpub/" + key, "/sys/fs/cgroup/cpub/" + key} {
			dirs, err := filepath.Glob(pattern)
			if err != nil {
				t.Fatal(err)
			}
			found = append(found, dirs...)
		}
		if len(found) == 0 || time.Now().After(deadline) {
			return found
		}
	}
}

// workingContainers lists those of builds. Podman's own filter by name does not always see them.
func workingContainers(t testing.TB, podman *testenv.Podman) []string {
	t.Helper()
	var found []string
	for _, name := range strings.Fields(podman.Run(t, "ps", "--all", "--external", "--format", "{{.Names}}")) {
		if strings.Contains(name, "working-container") {
			found = append(found, name)
		}
	}
	return found
}
