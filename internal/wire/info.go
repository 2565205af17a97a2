package wire

import (
	"fmt"

	"github.com/containerpub/cpub/internal/wire/pb"
	"github.com/containerpub/cpub/sdk"
)

func fromInfo(i sdk.Info) (*pb.DescribeResponse, error) {
	config, err := fromObject(i.Config)
	if err != nil {
		return nil, fmt.Errorf("config: %w", err)
	}
	out := &pb.DescribeResponse{Name: i.Name, Version: i.Version, Config: config}
	for _, s := range i.Steps {
		step, err := fromStepType(s)
		if err != nil {
			return nil, fmt.Errorf("step type %s: %w", s.Name, err)
		}
		out.Steps = append(out.Steps, step)
	}
	return out, nil
}

// toInfo gives a description whose steps have no Run, and that Validate accepts.
func toInfo(r *pb.DescribeResponse) (sdk.Info, error) {
	config, err := toObject(r.GetConfig())
	if err != nil {
		return sdk.Info{}, fmt.Errorf("config: %w", err)
	}
	out := sdk.Info{Name: r.GetName(), Version: r.GetVersion(), Config: config}
	for _, s := range r.GetSteps() {
		step, err := toStepType(s)
		if err != nil {
			return sdk.Info{}, fmt.Errorf("step type %q: %w", s.GetName(), err)
		}
		out.Steps = append(out.Steps, step)
	}
	return out, out.Validate()
}

func fromStepType(s sdk.StepType) (*pb.StepType, error) {
	in, err := fromObject(s.Input)
	if err != nil {
		return nil, fmt.Errorf("input: %w", err)
	}
	out, err := fromObject(s.Output)
	if err != nil {
		return nil, fmt.Errorf("output: %w", err)
	}
	return &pb.StepType{Name: s.Name, Doc: s.Doc, Input: in, Output: out, Pure: s.Pure}, nil
}

func toStepType(s *pb.StepType) (sdk.StepType, error) {
	in, err := toObject(s.GetInput())
	if err != nil {
		return sdk.StepType{}, fmt.Errorf("input: %w", err)
	}
	out, err := toObject(s.GetOutput())
	if err != nil {
		return sdk.StepType{}, fmt.Errorf("output: %w", err)
	}
	return sdk.StepType{Name: s.GetName(), Doc: s.GetDoc(), Input: in, Output: out, Pure: s.GetPure()}, nil
}
