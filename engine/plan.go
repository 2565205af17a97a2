// Package engine holds what a run is made of: the Plan (a compiled pipeline), the Schedule (what is ready, what is done) and the
// Runner (how one step is carried out). It is pure: no IO, no clock, no goroutines, no map order.
package engine

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"

	"github.com/containerpub/cpub/engine/eval"
	"github.com/containerpub/cpub/sdk/schema"
)

// PlanFormat is the version of the plan's JSON that this build writes. It reads this one and older ones.
const PlanFormat = 1

// Language is the version of the pipeline language that this build compiles.
const Language = 1

// MaxPlanSize is the most bytes that an encoded plan may have, so that it fits into one workflow event.
const MaxPlanSize = 1 << 20

// Plan is one compiled pipeline, as data. It holds no path of a machine and no value of a secret. Its digest names it.
type Plan struct {
	Format   int    `json:"format"`
	Language int    `json:"language"`
	Pipeline string `json:"pipeline"`
	// Files are the module's source files whole, sorted by path: a step's body is found by parsing its file again, which serves every
	// syntax alike and keeps every snippet.
	Files []File `json:"files"`
	// Reads are the files that file() and its kin read, sorted by path.
	Reads []File `json:"reads,omitempty"`
	// Steps are the pipeline's steps in declared order.
	Steps []Step `json:"steps"`
	// Schemas are the shapes of the step types used, sorted by type, as the plan was checked against.
	Schemas []StepSchema `json:"schemas"`
}

// File is a file of the module. Path is relative to the module's folder, with slashes.
type File struct {
	Path    string `json:"path"`
	Content []byte `json:"content"`
}

// Step is what a plan knows of a step without evaluating it.
type Step struct {
	Name string `json:"name"`
	Type string `json:"type"`
	// Provider is the instance that the step asks for, such as "podman.builder", or empty.
	Provider string `json:"provider,omitempty"`
	// Deps are the names of the steps that must be done before, in declared order: by reference, or by depends_on.
	Deps []string `json:"deps,omitempty"`
	// Section is where in the pipeline the step stands: eval.Main, eval.OnFailure or eval.Finally.
	Section eval.Section `json:"section,omitempty"`
	// ForEach tells that the step has instances.
	ForEach bool `json:"for_each,omitempty"`
	// ContinueOnError lets the run go on when the step fails.
	ContinueOnError bool `json:"continue_on_error,omitempty"`
	// Compensate is what undoes the step; nil: nothing.
	Compensate *Compensation `json:"compensate,omitempty"`
	// Callee is the digest of the plan that a step of the type `pipeline` runs.
	Callee string `json:"callee,omitempty"`
}

// Compensation is what a plan knows of a compensate block without evaluating it. Deps are the steps that it mentions.
type Compensation struct {
	Type     string   `json:"type"`
	Provider string   `json:"provider,omitempty"`
	Deps     []string `json:"deps,omitempty"`
}

// StepSchema is the shape of one step type.
type StepSchema struct {
	Type   string      `json:"type"`
	Digest string      `json:"digest"`
	Step   schema.Step `json:"schema"`
}

// Step returns the step of that name, or nil.
func (p *Plan) Step(name string) *Step {
	for i := range p.Steps {
		if p.Steps[i].Name == name {
			return &p.Steps[i]
		}
	}
	return nil
}

// Schema returns the shape of that step type, or nil.
func (p *Plan) Schema(stepType string) *StepSchema {
	for i := range p.Schemas {
		if p.Schemas[i].Type == stepType {
			return &p.Schemas[i]
		}
	}
	return nil
}

// Encode gives the plan's canonical JSON and its digest, "sha256:<hex>". It fails for a plan over MaxPlanSize.
func (p *Plan) Encode() (data []byte, digest string, err error) {
	data, err = json.Marshal(p)
	if err != nil {
		return nil, "", fmt.Errorf("encoding plan: %w", err)
	}
	if len(data) > MaxPlanSize {
		return nil, "", fmt.Errorf("the plan of pipeline %q has %d bytes, more than the %d that are possible: split the module, or read less with file()",
			p.Pipeline, len(data), MaxPlanSize)
	}
	sum := sha256.Sum256(data)
	return data, "sha256:" + hex.EncodeToString(sum[:]), nil
}

// DecodePlan reads what Encode wrote. It refuses plans of a newer format, and data that is no plan.
func DecodePlan(data []byte) (*Plan, error) {
	if len(data) > MaxPlanSize {
		return nil, fmt.Errorf("the plan has %d bytes, more than the %d that are possible", len(data), MaxPlanSize)
	}
	p := &Plan{}
	dec := json.NewDecoder(bytes.NewReader(data))
	if err := dec.Decode(p); err != nil {
		return nil, fmt.Errorf("decoding plan: %w", err)
	}
	if p.Format < 1 || p.Format > PlanFormat || p.Language < 1 || p.Language > Language {
		return nil, fmt.Errorf("the plan has format %d and language %d; this build knows up to %d and %d: use a newer cpub-worker",
			p.Format, p.Language, PlanFormat, Language)
	}
	if p.Pipeline == "" {
		return nil, fmt.Errorf("decoding plan: it names no pipeline")
	}
	return p, nil
}
