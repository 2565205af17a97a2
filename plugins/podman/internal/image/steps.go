package image

import (
	"context"

	"github.com/containerpub/cpub/sdk"
)

// PullInput is contract.ImagePull's input.
type PullInput struct {
	Reference string `json:"reference"`
	Policy    string `json:"policy"`
}

// PullOutput is contract.ImagePull's output.
type PullOutput struct {
	Image  sdk.Located `json:"image"`
	Digest string      `json:"digest"`
}

// RunPull carries out image_pull. It may be repeated: an image that is there is kept.
func (s *Store) RunPull(ctx context.Context, req *sdk.Request) (any, error) {
	var in PullInput
	if err := req.Decode(&in); err != nil {
		return nil, err
	}
	if in.Policy == "" {
		in.Policy = "missing"
	}
	got, err := s.Pull(ctx, req, "reference", in.Reference, in.Policy)
	if err == nil {
		err = s.Keep(ctx, req, got.ID)
	}
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if err != nil {
		return nil, err
	}
	return PullOutput{Image: s.Located(got.ID), Digest: got.Digest}, nil
}
