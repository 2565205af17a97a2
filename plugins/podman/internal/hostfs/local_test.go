package hostfs_test

import (
	"testing"

	"github.com/containerpub/cpub/plugins/podman/internal/hostfs"
	"github.com/containerpub/cpub/plugins/podman/internal/hostfs/hostfstest"
)

func TestLocal(t *testing.T) { hostfstest.Conforms(t, hostfs.Local{}) }
