package client

import (
	"strings"

	"github.com/containerpub/cpub/engine"
	"github.com/containerpub/cpub/workflows"
)

// Call is the step as its provider was asked for it the last time, with the location of the instance that had to carry it out, or an empty one where
// any could. It is false for a step that was not asked for: one that never started, or that is the engine's own.
func (s *Step) Call() (call engine.Call, location string, ok bool) {
	instance, ours := strings.CutPrefix(s.Queue, workflows.TaskQueue+".")
	if s.Key == "" || !ours || len(s.Input) == 0 {
		return engine.Call{}, "", false
	}
	instance, location, _ = strings.Cut(instance, "@")
	return engine.Call{
		Instance: instance, StepType: s.Type, Step: s.Name, Run: s.header.Run, Pipeline: s.header.Pipeline, Key: s.Key, Attempt: 1,
		Input: s.Input, Secrets: s.header.Secrets, SchemaDigest: s.header.SchemaDigest,
	}, location, true
}
