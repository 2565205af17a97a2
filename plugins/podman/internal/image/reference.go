package image

import (
	"fmt"

	"go.podman.io/image/v5/docker/reference"

	"github.com/containerpub/cpub/sdk"
)

// Parse reads an image reference that names its registry. attr is the attribute that holds it.
func Parse(attr, ref string) (reference.Named, error) {
	named, err := reference.ParseNormalizedNamed(ref)
	if err != nil {
		return nil, sdk.Invalidf(attr, "%q is not an image reference: %w", ref, err)
	}
	if !sdk.HasHost(ref) {
		return nil, sdk.Invalidf(attr, "%q names no registry, and what it means would depend on the host; write HOST/NAME:TAG, such as docker.io/library/%s",
			ref, ref)
	}
	return named, nil
}

// Denied is the refusal of a reference by a rule of the policy.
func Denied(rule, ref, source string) error {
	return &sdk.Error{
		Kind: sdk.KindPermanent, Code: sdk.CodeDenied,
		Err: fmt.Errorf("denied by policy: the image %q is not allowed; the rule is policy.%s (%s)", ref, rule, source),
	}
}
