package preview

import (
	"encoding/json"

	"github.com/hashicorp/hcl/v2"
	"github.com/hashicorp/hcl/v2/hclsyntax"
	"github.com/zclconf/go-cty/cty"

	"github.com/containerpub/cpub/engine/eval"
)

// Document is the preview as JSON has it.
type Document struct {
	Pipeline    string                     `json:"pipeline"`
	Description string                     `json:"description,omitempty"`
	Digest      string                     `json:"digest"`
	Settings    ValuesDocument             `json:"settings"`
	Concurrency *ValuesDocument            `json:"concurrency,omitempty"`
	Variables   map[string]json.RawMessage `json:"variables"`
	// Hidden are the variables that are sensitive in whole or in part: null where they are.
	Hidden  []string         `json:"hidden,omitempty"`
	Steps   []StepDocument   `json:"steps"`
	Outputs []OutputDocument `json:"outputs"`
}

// ValuesDocument is named values. What is not known yet or hidden is null in Input, or missing; Later names it with the steps that it
// waits for (and "run.started_at", "run.error", "self"), Hidden names what is sensitive or secret.
type ValuesDocument struct {
	Input    map[string]json.RawMessage `json:"input"`
	Defaults map[string]json.RawMessage `json:"defaults,omitempty"`
	Later    map[string][]string        `json:"later,omitempty"`
	Hidden   []string                   `json:"hidden,omitempty"`
	// Differs are the values that each instance has of its own; its InstanceDocument has them.
	Differs []string `json:"differs,omitempty"`
	// Blocks are in the order of the file.
	Blocks []BlockDocument `json:"blocks,omitempty"`
}

// BlockDocument is a block in a step's body.
type BlockDocument struct {
	Block string `json:"block"`
	Label string `json:"label,omitempty"`
	ValuesDocument
}

// StepDocument is one step of a Document.
type StepDocument struct {
	Step     string `json:"step"`
	Type     string `json:"type"`
	Provider string `json:"provider,omitempty"`
	// Section is "main", "on_failure" or "finally", Stage counts from 1 in it.
	Section string   `json:"section"`
	Stage   int      `json:"stage"`
	Deps    []string `json:"deps"`
	// When is whether the step runs; null: not known yet, or not the same for each instance.
	When      *bool              `json:"when"`
	Condition *ConditionDocument `json:"condition,omitempty"`
	ForEach   *ForEachDocument   `json:"for_each,omitempty"`
	ValuesDocument
	Instances       []InstanceDocument    `json:"instances,omitempty"`
	ContinueOnError bool                  `json:"continue_on_error,omitempty"`
	Meta            *ValuesDocument       `json:"meta,omitempty"`
	Retry           int                   `json:"max_attempts"`
	RetryBlock      *ValuesDocument       `json:"retry,omitempty"`
	Until           *UntilDocument        `json:"until,omitempty"`
	Preconditions   []ConditionDocument   `json:"preconditions,omitempty"`
	Postconditions  []ConditionDocument   `json:"postconditions,omitempty"`
	Compensate      *CompensationDocument `json:"compensate,omitempty"`
	Calls           *CalledDocument       `json:"calls,omitempty"`
}

// ConditionDocument is a condition: its text, whether it holds (null: not known yet), and what it waits for.
type ConditionDocument struct {
	Text    string          `json:"text"`
	Holds   *bool           `json:"holds"`
	After   []string        `json:"after,omitempty"`
	Message json.RawMessage `json:"error_message,omitempty"`
}

// ForEachDocument is a step's for_each. Keys are null while they are not known.
type ForEachDocument struct {
	Keys []string `json:"keys"`
	// Evaluated is for how many of them instances tells what differs: the first hundred at most.
	Evaluated int             `json:"evaluated"`
	Values    json.RawMessage `json:"values,omitempty"`
	After     []string        `json:"after,omitempty"`
}

// InstanceDocument is what an instance has of its own.
type InstanceDocument struct {
	Key   string                     `json:"key"`
	When  *bool                      `json:"when"`
	Input map[string]json.RawMessage `json:"input"`
	Later map[string][]string        `json:"later,omitempty"`
}

