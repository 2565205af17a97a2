package container

import (
	"bytes"
	"context"
	"errors"
	"fmt"

	"github.com/containerpub/cpub/plugins/podman/internal/hostfs"
)

// isThere refuses a container whose process is not the one of that number on the host that we look at: the socket may lead to another
// machine, or to a Podman in a container with processes of its own. Its cgroup names the container, or else what is mounted in it.
func isThere(ctx context.Context, host hostfs.Host, state *inspected) error {
	dir := fmt.Sprintf("/proc/%d/", state.pid)
	var errs []error
	for _, c := range host.ReadFiles(ctx, dir+"cgroup", dir+"mountinfo") {
		if bytes.Contains(c.Data, []byte(state.id)) {
			return nil
		}
		if errors.Is(c.Err, hostfs.ErrUnreachable) {
			return c.Err
		}
		errs = append(errs, c.Err)
	}
	why := fmt.Sprintf("process %d is not the container's", state.pid)
	if err := errors.Join(errs...); err != nil {
		why = err.Error()
	}
	return unenforced("its limits cannot be read back: %s: what Podman's socket leads to runs elsewhere, or is another user's", sameMachine, why)
}
