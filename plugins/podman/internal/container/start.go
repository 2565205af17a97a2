package container

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/containers/podman/v5/libpod/define"
	"github.com/containers/podman/v5/pkg/bindings/containers"

	"github.com/containerpub/cpub/plugins/podman/internal/client"
	"github.com/containerpub/cpub/plugins/podman/internal/hostfs"
)

// outage is how long a running container's attempt waits for a Podman service that does not answer: the container runs on
// without it, and giving up would mean to run it again.
const outage = 2 * time.Minute

// start starts the user's code, with its stdin.
func (a *run) start(ctx context.Context, pid int, info *define.Info) (*inspected, error) {
	if a.in.Stdin != "" {
		in, err := a.openStdin(ctx, pid)
		if err != nil {
			return nil, err
		}
		a.stdin = in
		go in.send(a.in.Stdin)
	}
	err := client.Retry(ctx, outage, func() error {
		call, cancel := a.Client.Context(ctx)
		defer cancel()
		return containers.Start(call, a.name(), nil)
	})
	// The answer may have been lost with a service that was killed, after it started the container.
	if err != nil && client.Status(err) != http.StatusNotModified {
		if state, ierr := a.inspect(ctx); ierr != nil || !state.started() {
			return nil, a.classify(fmt.Errorf("starting the container: %w", err))
		}
	}
	var state *inspected
	err = client.Retry(ctx, outage, func() (err error) {
		state, err = a.inspect(ctx)
		return err
	})
	if err != nil || !state.running() {
		return state, err
	}
	return state, a.proveFilter(ctx, state.pid, info)
}

// filtering is how long the runtime may take from its start to the filter of system calls, on a machine that has other things to do.
const filtering = 30 * time.Second

// proveFilter makes sure that the kernel has the filter of system calls that the runtime was told to set: it does that at the last moment,
// after all else could be read back.
func (a *run) proveFilter(ctx context.Context, pid int, info *define.Info) error {
	host, err := a.Client.Host()
	if err != nil {
		return nil //nolint:nilerr // readBack has said so, and was overruled
	}
	for deadline := time.Now().Add(filtering); ; {
		status, err := hostfs.ReadFile(ctx, host, fmt.Sprintf("/proc/%d/status", pid))
		if err != nil {
			return nil //nolint:nilerr // it has ended
		}
		p, err := parseStatus(string(status))
		if err != nil || p.seccomp == seccompFilter || strings.Contains(string(status), "\nState:\tZ") {
			return err
		}
		if time.Now().After(deadline) {
			return notIsolated([]string{"seccomp (asked a filter, is none in the kernel)"}, info)
		}
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(5 * time.Millisecond):
		}
	}
}

// describe is the end of a text in one line, for messages.
func describe(s string) string {
	s = strings.TrimSpace(s)
	if i := strings.LastIndexByte(s, '\n'); i >= 0 {
		s = s[i+1:]
	}
	if len(s) > 200 {
		s = s[:200] + "…"
	}
	return s
}
