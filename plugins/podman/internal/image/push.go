package image

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
	"go.podman.io/image/v5/docker/reference"

	"github.com/containerpub/cpub/plugins/podman/internal/client"
	"github.com/containerpub/cpub/sdk"
)

// PushInput is contract.ImagePush's input.
type PushInput struct {
	Image       sdk.Located `json:"image"`
	Destination string      `json:"destination"`
	Compression string      `json:"compression"`
}

// PushOutput is contract.ImagePush's output.
type PushOutput struct {
	Reference string `json:"reference"`
	Digest    string `json:"digest"`
	Cached    bool   `json:"cached"`
}

// Push pushes an image and checks what the registry has then: a manifest that hashes to its digest, and whose config is this
// very image. A registry that has the image under the tag already is left alone, so that a repeated attempt pushes nothing.
func (s *Store) Push(ctx context.Context, req *sdk.Request) (any, error) {
	var in PushInput
	if err := req.Decode(&in); err != nil {
		return nil, err
	}
	return s.pushTo(ctx, req, in)
}

func (s *Store) pushTo(ctx context.Context, req *sdk.Request, in PushInput) (*PushOutput, error) {
	named, err := Parse("destination", in.Destination)
	if err != nil {
		return nil, err
	}
	if _, ok := named.(reference.Digested); ok {
		return nil, sdk.Invalidf("destination", "%q has a digest; write the tag to push to", in.Destination)
	}
	named = reference.TagNameOnly(named)
	id, err := s.Local(ctx, "image", in.Image)
	if err != nil {
		return nil, err
	}
	p := push{Store: s, req: req, id: id, named: named, registry: s.Registries.Of(reference.Domain(named)), compression: in.Compression}
	return p.do(ctx)
}

// push is one push under way.
type push struct {
	*Store
	req         *sdk.Request
	id          string
	named       reference.Named
	registry    sdk.Registry
	compression string
}

func (p *push) do(ctx context.Context) (*PushOutput, error) {
	if digest, err := p.verify(ctx, p.named.String()); err == nil && p.compression == "" {
		p.req.Logf("%s has the image already", p.named)
		return p.output(digest, true), nil
	}
	reported, err := p.send(ctx)
	if err != nil {
		err = fmt.Errorf("pushing %s: %w", p.named, err)
		if untrusted(err) {
			return nil, p.untrusted(err, p.registry)
		}
		return nil, p.failed(ctx, err)
	}
	// By the digest that Podman tells, where it does (4.3.1 does not): the tag may be somebody else's by now.
	check := p.named.String()
	if reported != "" {
		check = p.named.Name() + "@" + reported
	}
	digest, err := p.verify(ctx, check)
	if err != nil {
		return nil, p.failed(ctx, fmt.Errorf("checking what %s has after the push: %w", p.named, err))
	}
	if err := p.compressed(ctx, p.named.Name()+"@"+digest); err != nil {
		return nil, err
	}
	p.req.Logf("pushed %s as %s", p.named, digest)
	return p.output(digest, false), nil
}

func (p *push) failed(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return classify(err, p.registry.Host)
}

func (p *push) output(digest string, cached bool) *PushOutput {
	return &PushOutput{Reference: p.named.Name() + "@" + digest, Digest: digest, Cached: cached}
}

// send has Podman push, and gives the manifest's digest if Podman tells it.
func (p *push) send(ctx context.Context) (string, error) {
	query := url.Values{"destination": {p.named.String()}, "tlsVerify": {tlsVerify(p.registry)}, "quiet": {"false"}}
	if p.compression != "" {
		query.Set("compressionFormat", p.compression)
		query.Set("forceCompressionFormat", "true")
	}
	layers, err := p.layers(ctx, stored{id: p.id}, true)
	if err != nil {
		return "", err
	}
	var sizes []int64
	for _, l := range layers {
		sizes = append(sizes, l.size)
	}
	words := newTransfer(p.req, "pushing "+p.named.String(), sizes)
	call, cancel := p.Client.Context(ctx)
	defer cancel()
	resp, err := p.Client.Do(call, client.Call{
		Method: http.MethodPost, Endpoint: "/images/%s/push", Path: []string{p.id}, Query: query, Header: authHeader(p.registry),
	})
	if err != nil {
		return "", err
	}
	defer func() { _ = resp.Body.Close() }()
	r, err := readReports(resp.Body, words)
	return r.ManifestDigest, err
}

// errOther is verify's when the registry has something else under the reference.
var errOther = errors.New("the registry has another image there")

// verify asks the registry for a manifest, checks that it is what its digest says and that it is this image's, and gives
// the digest.
func (p *push) verify(ctx context.Context, ref string) (string, error) {
	got, err := p.manifest(ctx, ref)
	if err != nil {
		var terr *transport.Error
		if errors.As(err, &terr) && terr.StatusCode == http.StatusNotFound {
			return "", errOther
		}
		return "", err
	}
	sum := sha256.Sum256(got.Manifest)
	digest := "sha256:" + hex.EncodeToString(sum[:])
	if digest != got.Digest.String() {
		return "", fmt.Errorf("the registry says %s of a manifest that hashes to %s", got.Digest, digest)
	}
	var manifest struct {
		Config struct {
			Digest string `json:"digest"`
		} `json:"config"`
	}
	if err := json.Unmarshal(got.Manifest, &manifest); err != nil {
		return "", fmt.Errorf("reading the manifest: %w", err)
	}
	if trimAlgorithm(manifest.Config.Digest) != p.id {
		return "", errOther
	}
	return digest, nil
}

// manifest asks the registry for a manifest.
func (p *push) manifest(ctx context.Context, ref string) (*remote.Descriptor, error) {
	parsed, err := parseRemote(ref, p.registry)
	if err != nil {
		return nil, err
	}
	opts, err := remoteOptions(p.registry)
	if err != nil {
		return nil, err
	}
	return remote.Get(parsed, append(opts, remote.WithContext(ctx))...)
}

// compressed checks that the layers have the compression that was asked for: a Podman that cannot be told to compress anew (4.3.1)
// takes a layer that the registry has, as it is there.
func (p *push) compressed(ctx context.Context, ref string) error {
	if p.compression == "" {
		return nil
	}
	got, err := p.manifest(ctx, ref)
	if err != nil {
		return p.failed(ctx, fmt.Errorf("looking at the compression of %s: %w", p.named, err))
	}
	other, err := otherCompression(got.Manifest, p.compression)
	if err != nil || other == "" {
		return err
	}
	return sdk.Permanentf("%s was pushed, but not with compression %q: the registry had a layer already, of type %s, which Podman %s takes as it is; "+
		"leave `compression` out, push to another registry, or upgrade Podman", p.named, p.compression, other, p.Client.Version())
}

// otherCompression is the type of a manifest's first layer that has another compression; empty if all have this one.
func otherCompression(manifest []byte, want string) (mediaType string, err error) {
	var m struct {
		Layers []struct {
			MediaType string `json:"mediaType"`
		} `json:"layers"`
	}
	if err := json.Unmarshal(manifest, &m); err != nil {
		return "", fmt.Errorf("reading the manifest: %w", err)
	}
	for _, l := range m.Layers {
		if !strings.HasSuffix(l.MediaType, "+"+want) && !strings.HasSuffix(l.MediaType, "."+want) {
			return l.MediaType, nil
		}
	}
	return "", nil
}
