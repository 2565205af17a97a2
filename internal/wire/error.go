package wire

import (
	"encoding/json"
	"errors"

	"github.com/containerpub/cpub/internal/wire/pb"
	"github.com/containerpub/cpub/sdk"
)

// maxErrorMessage is the most bytes of an error's text that travel.
const maxErrorMessage = 16 << 10

// fromError gives nil for nil. The text is the whole chain's.
func fromError(err error) *pb.Error { return fromErrorBehind(nil, err) }

// fromErrorBehind is fromError without what r hides, which is hidden before anything is cut.
func fromErrorBehind(r *sdk.Redactor, err error) *pb.Error {
	if err == nil {
		return nil
	}
	out := &pb.Error{Message: clip(r.Text(err.Error()), maxErrorMessage)}
	var e *sdk.Error
	if !errors.As(err, &e) {
		return out
	}
	out.Kind, out.Code, out.Attr, out.RetryAfterMs = string(e.Kind), validUTF8(e.Code), validUTF8(r.Text(e.Attr)), toMillis(e.RetryAfter)
	if outputs := hideJSON(r, e.Outputs); len(outputs) <= MaxOutputs {
		out.Outputs = outputs
	}
	return out
}

// toError gives nil for nil, and otherwise an *sdk.Error. Kinds that we do not know are transient; outputs that are no JSON
// are left out.
func toError(e *pb.Error) error {
	if e == nil {
		return nil
	}
	out := &sdk.Error{
		Kind: toKind(e.GetKind()), Code: e.GetCode(), Attr: e.GetAttr(),
		RetryAfter: fromMillis(e.GetRetryAfterMs()),
		Err:        errors.New(clip(e.GetMessage(), maxErrorMessage)),
	}
	if json.Valid(e.GetOutputs()) && len(e.GetOutputs()) <= MaxOutputs {
		out.Outputs = e.GetOutputs()
	}
	return out
}

func toKind(s string) sdk.Kind {
	switch k := sdk.Kind(s); k {
	case sdk.KindPermanent, sdk.KindInvalid:
		return k
	default:
		return sdk.KindTransient
	}
}

// clip shortens s to n bytes of whole characters that protobuf takes, and says so.
func clip(s string, n int) string {
	const mark = " … (shortened)"
	s = validUTF8(s)
	if len(s) <= n {
		return s
	}
	return validUTF8(s[:n-len(mark)]) + mark
}
