package build

import (
	"maps"

	"github.com/containerpub/cpub/plugins/podman/internal/image"
	"github.com/containerpub/cpub/sdk"
)

// The labels and annotations by which an image tells where it came from.
const (
	originPipeline = "io.cpub.pipeline"
	originSource   = image.LabelSource
)

// origin is where the image comes from, as its labels and the annotations of its manifest tell it, under those of the user.
//
// There is nothing of the run in it. Labels are part of the image, and Podman 5 makes annotations part of what it finds in the cache, too: every
// run would get an image of its own, and build its last layer anew. As labels are there, Podman sets them in a step of its own at the end, so that
// another context or pipeline costs no layer. A reproducible build tells nothing but its source.
func origin(req *sdk.Request, in Input, s *source, users map[string]string) map[string]string {
	all := map[string]string{}
	// Without an instruction the image is its base, which a label would make into another one.
	if s.changes || len(in.Labels) > 0 || len(in.Annotations) > 0 {
		all[originSource] = in.Context.Digest
		if !in.Reproducible {
			all[originPipeline] = req.Pipeline
		}
	}
	maps.Copy(all, users)
	return all
}

// labelSteps is how many steps a build has for so many labels.
func (b *Builder) labelSteps(labels int) int64 {
	if b.Client.AtLeast(4, 8) {
		labels = min(labels, 1)
	}
	return int64(labels)
}
