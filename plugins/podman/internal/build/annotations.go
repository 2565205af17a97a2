package build

import (
	"maps"

	"github.com/containerpub/cpub/plugins/podman/internal/owner"
	"github.com/containerpub/cpub/sdk"
)

// The annotations of a manifest that a build gives by itself, beside owner.LabelRun.
const (
	annotationPipeline = "io.cpub.pipeline"
	annotationSource   = "io.cpub.source"
)

// annotations are those of the image's manifest. No labels: these are part of the image itself, so that each run would get another one and
// none of its layers from the cache. Annotations are not: an image that comes from the cache as a whole keeps those of the run that built it.
// A reproducible build says nothing that differs from run to run.
func annotations(req *sdk.Request, in Input, s *source) map[string]string {
	all := map[string]string{}
	// Without an instruction the image is its base, which an annotation would make into another one each time.
	if s.changes || len(in.Labels) > 0 || len(in.Annotations) > 0 {
		all[annotationSource] = in.Context.Digest
		if !in.Reproducible {
			all[annotationPipeline], all[owner.LabelRun] = req.Pipeline, req.Run
		}
	}
	maps.Copy(all, in.Annotations)
	return all
}
