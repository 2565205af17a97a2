package build

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path"
	"slices"
	"strings"
	"time"

	"github.com/containers/podman/v5/pkg/bindings/containers"
	"github.com/containers/podman/v5/pkg/domain/entities/types"

	"github.com/containerpub/cpub/plugins/podman/internal/cgroup"
	"github.com/containerpub/cpub/plugins/podman/internal/client"
	"github.com/containerpub/cpub/plugins/podman/internal/hostfs"
	"github.com/containerpub/cpub/plugins/podman/internal/owner"
	"github.com/containerpub/cpub/sdk"
)

// patience is how long a killed Podman service may take to come back, for what it left to be removed.
const patience = 30 * time.Second

// removeLeftovers removes the working containers that a build left whose Podman service died under it: those that were made
// between its begin and its end. They carry no mark of ours, as Podman has none to give; but every build that the service had
// under way then has died with it.
func (b *Builder) removeLeftovers(ctx context.Context, key string, begin, end time.Time) error {
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
	errs = append(errs, b.removeSecrets(ctx, func(l leftover) bool { return l.short == owner.Short(key) }))
	if err = errors.Join(append(errs, err)...); err != nil {
		return fmt.Errorf("removing what the build left: %w", err)
	}
	return nil
}

// mark is the cgroup that the RUNs of a build lie in. Podman keeps its name with the working container, which is how those are told
// that a build of ours left: nothing else of it can be chosen.
func mark(req *sdk.Request) string {
	return groupOf(owner.Short(req.Key)) + "/" + runPrefix + owner.RunHash(req.Run)
}

// groupOf is the cgroup of a build, by owner.Short of its key.
func groupOf(short string) string { return "/cpub/" + short }

const runPrefix = "run-"

// parseMark reads a mark.
func parseMark(group string) (short, runHash string, ok bool) {
	rest, ok := strings.CutPrefix(group, groupOf(""))
	short, runHash, ok2 := strings.Cut(rest, "/"+runPrefix)
	return short, runHash, ok && ok2 && short != "" && !strings.Contains(short+runHash, "/")
}

// leftover is the working container of a build of ours: one that is under way, or one that was left.
type leftover struct {
	id, short, runHash string
	created            time.Time
}

// takeOver removes what a lost attempt of the same step left, whose Podman service died with its provider: whoever repeats it, no
// attempt before this one may go on.
func (b *Builder) takeOver(ctx context.Context, req *sdk.Request) error {
	if req.Attempt <= 1 {
		return nil
	}
	mine := func(l leftover) bool { return l.short == owner.Short(req.Key) }
	return errors.Join(b.removeMarked(ctx, mine), b.removeSecrets(ctx, mine))
}

// Sweep removes the working containers of builds of runs that are not alive, unless they are younger than the grace.
func (b *Builder) Sweep(ctx context.Context, sweep sdk.Sweep) (int, error) {
	removed, err := b.Prune(ctx, sweep, false)
	return len(removed), err
}

// removeMarked removes those working containers of ours that are unwanted, and kills what still runs in them.
func (b *Builder) removeMarked(ctx context.Context, unwanted func(leftover) bool) error {
	host, err := b.Client.Host()
	if err != nil {
		return nil // their marks are in Podman's store, which cannot be seen
	}
	all, err := b.leftovers(ctx, host)
	if err != nil {
		return err
	}
	call, done := b.Client.Context(ctx)
	defer done()
	var errs []error
	for _, l := range all {
		if !unwanted(l) {
			continue
		}
		group := groupOf(l.short)
		if err := errors.Join(cgroup.Kill(ctx, host, group), cgroup.Remove(ctx, host, group)); err != nil {
			errs = append(errs, err)
			continue
		}
		if _, err := containers.Remove(call, l.id, new(containers.RemoveOptions).WithForce(true)); err != nil && !client.NotFound(err) {
			errs = append(errs, fmt.Errorf("removing the working container of a build: %w", err))
			continue
		}
	}
	return errors.Join(errs...)
}

// leftovers lists the working containers of ours, by their marks in Podman's store.
func (b *Builder) leftovers(ctx context.Context, host hostfs.Host) ([]leftover, error) {
	info, err := b.Client.Info(ctx)
	if err != nil {
		return nil, err
	}
	call, done := b.Client.Context(ctx)
	defer done()
	var all []types.ListContainer
	err = client.Retry(ctx, patience, func() (err error) {
		all, err = containers.List(call, new(containers.ListOptions).WithAll(true).WithExternal(true))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("listing the containers of builds: %w", err)
	}
	all = slices.DeleteFunc(all, func(c types.ListContainer) bool { return !working(c.Names) })
	if len(all) == 0 {
		return nil, nil
	}
	var names []string
	for _, c := range all {
		names = append(names, path.Join(info.Store.GraphRoot, info.Store.GraphDriverName+"-containers", c.ID, "userdata", "buildah.json"))
	}
	var found []leftover
	for i, state := range host.ReadFiles(ctx, names...) {
		if short, runHash, ok := readMark(state); ok {
			found = append(found, leftover{id: all[i].ID, short: short, runHash: runHash, created: all[i].Created})
		}
	}
	return found, nil
}

// readMark reads the mark in what Podman keeps of a working container. Without one, or where it cannot be read, it is not ours.
func readMark(state hostfs.Content) (short, runHash string, ok bool) {
	if state.Err != nil {
		return "", "", false
	}
	var kept struct {
		CommonBuildOpts struct {
			CgroupParent string
		}
	}
	if err := json.Unmarshal(state.Data, &kept); err != nil {
		return "", "", false
	}
	return parseMark(kept.CommonBuildOpts.CgroupParent)
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
