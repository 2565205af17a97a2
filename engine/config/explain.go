package config

import (
	"fmt"
	"strings"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/containerpub/cpub/engine"
	"github.com/containerpub/cpub/engine/eval"
	"github.com/containerpub/cpub/sdk/schema"
)

// Explanation is what a pipeline would do with these variables, as far as it is known before it runs. Values are texts in HCL's syntax;
// what is not known yet reads "(known after step.NAME)", and what is sensitive "(sensitive)".
type Explanation struct {
	Pipeline    string            `json:"pipeline"`
	Digest      string            `json:"digest"`
	Description string            `json:"description,omitempty"`
	Timeout     string            `json:"timeout,omitempty"`
	MaxParallel int               `json:"max_parallel"`
	Labels      map[string]string `json:"labels,omitempty"`
	Variables   []ExplainedValue  `json:"variables"`
	Steps       []ExplainedStep   `json:"steps"`
	Outputs     []ExplainedValue  `json:"outputs"`
}

// ExplainedValue is one named value.
type ExplainedValue struct {
	Name  string `json:"name"`
	Value string `json:"value"`
	// From says where it comes from: "default" when nothing was given, or a variable's source.
	From string `json:"from,omitempty"`
}

// ExplainedStep is one step.
type ExplainedStep struct {
	Name     string `json:"name"`
	Type     string `json:"type"`
	Provider string `json:"provider,omitempty"`
	// Stage counts from 1: steps of one stage depend on none of each other, and may run at once.
	Stage int      `json:"stage"`
	After []string `json:"after,omitempty"`
	// When is empty for a step without a condition, else "true", "false" (it would be skipped) or what must be known first.
	When    string `json:"when,omitempty"`
	Timeout string `json:"timeout,omitempty"`
	Retry   string `json:"retry"`
	// Input is what the step sets, then what the provider's defaults set.
	Input []ExplainedValue `json:"input"`
}

// Explain evaluates a plan of the module with variables, as a run would, and tells what is known before it. Mistakes that only the values
// show (a bad duration, a value of a wrong type) are diagnostics.
func (m *Module) Explain(plan *engine.Plan, vars *Values) (*Explanation, hcl.Diagnostics) {
	p := m.Pipeline(plan.Pipeline)
	if p == nil {
		return nil, failed(fmt.Errorf("the module has no pipeline %q", plan.Pipeline))
	}
	_, digest, err := plan.Encode()
	if err != nil {
		return nil, failed(err)
	}
	e := explainer{m: m, p: p, in: eval.Inputs{Variables: vars.All, Steps: m.UnknownSteps(p), Files: eval.Recorded(m.reads)}}
	out := &Explanation{Pipeline: p.Name, Digest: digest, Description: p.Description, Variables: e.variables(vars)}
	call, diags := e.scope().Pipeline()
	out.MaxParallel, out.Labels, out.Timeout = call.MaxParallel, call.Labels, durationText(call.Timeout)
	stages := map[string]int{}
	for _, s := range plan.Steps {
		stages[s.Name] = 0
	}
	for _, s := range plan.Steps {
		step, more := e.step(plan, s, stages)
		diags = append(diags, more...)
		out.Steps = append(out.Steps, step)
	}
	for _, o := range p.Outputs {
		v, more := e.scope().Output(o)
		diags = append(diags, more...)
		out.Outputs = append(out.Outputs, ExplainedValue{Name: o.Name, Value: e.text(v, o.Value)})
	}
	return out, eval.Sort(diags)
}

type explainer struct {
	m  *Module
	p  *eval.Pipeline
	in eval.Inputs
}

func (e explainer) scope() *eval.Scope { return e.m.Scope(e.p, e.in) }

// of sees what every instance of a step sees.
func (e explainer) of(s *eval.Step) (explainer, hcl.Diagnostics) {
	if s.Section != eval.Main {
		e.in.RunError = unknownError()
	}
	if s.ForEach == nil {
		return e, nil
	}
	all, diags := e.scope().ForEach(s)
	e.in.Each = all.AnyEach()
	return e, diags
}

func (e explainer) variables(vars *Values) []ExplainedValue {
	out := []ExplainedValue{}
	for _, v := range e.m.Variables {
		from := vars.From[v.Name]
		if from == "" {
			from = "default"
		}
		value := cty.DynamicVal
		if vars.All != cty.NilVal && vars.All.Type().HasAttribute(v.Name) {
			value = vars.All.GetAttr(v.Name)
		}
		out = append(out, ExplainedValue{Name: v.Name, Value: eval.Show(value, "(unknown)"), From: from})
	}
	return out
}

func (e explainer) step(plan *engine.Plan, s engine.Step, stages map[string]int) (ExplainedStep, hcl.Diagnostics) {
	decl := e.p.Step(s.Name)
	out := ExplainedStep{Name: s.Name, Type: s.Type, Provider: s.Provider, After: s.Deps, Stage: stageOf(plan, s.Name, stages), Input: []ExplainedValue{}}
	e, diags := e.of(decl)
	if decl.When != nil {
		when, more := e.scope().When(decl)
		diags = append(diags, more...)
		out.When = e.text(when, decl.When)
	}
	shape := plan.Schema(s.Type).Step.Input
	call, more := e.scope().Step(decl, shape)
	diags = append(diags, more...)
	out.Timeout = durationText(call.Timeout)
	out.Retry = retryText(call.Retry)
	body, _ := eval.BlocksOf(decl.Body, shape) // what is wrong is told by the scope
	for _, a := range shape.Attrs {
		switch set := body.Attributes[a.Name]; {
		case set != nil:
			out.Input = append(out.Input, ExplainedValue{Name: a.Name, Value: e.text(call.Input.GetAttr(a.Name), set.Expr)})
		case a.Default != "":
			out.Input = append(out.Input, ExplainedValue{Name: a.Name, Value: a.Default, From: "default"})
		}
	}
	for _, b := range shape.Blocks {
		if v := call.Input.GetAttr(b.Name); eval.HasBlock(body, b.Name) {
			out.Input = append(out.Input, ExplainedValue{Name: b.Name, Value: eval.Show(v, "(not known yet)")})
		}
	}
	return out, diags
}

// text shows a value, and says of what is unknown which steps tell it.
func (e explainer) text(v cty.Value, expr hcl.Expression) string {
	unknown := "(known when it runs)"
	if after := e.m.StepsIn(expr); len(after) > 0 {
		unknown = "(known after step." + strings.Join(after, ", step.") + ")"
	}
	return eval.Show(v, unknown)
}

// stageOf is one more than the latest stage of what a step waits for.
func stageOf(plan *engine.Plan, name string, stages map[string]int) int {
	if stages[name] > 0 {
		return stages[name]
	}
	stage := 1
	for _, d := range plan.Step(name).Deps {
		stage = max(stage, stageOf(plan, d, stages)+1)
	}
	stages[name] = stage
	return stage
}

func durationText(d time.Duration) string {
	if d == 0 {
		return ""
	}
	return schema.Duration(d).String()
}

func retryText(r eval.RetryPolicy) string {
	text := fmt.Sprintf("%d attempts, %s x%g up to %s", r.MaxAttempts, r.InitialInterval, r.BackoffCoefficient, r.MaxInterval)
	if r.MaxAttempts == 1 {
		text = "no retry"
	}
	if len(r.On) > 0 {
		text += ", also on " + strings.Join(r.On, ", ")
	}
	return text
}