// UntilDocument is an `until` block.
type UntilDocument struct {
	Condition ConditionDocument `json:"condition"`
	ValuesDocument
}

// CompensationDocument is what undoes a step.
type CompensationDocument struct {
	Type     string   `json:"type"`
	Provider string   `json:"provider,omitempty"`
	Deps     []string `json:"deps"`
	ValuesDocument
	Meta  *ValuesDocument `json:"meta,omitempty"`
	Retry *ValuesDocument `json:"retry,omitempty"`
}

// CalledDocument is the pipeline that a step runs.
type CalledDocument struct {
	Pipeline string   `json:"pipeline"`
	Source   string   `json:"source,omitempty"`
	Digest   string   `json:"digest"`
	Steps    []string `json:"steps,omitempty"`
}

// OutputDocument is an output of the pipeline.
type OutputDocument struct {
	Name   string          `json:"name"`
	Value  json.RawMessage `json:"value"`
	After  []string        `json:"after,omitempty"`
	Hidden bool            `json:"hidden,omitempty"`
}

// Document gives the preview as JSON has it.
func (p *Preview) Document() (*Document, error) {
	w := &documenter{}
	d := &Document{
		Pipeline: p.Pipeline, Description: p.Description, Digest: p.Digest, Steps: []StepDocument{}, Outputs: []OutputDocument{},
		Settings: w.values(Content{Values: p.Settings}),
	}
	if p.Concurrency != nil {
		d.Concurrency = w.content(p.Concurrency)
	}
	vars := w.values(Content{Values: p.Variables})
	d.Variables, d.Hidden = vars.Input, vars.Hidden
	for i := range p.Steps {
		d.Steps = append(d.Steps, w.step(&p.Steps[i]))
	}
	for _, o := range p.Outputs {
		d.Outputs = append(d.Outputs, OutputDocument{Name: o.Name, Value: w.json(o.Value), After: o.After, Hidden: eval.HasSensitive(o.Value)})
	}
	return d, w.err
}

// documenter makes documents, and keeps the first error.
type documenter struct{ err error }

func (w *documenter) step(s *Step) StepDocument {
	d := StepDocument{
		Step: s.Name, Type: s.Type, Provider: s.Provider, Section: string(s.Section), Stage: s.Stage, Deps: append([]string{}, s.Deps...),
		ValuesDocument: w.values(s.Content), ContinueOnError: s.ContinueOnError, Retry: s.Policy.MaxAttempts, RetryBlock: w.content(s.Retry),
		Preconditions: w.conditions(s.Preconditions), Postconditions: w.conditions(s.Postconditions), When: yes(),
	}
	if eval.IsBuiltin(s.Type) && s.Type != eval.TypePipeline {
		d.Retry = 1
	}
	if s.Section == eval.Main {
		d.Section = "main"
	}
	if s.When != nil {
		d.When, d.Condition = holds(s.When.Holds), w.condition(s.When)
	}
	if len(s.Meta) > 0 {
		d.Meta = w.content(&Content{Values: s.Meta})
	}
	if in := s.Instances; in != nil {
		d.ForEach = &ForEachDocument{Keys: in.Keys, Evaluated: in.Evaluated, After: in.Value.After}
		if in.Known {
			d.ForEach.Keys, d.ForEach.Values = append([]string{}, in.Keys...), w.json(in.Value.Value)
		}
		d.Instances = w.instances(s)
	}
	if u := s.Until; u != nil {
		d.Until = &UntilDocument{Condition: *w.condition(&u.Condition), ValuesDocument: w.values(u.Content)}
	}
	if c := s.Compensate; c != nil {
		d.Compensate = &CompensationDocument{
			Type: c.Type, Provider: c.Provider, Deps: append([]string{}, c.Deps...), ValuesDocument: w.values(c.Content), Retry: w.content(c.Retry),
		}
		if len(c.Meta) > 0 {
			d.Compensate.Meta = w.content(&Content{Values: c.Meta})
		}
	}
	if c := s.Called; c != nil {
		d.Calls = &CalledDocument{Pipeline: c.Pipeline, Source: c.Source, Digest: c.Digest, Steps: c.Steps}
	}
	return d
}

