package wire

import (
	"github.com/containerpub/cpub/internal/wire/pb"
	"github.com/containerpub/cpub/sdk"
)

func fromProgress(p sdk.Progress) *pb.Progress {
	return &pb.Progress{Message: clip(p.Message, maxErrorMessage), Done: p.Done, Total: p.Total, Unit: validUTF8(p.Unit)}
}

func toProgress(p *pb.Progress) sdk.Progress {
	return sdk.Progress{Message: p.GetMessage(), Done: p.GetDone(), Total: p.GetTotal(), Unit: p.GetUnit()}
}
