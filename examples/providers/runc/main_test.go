//go:build linux

package runc_test

import (
	"os"
	"testing"

	"github.com/containerpub/cpub/examples/providers/runc"
	"github.com/containerpub/cpub/examples/providers/runc/container"
	"github.com/containerpub/cpub/sdk/sdktest"
)

// TestMain makes the test's own program the supervisor of the containers that the provider starts in it.
func TestMain(m *testing.M) {
	if container.Supervise() {
		return
	}
	os.Exit(m.Run())
}

func TestConforms(t *testing.T) { sdktest.Conforms(t, runc.New()) }
