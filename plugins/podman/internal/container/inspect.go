package container

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"time"

	"github.com/containers/podman/v5/libpod/define"
	"github.com/containers/podman/v5/pkg/bindings/containers"

	"github.com/containerpub/cpub/plugins/podman/internal/client"
)

// inspected is the state of one container.
type inspected struct {
	id         string
	status     string
	pid        int
	exitCode   int32
	oomKilled  bool
	startedAt  time.Time
	finishedAt time.Time
	config     string // the file that the OCI runtime makes the container of
	conmon     int    // the pid of Podman's monitor of the container
}

func (s *inspected) running() bool { return s.status == "running" || s.status == "paused" }

// ended tells whether the container's process is gone and its exit code known.
func (s *inspected) ended() bool {
	return s.status == "exited" || s.status == "stopped" || s.status == "removing"
}

// started tells whether the user's code ever ran.
func (s *inspected) started() bool { return !s.startedAt.IsZero() && s.startedAt.Unix() > 0 }

// inspect reads the state of the request's container.
func (a *run) inspect(ctx context.Context) (*inspected, error) {
	d, err := a.inspectOnce(ctx)
	for n := 0; n < 20 && endedMeanwhile(err); n++ {
		select {
		case <-time.After(poll / 2):
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
		d, err = a.inspectOnce(ctx)
	}
	if err != nil {
		return nil, fmt.Errorf("inspecting the container: %w", err)
	}
	return stateOf(d), nil
}

// stateOf is what counts of a container's inspection.
func stateOf(d *define.InspectContainerData) *inspected {
	return &inspected{
		id: d.ID, status: d.State.Status, pid: d.State.Pid, exitCode: d.State.ExitCode, oomKilled: d.State.OOMKilled,
		startedAt: d.State.StartedAt, finishedAt: d.State.FinishedAt, config: d.OCIConfigPath, conmon: d.State.ConmonPid,
	}
}

func (a *run) inspectOnce(ctx context.Context) (*define.InspectContainerData, error) {
	call, cancel := a.Client.Context(ctx)
	defer cancel()
	return containers.Inspect(call, a.name(), new(containers.InspectOptions).WithSize(false))
}

// endedMeanwhile tells that Podman was reading about the container's process when that ended, and fails instead of saying so: the next look is
// at one that has ended.
func endedMeanwhile(err error) bool {
	return client.Status(err) == http.StatusInternalServerError && strings.Contains(err.Error(), syscall.ESRCH.Error())
}
