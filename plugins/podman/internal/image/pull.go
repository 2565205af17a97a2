package image

import (
	"context"
	"fmt"
	"net/http"
	"net/url"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"go.podman.io/image/v5/docker/reference"

	"github.com/containerpub/cpub/plugins/podman/internal/client"
	"github.com/containerpub/cpub/sdk"
)

// Pull brings an image into the store: by policy always, missing, never or newer. attr is the attribute that names it. The
// request's rules must allow the reference.
func (s *Store) Pull(ctx context.Context, req *sdk.Request, attr, ref, policy string) (Image, error) {
	named, err := Parse(attr, ref)
	if err != nil {
		return Image{}, err
	}
	if !sdk.MatchReference(req.Rules.PullFrom, ref) {
		return Image{}, Denied("registries.pull", ref, req.Rules.Source)
	}
	return s.pull(ctx, req, named, ref, pullOptions{policy: policy})
}

// PullBase is Pull for a base image of a build, which other rules allow. platform may be empty.
func (s *Store) PullBase(ctx context.Context, req *sdk.Request, ref, policy, platform string) (Image, error) {
	named, err := Parse("context", ref)
	if err != nil {
		return Image{}, err
	}
	if !sdk.MatchReference(req.Rules.BuildFrom, ref) {
		return Image{}, Denied("registries.from", ref, req.Rules.Source)
	}
	return s.pull(ctx, req, named, ref, pullOptions{policy: policy, platform: platform})
}

type pullOptions struct{ policy, platform string }

func (s *Store) pull(ctx context.Context, req *sdk.Request, named reference.Named, ref string, o pullOptions) (Image, error) {
	local, err := s.Inspect(ctx, ref)
	switch {
	case err == nil && (o.policy == "missing" && o.platform == "" || o.policy == "never"):
		return local, nil
	case err != nil && !client.NotFound(err):
		return Image{}, err
	case err != nil && o.policy == "never":
		return Image{}, sdk.Permanentf("the image %s is not in the store, and it is never pulled", ref)
	}
	// An image that was built here has no registry to ask.
	host := reference.Domain(named)
	if host == "localhost" && err == nil {
		return local, nil
	}
	if err := s.fetch(ctx, req, host, ref, o); err != nil {
		return Image{}, s.classify(fmt.Errorf("pulling %s: %w", ref, err), s.Registries.Of(host))
	}
	return s.Inspect(ctx, ref)
}

func (s *Store) fetch(ctx context.Context, req *sdk.Request, host, ref string, o pullOptions) error {
	reg := s.Registries.Of(host)
	query := url.Values{"reference": {ref}, "tlsVerify": {tlsVerify(reg)}, "policy": {o.policy}}
	if o.platform != "" {
		system, arch, variant := SplitPlatform(o.platform)
		query.Set("OS", system)
		query.Set("Arch", arch)
		query.Set("Variant", variant)
	}
	words := newTransfer(req, "pulling "+ref, s.remoteSizes(ctx, reg, ref, o.platform))
	call, cancel := s.Client.Context(ctx)
	defer cancel()
	resp, err := s.Client.Do(call, client.Call{
		Method: http.MethodPost, Endpoint: "/images/pull", Query: query, Header: authHeader(reg),
	})
	if err != nil {
		return err
	}
	defer func() { _ = resp.Body.Close() }()
	_, err = readReports(resp.Body, words)
	return err
}

// remoteSizes are the sizes of an image's layers in its registry; none if that does not tell: then the pull itself says why.
func (s *Store) remoteSizes(ctx context.Context, reg sdk.Registry, ref, platform string) (sizes []int64) {
	parsed, err := parseRemote(ref, reg)
	if err != nil {
		return nil
	}
	options, err := remoteOptions(reg)
	if err != nil {
		return nil
	}
	options = append(options, remote.WithContext(ctx))
	if p, err := v1.ParsePlatform(platform); err == nil && platform != "" {
		options = append(options, remote.WithPlatform(*p))
	} else if info, err := s.Client.Info(ctx); err == nil {
		options = append(options, remote.WithPlatform(v1.Platform{OS: info.Host.OS, Architecture: info.Host.Arch}))
	}
	img, err := remote.Image(parsed, options...)
	if err != nil {
		return nil
	}
	manifest, err := img.Manifest()
	if err != nil {
		return nil
	}
	for _, l := range manifest.Layers {
		sizes = append(sizes, l.Size)
	}
	return sizes
}
