//go:build linux

package image

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"

	ref "github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"

	"github.com/containerpub/cpub/sdk"
)

// RunPull carries out image_pull. It may be repeated: an image that is there is kept.
func (s *Store) RunPull(ctx context.Context, req *sdk.Request) (any, error) {
	in := struct{ Reference, Policy string }{}
	if err := req.Decode(&in); err != nil {
		return nil, err
	}
	if in.Policy == "" {
		in.Policy = "missing"
	}
	id, digest, err := s.Pull(ctx, req, "reference", in.Reference, in.Policy)
	if err == nil {
		err = s.keep(req, id)
	}
	if err != nil {
		return nil, err
	}
	return struct {
		Image  sdk.Located `json:"image"`
		Digest string      `json:"digest"`
	}{sdk.Located{ID: id, Location: s.Location}, digest}, nil
}

// Pull brings an image into the store, by policy always, missing, never or newer, and gives its id and its manifest's digest. attr is
// the attribute that names it. The request's rules must allow the reference.
func (s *Store) Pull(ctx context.Context, req *sdk.Request, attr, reference, policy string) (id, digest string, err error) {
	registry, parsed, err := s.parse(attr, reference)
	if err != nil {
		return "", "", err
	}
	if !sdk.MatchReference(req.Rules.PullFrom, reference) {
		return "", "", &sdk.Error{Kind: sdk.KindPermanent, Code: sdk.CodeDenied, Err: fmt.Errorf(
			"denied by policy: the image %q is not allowed; the rule is policy.registries.pull (%s)", reference, req.Rules.Source)}
	}
	known, there := s.named(reference)
	switch {
	case there && (policy == "missing" || policy == "never"):
		return known.Image, known.Digest, nil
	case policy == "never":
		return "", "", sdk.Permanentf("the image %s is not in the store, and it is never pulled", reference)
	}
	n, err := s.fetch(ctx, req, registry, parsed, reference)
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return "", "", classify(fmt.Errorf("pulling %s: %w", reference, err))
	}
	return n.Image, n.Digest, nil
}

// parse reads a reference, and finds its registry among those of worker.hcl.
func (s *Store) parse(attr, reference string) (sdk.Registry, ref.Reference, error) {
	parsed, err := ref.ParseReference(reference, ref.StrictValidation)
	if err != nil {
		return sdk.Registry{}, nil, sdk.Invalidf(attr, "%q is not an image reference: %w", reference, err)
	}
	if !sdk.HasHost(reference) {
		return sdk.Registry{}, nil, sdk.Invalidf(attr, "%q names no registry; write HOST/NAME:TAG", reference)
	}
	for _, r := range s.Registries {
		if r.Host == parsed.Context().RegistryStr() && r.Insecure {
			parsed, err = ref.ParseReference(reference, ref.StrictValidation, ref.Insecure)
		}
		if r.Host == parsed.Context().RegistryStr() {
			return r, parsed, err
		}
	}
	return sdk.Registry{Host: parsed.Context().RegistryStr()}, parsed, nil
}

// fetch asks the registry what a reference is now, and unpacks that unless it is there.
func (s *Store) fetch(ctx context.Context, req *sdk.Request, registry sdk.Registry, parsed ref.Reference, reference string) (name, error) {
	options, closeIdle, err := access(ctx, registry)
	if err != nil {
		return name{}, err
	}
	defer closeIdle()
	platform := remote.WithPlatform(v1.Platform{OS: "linux", Architecture: runtime.GOARCH})
	found, err := remote.Get(parsed, append(options, platform)...)
	if err != nil {
		return name{}, err
	}
	img, err := found.Image()
	if err != nil {
		return name{}, err
	}
	id, err := img.ConfigName()
	if err != nil {
		return name{}, err
	}
	n := name{Reference: reference, Image: id.Hex, Digest: found.Digest.String()}
	if err := s.add(req, id.Hex, img, reference); err != nil {
		return name{}, err
	}
	return n, WriteJSON(s.namePath(reference), n)
}

// add unpacks an image unless it is there.
func (s *Store) add(req *sdk.Request, id string, img v1.Image, reference string) error {
	lock, _ := s.keyed.LoadOrStore(id, &sync.Mutex{})
	mu, _ := lock.(*sync.Mutex) // nothing else is stored
	mu.Lock()
	defer mu.Unlock()
	if _, err := s.open(id); err == nil {
		return nil
	}
	config, err := img.ConfigFile()
	if err != nil {
		return err
	}
	part := filepath.Join(s.Dir, "images", partPrefix+Random())
	if err := os.MkdirAll(part, 0o700); err != nil {
		return err
	}
	defer func() { _ = os.RemoveAll(part) }() // it has moved, or is of no use
	if err := s.unpack(req, img, filepath.Join(part, "root"), "pulling "+reference); err != nil {
		return err
	}
	if err := WriteJSON(filepath.Join(part, "config"), config); err != nil {
		return err
	}
	err = os.Rename(part, s.folder(id))
	if _, oerr := s.open(id); oerr == nil {
		return nil // another worker was first
	}
	return err
}

// partPrefix begins the name of an image that is being unpacked.
const partPrefix = "part-"

// classify says which failures of a pull no retry can help.
func classify(err error) error {
	var answer *transport.Error
	switch {
	case errors.As(err, &answer) && answer.StatusCode == http.StatusNotFound:
		return &sdk.Error{Kind: sdk.KindPermanent, Code: "not_found", Err: err}
	case errors.As(err, &answer) && (answer.StatusCode == http.StatusUnauthorized || answer.StatusCode == http.StatusForbidden):
		return sdk.Permanent(err)
	case strings.Contains(err.Error(), "no child with platform"):
		return sdk.Permanent(err)
	}
	return err
}
