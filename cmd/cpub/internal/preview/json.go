package preview

import (
	"encoding/json"

	"github.com/zclconf/go-cty/cty"

	"github.com/containerpub/cpub/engine/eval"
)

// Document is the preview as JSON has it. Values that are not known yet are missing, and named with the steps that they wait for.
type Document struct {
	Pipeline  string                     `json:"pipeline"`
	Digest    string                     `json:"digest"`
	Variables map[string]json.RawMessage `json:"variables"`
	Steps     []StepDocument             `json:"steps"`
	Outputs   []string                   `json:"outputs"`
}

// StepDocument is one step of a Document.
type StepDocument struct {
	Step     string   `json:"step"`
	Type     string   `json:"type"`
	Provider string   `json:"provider,omitempty"`
	Deps     []string `json:"deps"`
	// When is whether the step runs; null: not known yet.
	When    *bool                      `json:"when"`
	Input   map[string]json.RawMessage `json:"input"`
	Later   map[string][]string        `json:"later,omitempty"`
	Timeout string                     `json:"timeout,omitempty"`
	Retry   int                        `json:"max_attempts"`
}

// Document gives the preview as JSON has it. Sensitive values are null.
func (p *Preview) Document() (*Document, error) {
	d := &Document{Pipeline: p.Pipeline, Digest: p.Digest, Variables: map[string]json.RawMessage{}, Steps: []StepDocument{}, Outputs: []string{}}
	for _, v := range p.Variables {
		if err := put(d.Variables, v); err != nil {
			return nil, err
		}
	}
	for i := range p.Steps {
		s, err := p.Steps[i].document()
		if err != nil {
			return nil, err
		}
		d.Steps = append(d.Steps, *s)
	}
	for _, o := range p.Outputs {
		d.Outputs = append(d.Outputs, o.Name)
	}
	return d, nil
}

func (s *Step) document() (*StepDocument, error) {
	d := &StepDocument{
		Step: s.Name, Type: s.Type, Provider: s.Provider, Deps: append([]string{}, s.Deps...), Input: map[string]json.RawMessage{},
		Later: map[string][]string{}, Retry: s.call.Retry.MaxAttempts,
	}
	if s.When.IsKnown() {
		runs := !s.When.IsNull() && s.When.True()
		d.When = &runs
	}
	if s.call.Timeout > 0 {
		d.Timeout = s.call.Timeout.String()
	}
	for _, v := range s.Input {
		known, _ := v.Value.UnmarkDeep()
		switch {
		case v.Default != "":
		case !known.IsWhollyKnown():
			d.Later[v.Name] = append([]string{}, v.After...)
		default:
			if err := put(d.Input, v); err != nil {
				return nil, err
			}
		}
	}
	return d, nil
}

func put(into map[string]json.RawMessage, v Value) error {
	value := v.Value
	if eval.HasSensitive(value) {
		value = cty.NullVal(cty.DynamicPseudoType)
	}
	data, err := eval.JSON(value)
	if err != nil {
		return err
	}
	into[v.Name] = data
	return nil
}
