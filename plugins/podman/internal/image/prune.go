package image

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/containers/podman/v5/pkg/bindings/containers"
	"github.com/containers/podman/v5/pkg/bindings/images"
	"github.com/containers/podman/v5/pkg/domain/entities/types"

	"github.com/containerpub/cpub/plugins/podman/internal/owner"
	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/schema"
)

// PruneInput is contract.ImagePrune's input.
type PruneInput struct {
	Filters   map[string]string `json:"filters"`
	KeepLast  *float64          `json:"keep_last"`
	OlderThan *schema.Duration  `json:"older_than"`
	All       bool              `json:"all"`
	DryRun    bool              `json:"dry_run"`
}

// PruneOutput is contract.ImagePrune's output.
type PruneOutput struct {
	Removed        []string `json:"removed"`
	ReclaimedBytes int64    `json:"reclaimed_bytes"`
}

// RunPrune carries out image_prune. It removes names one by one, so that an image that gets another name meanwhile, such as a run's, stays.
func (s *Store) RunPrune(ctx context.Context, req *sdk.Request) (any, error) {
	var in PruneInput
	if err := req.Decode(&in); err != nil {
		return nil, err
	}
	if err := in.check(); err != nil {
		return nil, err
	}
	// One after the other: Podman tells all who remove an image at the same time that they did.
	release, err := s.pruning.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer release()
	out, err := s.prune(ctx, req, in)
	if err != nil && ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return out, err
}

func (in PruneInput) check() error {
	for name := range in.Filters {
		if name != "reference" && name != "label" {
			return sdk.Invalidf("filters", "there is no filter %q: reference and label are possible", name)
		}
	}
	switch {
	case in.KeepLast != nil && (*in.KeepLast < 0 || *in.KeepLast != float64(int(*in.KeepLast))):
		return sdk.Invalidf("keep_last", "keep_last is a number of images, not %v", *in.KeepLast)
	case in.OlderThan != nil && *in.OlderThan < 0:
		return sdk.Invalidf("older_than", "older_than cannot be negative")
	case in.All && len(in.Filters) == 0:
		return sdk.Invalidf("filters", "all needs filters: it would be every image of the host")
	}
	return nil
}

func (s *Store) prune(ctx context.Context, req *sdk.Request, in PruneInput) (any, error) {
	all, err := s.stored(ctx)
	if err != nil {
		return nil, err
	}
	needed, err := s.needed(ctx, in)
	if err != nil {
		return nil, err
	}
	chosen := in.choose(all, needed, time.Now())
	reclaimed, err := s.reclaimable(ctx, all, chosen)
	if err != nil {
		return nil, err
	}
	out := PruneOutput{Removed: []string{}}
	for n, i := range chosen {
		if in.DryRun {
			req.Logf("would remove %s", i)
		} else {
			req.Progress(sdk.Progress{Message: "removing " + i.String(), Done: int64(n), Total: int64(len(chosen))})
			gone, err := s.removeNames(ctx, req, i)
			if err != nil {
				return nil, fmt.Errorf("removing the image %s: %w", i, err)
			}
			if !gone {
				req.Logf("kept %s: it is needed again, or somebody else removed it", i)
				continue
			}
			req.Logf("removed %s", i)
		}
		out.Removed = append(out.Removed, i.id)
		out.ReclaimedBytes += reclaimed[i.id]
	}
	return out, nil
}

// stored is one image of the store, as pruning looks at it.
type stored struct {
	id     string
	names  []string // without those that are ours
	kept   bool     // whether a run has a name for it
	labels map[string]string
	size   int64
	since  time.Time // since when it is in the store; zero if nobody knows
}

func (i stored) String() string {
	if len(i.names) == 0 {
		return i.id
	}
	return i.id + " (" + strings.Join(i.names, ", ") + ")"
}

// pruneRepository is where images without a name get one while they are removed.
const pruneRepository = "localhost/cpub/prune-"

// stored lists the images of the store, the oldest first.
func (s *Store) stored(ctx context.Context) ([]stored, error) {
	call, cancel := s.Client.Context(ctx)
	defer cancel()
	list, err := images.List(call, nil)
	if err != nil {
		return nil, fmt.Errorf("listing images: %w", err)
	}
	since, err := s.since(ctx)
	if err != nil {
		return nil, err
	}
	var all []stored
	for _, i := range list {
		one := stored{id: trimAlgorithm(i.ID), labels: i.Labels, size: i.Size}
		for _, name := range namesOf(i) {
			switch {
			case strings.HasPrefix(name, repository):
				one.kept = true
			case strings.HasPrefix(name, pruneRepository), strings.Contains(name, "<none>"):
			default:
				one.names = append(one.names, name)
			}
		}
		one.since = since[one.id]
		// An image that tells nothing of when it was made tells 1970.
		if made := time.Unix(i.Created, 0); one.since.IsZero() && made.Year() > 1980 {
			one.since = made
		}
		all = append(all, one)
	}
	slices.SortFunc(all, func(a, b stored) int {
		if c := a.since.Compare(b.since); c != 0 {
			return c
		}
		return strings.Compare(a.id, b.id)
	})
	return all, nil
}

// namesOf are the tags of an image, and its names by digest.
func namesOf(i *types.ImageSummary) []string {
	names := slices.Concat(i.RepoTags, i.Names)
	slices.Sort(names)
	return slices.Compact(names)
}

