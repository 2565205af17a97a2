package wire

import (
	"github.com/containerpub/cpub/internal/wire/pb"
	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/schema"
)

func fromSweep(s sdk.Sweep) *pb.SweepRequest {
	return &pb.SweepRequest{LiveRuns: s.LiveRuns, GraceMs: toMillis(s.Grace.Std())}
}

func toSweep(r *pb.SweepRequest) sdk.Sweep {
	return sdk.Sweep{LiveRuns: r.GetLiveRuns(), Grace: schema.Duration(fromMillis(r.GetGraceMs()))}
}