// instances are those that have something of their own.
func (w *documenter) instances(s *Step) (out []InstanceDocument) {
	at := map[string]int{}
	find := func(key string) *InstanceDocument {
		i, ok := at[key]
		if !ok {
			i = len(out)
			at[key] = i
			out = append(out, InstanceDocument{Key: key, When: yes(), Input: map[string]json.RawMessage{}})
			if s.When != nil {
				out[i].When = holds(s.When.Holds)
			}
		}
		return &out[i]
	}
	if s.When != nil {
		for _, v := range s.When.Each {
			find(v.Name).When = holds(v.Value)
		}
	}
	for _, v := range s.Values {
		for _, one := range v.Each {
			inst := find(one.Name)
			one.Name = v.Name
			doc := w.values(Content{Values: []Value{one}})
			for name, value := range doc.Input {
				inst.Input[name] = value
			}
			for name, after := range doc.Later {
				if inst.Later == nil {
					inst.Later = map[string][]string{}
				}
				inst.Later[name] = after
			}
		}
	}
	return out
}

func (w *documenter) conditions(all []Condition) (out []ConditionDocument) {
	for i := range all {
		out = append(out, *w.condition(&all[i]))
	}
	return out
}

func (w *documenter) condition(c *Condition) *ConditionDocument {
	d := &ConditionDocument{Text: c.Text, Holds: holds(c.Holds), After: c.After}
	if c.Message.Name != "" {
		d.Message = w.json(c.Message.Value)
	}
	return d
}

func (w *documenter) content(c *Content) *ValuesDocument {
	if c == nil {
		return nil
	}
	d := w.values(*c)
	return &d
}

func (w *documenter) values(c Content) ValuesDocument {
	d := ValuesDocument{Input: map[string]json.RawMessage{}, Later: map[string][]string{}}
	for _, v := range c.Values {
		switch bare := eval.Plain(v.Value); {
		case v.Default != "":
			if d.Defaults == nil {
				d.Defaults = map[string]json.RawMessage{}
			}
			d.Defaults[v.Name] = w.byDefault(v.Default)
		case len(v.Each) > 0:
			d.Differs = append(d.Differs, v.Name)
		default:
			if !bare.IsWhollyKnown() {
				d.Later[v.Name] = append([]string{}, v.After...)
			}
			if bare.IsKnown() {
				d.Input[v.Name] = w.json(v.Value)
			}
			if eval.HasSensitive(v.Value) {
				d.Hidden = append(d.Hidden, v.Name)
			}
		}
	}
	for _, b := range c.Blocks {
		d.Blocks = append(d.Blocks, BlockDocument{Block: b.Type, Label: b.Label, ValuesDocument: w.values(b.Content)})
	}
	return d
}

// json is a value with null for what is hidden or not known.
func (w *documenter) json(v cty.Value) json.RawMessage {
	null := json.RawMessage("null")
	if v == cty.NilVal {
		return null
	}
	shown, err := cty.Transform(v, func(_ cty.Path, v cty.Value) (cty.Value, error) {
		if v.IsMarked() || !v.IsKnown() {
			return cty.NullVal(v.Type()), nil
		}
		return v, nil
	})
	var data json.RawMessage
	if err == nil {
		data, err = eval.JSON(shown)
	}
	if err != nil {
		w.err = err
		return null
	}
	return data
}

// byDefault is a default, which a schema writes as HCL; as a text where it is none.
func (w *documenter) byDefault(text string) json.RawMessage {
	v := cty.StringVal(text)
	if expr, diags := hclsyntax.ParseExpression([]byte(text), "", hcl.InitialPos); !diags.HasErrors() {
		if found, diags := expr.Value(nil); !diags.HasErrors() {
			v = found
		}
	}
	return w.json(v)
}

func yes() *bool { b := true; return &b }

// holds is a condition's value; nil: not known.
func holds(v cty.Value) *bool {
	if !v.IsKnown() || v.IsNull() {
		return nil
	}
	b := v.True()
	return &b
}
