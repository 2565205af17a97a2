package seed

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"runtime"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
)

// Image pushes the folder dir as an image of one layer to reference, over plain HTTP if the registry is on this machine. The same
// folder gives the same digest, which is returned as "sha256:<hex>".
func Image(ctx context.Context, dir, reference string) (string, error) {
	ref, err := name.ParseReference(reference, name.StrictValidation)
	if err != nil {
		return "", fmt.Errorf("%q is no image reference with a tag: %w", reference, err)
	}
	var buf bytes.Buffer
	if err := WriteTar(&buf, dir); err != nil {
		return "", err
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) {
		return io.NopCloser(bytes.NewReader(buf.Bytes())), nil
	})
	if err != nil {
		return "", fmt.Errorf("making a layer of %s: %w", dir, err)
	}
	img, err := mutate.AppendLayers(empty.Image, layer)
	if err != nil {
		return "", fmt.Errorf("making an image of %s: %w", dir, err)
	}
	img, err = mutate.ConfigFile(img, platform(img))
	if err != nil {
		return "", fmt.Errorf("making an image of %s: %w", dir, err)
	}
	if err := remote.Write(ref, img, remote.WithContext(ctx)); err != nil {
		return "", fmt.Errorf("pushing %s: %w", reference, err)
	}
	digest, err := img.Digest()
	return digest.String(), err
}

// platform is the image's configuration for this machine's architecture.
func platform(img v1.Image) *v1.ConfigFile {
	cfg, err := img.ConfigFile()
	if err != nil {
		cfg = &v1.ConfigFile{}
	}
	cfg = cfg.DeepCopy()
	cfg.OS, cfg.Architecture = "linux", runtime.GOARCH
	return cfg
}
