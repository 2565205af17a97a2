package container

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"time"

	"github.com/containers/podman/v5/pkg/bindings/containers"

	"github.com/containerpub/cpub/plugins/podman/internal/client"
	"github.com/containerpub/cpub/plugins/podman/internal/owner"
)

// outage is how long a running container's attempt waits for a Podman service that does not answer: the container runs on
// without it, and giving up would mean to run it again.
const outage = 2 * time.Minute

// start starts the user's code, with its stdin.
func (a *run) start(ctx context.Context, pid int) (*inspected, error) {
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
		return containers.Start(call, owner.Name(a.req.Key), nil)
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
	return state, err
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
