package workflows

import (
	commonpb "go.temporal.io/api/common/v1"
	failurepb "go.temporal.io/api/failure/v1"
	"go.temporal.io/sdk/converter"
	"go.temporal.io/sdk/temporal"

	"github.com/containerpub/cpub/engine"
)

// HeaderOf reads the header of a step's activity in a history.
func HeaderOf(h *commonpb.Header) (Header, bool) {
	p, ok := h.GetFields()[headerName]
	if !ok {
		return Header{}, false
	}
	var header Header
	if err := converter.GetDefaultDataConverter().FromPayload(p, &header); err != nil {
		return Header{}, false
	}
	return header, true
}

// FailureOf reads a step's failure in a history.
func FailureOf(f *failurepb.Failure) *engine.StepError {
	err := temporal.GetDefaultFailureConverter().FailureToError(f)
	o := outcome(nil, err)
	if o.Err == nil { // a cancel
		return &engine.StepError{Message: f.GetMessage()}
	}
	return o.Err
}

// RunFailureOf reads the failure of a run in a history.
func RunFailureOf(f *failurepb.Failure) *engine.StepError {
	var e engine.StepError
	if d := f.GetApplicationFailureInfo().GetDetails().GetPayloads(); len(d) > 0 &&
		converter.GetDefaultDataConverter().FromPayload(d[0], &e) == nil && e.Message != "" {
		return &e
	}
	return &engine.StepError{Code: f.GetApplicationFailureInfo().GetType(), Message: f.GetMessage()}
}