// choose gives those that are removed.
func (in PruneInput) choose(all []stored, needed needs, now time.Time) (chosen []stored) {
	matching := slices.DeleteFunc(slices.Clone(all), func(i stored) bool { return !in.matches(i) })
	last := in.last(matching)
	for _, i := range matching {
		switch {
		case i.kept, last[i.id], needed.image(i):
		case in.OlderThan != nil && (i.since.IsZero() || now.Sub(i.since) < in.OlderThan.Std()):
		default:
			chosen = append(chosen, i)
		}
	}
	return chosen
}

// matches tells whether an image is ours, or any, and what the filters ask for. A name that they do not ask for keeps it.
func (in PruneInput) matches(i stored) bool {
	if _, ours := i.labels[LabelSource]; !ours && !in.All {
		return false
	}
	if label, ok := in.Filters["label"]; ok {
		name, want, valued := strings.Cut(label, "=")
		if have, there := i.labels[name]; !there || valued && have != want {
			return false
		}
	}
	pattern, ok := in.Filters["reference"]
	if !ok {
		return len(i.names) == 0
	}
	for _, name := range i.names {
		if !sdk.MatchName([]string{pattern}, name) {
			return false
		}
	}
	return len(i.names) > 0
}

// last are the newest of each repository, by id.
func (in PruneInput) last(matching []stored) map[string]bool {
	last, count := map[string]bool{}, map[string]int{}
	if in.KeepLast == nil {
		return last
	}
	for _, i := range slices.Backward(matching) {
		repos := []string{""}
		if len(i.names) > 0 {
			repos = nil
			for _, name := range i.names {
				repos = append(repos, repositoryOf(name))
			}
			slices.Sort(repos)
			repos = slices.Compact(repos)
		}
		for _, r := range repos {
			if count[r]++; count[r] <= int(*in.KeepLast) {
				last[i.id] = true
			}
		}
	}
	return last
}

// repositoryOf is a name without its tag and digest.
func repositoryOf(name string) string {
	name, _, _ = strings.Cut(name, "@")
	if colon := strings.LastIndexByte(name, ':'); colon > strings.LastIndexByte(name, '/') {
		name = name[:colon]
	}
	return name
}

// LabelSource is the label of images that image_build made.
const LabelSource = "io.cpub.source"

// needs are the images that containers and services need.
type needs struct {
	ids      map[string]bool
	services []string // names and ids in the files of services
}

func (n needs) image(i stored) bool {
	return n.ids[i.id] || slices.ContainsFunc(n.services, func(name string) bool {
		return slices.ContainsFunc(i.names, func(have string) bool { return have == name || have == name+":latest" }) ||
			len(name) >= 12 && strings.HasPrefix(i.id, trimAlgorithm(name))
	})
}

func (s *Store) needed(ctx context.Context, in PruneInput) (needs, error) {
	call, cancel := s.Client.Context(ctx)
	defer cancel()
	all, err := containers.List(call, new(containers.ListOptions).WithAll(true).WithExternal(true))
	if err != nil {
		return needs{}, fmt.Errorf("listing the containers that need images: %w", err)
	}
	n := needs{ids: map[string]bool{}}
	for _, c := range all {
		n.ids[trimAlgorithm(c.ImageID)] = true
	}
	n.services, err = s.services(ctx)
	if err != nil && in.Filters["reference"] != "" {
		return n, sdk.Permanentf("images that have a name cannot be removed, since nobody knows which of them a service needs: %w", err)
	}
	return n, nil
}

// removeNames removes the names of an image, and tells whether the image went with the last one. One without a name gets one, for Podman
// removes by a name what has no other, and by an id whatever was named meanwhile.
func (s *Store) removeNames(ctx context.Context, req *sdk.Request, i stored) (gone bool, err error) {
	call, cancel := s.Client.Context(ctx)
	defer cancel()
	names := i.names
	if len(names) == 0 {
		repo, tag := pruneRepository+owner.Short(req.Key), i.id[:12]
		if err := images.Tag(call, i.id, tag, repo, nil); err != nil {
			return false, ignoreGone(err)
		}
		names = []string{repo + ":" + tag}
		defer func() {
			if uerr := images.Untag(call, i.id, tag, repo, nil); uerr != nil && !gone {
				err = errors.Join(err, ignoreGone(uerr))
			}
		}()
	}
	for _, name := range names {
		report, errs := images.Remove(call, []string{name}, nil)
		if err := ignoreGone(errors.Join(errs...)); err != nil {
			// Podman has many words for an image that another one removed under it.
			if there, eerr := images.Exists(call, i.id, nil); eerr == nil && !there {
				return gone, nil
			}
			return false, err
		}
		if report != nil {
			gone = gone || slices.ContainsFunc(report.Deleted, func(id string) bool { return trimAlgorithm(id) == i.id })
		}
	}
	return gone, nil
}

// one lets in one at a time. The zero value is empty.
type one struct {
	once sync.Once
	seat chan struct{}
}

// enter waits for the others, or for the end of the context.
func (o *one) enter(ctx context.Context) (leave func(), err error) {
	o.once.Do(func() { o.seat = make(chan struct{}, 1) })
	select {
	case o.seat <- struct{}{}:
		return func() { <-o.seat }, nil
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}
