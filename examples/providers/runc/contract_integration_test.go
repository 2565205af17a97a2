//go:build linux && integration

package runc_test

import (
	"testing"

	"github.com/containerpub/cpub/internal/testenv"
	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/sdktest"
)

// TestContracts runs the suites that the provider podman passes, too.
func TestContracts(t *testing.T) {
	registry := sdk.Registry{Host: testenv.Services(t).Registry, Insecure: true}
	e := newEnv(t, options{registry: registry, wire: true})
	images := sdktest.Images{Registry: registry, Left: e.left}
	t.Run("image_pull", func(t *testing.T) { sdktest.ImagePull(t, e.Harness, images) })
	t.Run("container_run", func(t *testing.T) { sdktest.ContainerRun(t, e.Harness, images) })
}
