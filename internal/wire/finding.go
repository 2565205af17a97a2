package wire

import (
	"github.com/containerpub/cpub/internal/wire/pb"
	"github.com/containerpub/cpub/sdk"
)

func fromFinding(f sdk.Finding) *pb.Finding {
	return &pb.Finding{Name: validUTF8(f.Name), Ok: f.OK, Detail: validUTF8(f.Detail), Remedy: validUTF8(f.Remedy)}
}

func toFinding(f *pb.Finding) sdk.Finding {
	return sdk.Finding{Name: f.GetName(), OK: f.GetOk(), Detail: f.GetDetail(), Remedy: f.GetRemedy()}
}
