package image

import (
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/containers/podman/v5/pkg/bindings/images"
	"github.com/containers/podman/v5/pkg/domain/entities/types"

	"github.com/containerpub/cpub/plugins/podman/internal/client"
	"github.com/containerpub/cpub/plugins/podman/internal/owner"
	"github.com/containerpub/cpub/sdk"
)

// repository is where the names are that keep images for a run. A name rather than a label of the image: a label would make
// every run's image another one, would undo the build cache, and would tell whoever pulls the image about our runs.
const repository = "localhost/cpub/run-"

// Keep gives the image a name of the request's key, so that nobody prunes it before the key is released.
func (s *Store) Keep(ctx context.Context, req *sdk.Request, id string) error {
	tag := fmt.Sprintf("%s.%d", owner.Short(req.Key), time.Now().Unix())
	call, cancel := s.Client.Context(ctx)
	defer cancel()
	if err := images.Tag(call, id, tag, repository+owner.RunHash(req.Run), nil); err != nil {
		return fmt.Errorf("keeping the image for the run: %w", err)
	}
	return nil
}

// kept is one name that keeps an image.
type kept struct {
	name  string
	run   string // owner.RunHash
	key   string // owner.Short
	since time.Time
}

// Release removes the names of these keys, and images that no other name keeps.
func (s *Store) Release(ctx context.Context, keys []string) error {
	gone := map[string]bool{}
	for _, k := range keys {
		gone[owner.Short(k)] = true
	}
	_, err := s.drop(ctx, func(k kept) bool { return gone[k.key] })
	return err
}

// Sweep removes the names of runs that are not alive, unless they are younger than the grace.
func (s *Store) Sweep(ctx context.Context, sweep sdk.Sweep) (int, error) {
	return s.drop(ctx, unwantedBy(sweep))
}

// unwantedBy tells which names a sweep removes.
func unwantedBy(sweep sdk.Sweep) func(kept) bool {
	live := owner.Live(sweep)
	return func(k kept) bool { return !live(k.run) && sweep.Old(k.since) }
}

// drop removes the names that unwanted tells, with the images that have no other.
func (s *Store) drop(ctx context.Context, unwanted func(kept) bool) (int, error) {
	call, cancel := s.Client.Context(ctx)
	defer cancel()
	all, err := images.List(call, new(images.ListOptions))
	if err != nil {
		return 0, fmt.Errorf("listing images: %w", err)
	}
	removed := 0
	var errs []error
	for _, i := range all {
		n, err := s.dropFrom(call, i, unwanted)
		removed += n
		errs = append(errs, err)
	}
	return removed, errors.Join(errs...)
}

// dropFrom removes the unwanted names of one image. The image goes with the last name that it has; while a container or
// another image needs it, that name stays, and a later sweep finds it.
func (s *Store) dropFrom(ctx context.Context, i *types.ImageSummary, unwanted func(kept) bool) (removed int, err error) {
	var names []string
	for _, name := range i.RepoTags {
		if k, ok := parseKept(name); ok && unwanted(k) {
			names = append(names, name)
		}
	}
	for n, name := range names {
		if n == len(i.RepoTags)-1 {
			return s.dropLast(ctx, removed, name)
		}
		repo, tag, _ := strings.Cut(name, ":")
		if err := images.Untag(ctx, i.ID, tag, repo, nil); err != nil && !client.NotFound(err) {
			return removed, fmt.Errorf("removing the name %s: %w", name, err)
		}
		removed++
	}
	return removed, nil
}

// dropLast removes the last name of an image, and the image unless a digest names it too.
func (s *Store) dropLast(ctx context.Context, removed int, name string) (int, error) {
	_, errs := images.Remove(ctx, []string{name}, nil)
	for _, err := range errs {
		if err == nil || client.NotFound(err) || client.Conflict(err) || strings.Contains(err.Error(), "in use by") {
			continue
		}
		return removed, fmt.Errorf("removing the image %s: %w", name, err)
	}
	if len(errs) > 0 {
		return removed, nil
	}
	return removed + 1, nil
}

// parseKept reads one of our names.
func parseKept(name string) (kept, bool) {
	rest, ok := strings.CutPrefix(name, repository)
	if !ok {
		return kept{}, false
	}
	run, tag, ok := strings.Cut(rest, ":")
	key, since, ok2 := strings.Cut(tag, ".")
	unix, err := strconv.ParseInt(since, 10, 64)
	if !ok || !ok2 || err != nil {
		return kept{}, false
	}
	return kept{name: name, run: run, key: key, since: time.Unix(unix, 0)}, true
}
