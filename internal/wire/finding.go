package wire

import (
	"github.com/containerpub/cpub/internal/wire/pb"
	"github.com/containerpub/cpub/sdk"
)

func fromFinding(f sdk.Finding) *pb.Finding {
	out := &pb.Finding{
		Name: validUTF8(f.Name), Subject: validUTF8(f.Subject), Ok: f.OK, Warning: f.Warning, Detail: validUTF8(f.Detail), Remedy: validUTF8(f.Remedy),
	}
	for _, x := range f.Fixes {
		out.Fixes = append(out.Fixes, &pb.Fix{Kind: string(x.Kind), Path: validUTF8(x.Path), Mode: x.Mode, Line: validUTF8(x.Line)})
	}
	return out
}

func toFinding(f *pb.Finding) sdk.Finding {
	out := sdk.Finding{
		Name: f.GetName(), Subject: f.GetSubject(), OK: f.GetOk(), Warning: f.GetWarning(), Detail: f.GetDetail(), Remedy: f.GetRemedy(),
	}
	for _, x := range f.GetFixes() {
		out.Fixes = append(out.Fixes, sdk.Fix{Kind: sdk.FixKind(x.GetKind()), Path: x.GetPath(), Mode: x.GetMode(), Line: x.GetLine()})
	}
	return out
}
