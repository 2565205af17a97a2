package build

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/containers/podman/v5/pkg/bindings/containers"

	"github.com/containerpub/cpub/plugins/podman/internal/client"
)

// patience is how long a killed Podman service may take to come back, for what it left to be removed.
const patience = 30 * time.Second

// removeLeftovers removes the working containers that a build left whose Podman service died under it: those that were made
// between its begin and its end. They carry no mark of ours, as Podman has none to give; but every build that the service had
// under way then has died with it.
func (b *Builder) removeLeftovers(ctx context.Context, begin, end time.Time) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 2*patience)
	defer cancel()
	call, done := b.Client.Context(ctx)
	defer done()
	var errs []error
	err := client.Retry(ctx, patience, func() error {
		all, err := containers.List(call, new(containers.ListOptions).WithAll(true).WithExternal(true))
		if err != nil {
			return err
		}
		for _, c := range all {
			if c.Created.Before(begin.Truncate(time.Second)) || c.Created.After(end) || !working(c.Names) {
				continue
			}
			_, err := containers.Remove(call, c.ID, new(containers.RemoveOptions).WithForce(true))
			if err != nil && !client.NotFound(err) {
				errs = append(errs, err)
			}
		}
		return nil
	})
	if err = errors.Join(append(errs, err)...); err != nil {
		return fmt.Errorf("removing what the build left: %w", err)
	}
	return nil
}

// working tells whether a container is one that a build works in.
func working(names []string) bool {
	for _, n := range names {
		if strings.Contains(n, "-working-container") {
			return true
		}
	}
	return false
}
