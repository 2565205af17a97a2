package preview

import (
	"bytes"
	"encoding/json"
	"strings"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/containerpub/cpub/engine"
	"github.com/containerpub/cpub/engine/eval"
	"github.com/containerpub/cpub/sdk/schema"
)

// Step is one step with what its input will be.
type Step struct {
	engine.Step
	// Stage counts from 1 within the step's section: steps of one stage may run at once.
	Stage int
	// Instances are those of for_each; nil where there is none.
	Instances *Instances
	// When is nil for a step without a condition.
	When *Condition
	// Meta are max_parallel, timeout and queue_timeout, as far as they are set.
	Meta []Value
	Content
	// Policy is what counts for retries; Retry what the block says, with defaults, and nil where there is none.
	Policy                        eval.RetryPolicy
	Retry                         *Content
	Until                         *Until
	Preconditions, Postconditions []Condition
	Compensate                    *Compensation
	// Called is nil where the step runs no pipeline.
	Called *Called
}

// Instances are the elements of a step's for_each.
type Instances struct {
	// Value is for_each itself, and Keys its keys, sorted, if Known.
	Value Value
	Known bool
	Keys  []string
	// Evaluated is for how many of them everything was evaluated.
	Evaluated int
}

// Until is when a step is done.
type Until struct {
	Condition Condition
	// Content are the interval and the most attempts.
	Content
}

// Compensation is what undoes a step.
type Compensation struct {
	engine.Compensation
	Meta []Value
	Content
	Retry *Content
}

// Called is the pipeline that a step runs.
type Called struct {
	Pipeline, Source, Digest string
	// Steps are the names of its steps; nil where its plan is not at hand.
	Steps []string
}

// Skipped tells that the step is known to be skipped.
func (s *Step) Skipped() bool { return s.When != nil && len(s.When.Each) == 0 && isFalse(s.When.Holds) }

// Certain tells that the step is known to run, or to have no instances.
func (s *Step) Certain() bool {
	return s.When == nil || len(s.When.Each) == 0 && s.When.Holds.IsKnown() || len(s.When.Each) > 0
}

// maxEvaluated is how many instances of a step are evaluated.
const maxEvaluated = 100

// instance is what one instance of a step sees; the key is empty where there is only one.
type instance struct {
	key string
	in  eval.Inputs
}

func (m *maker) step(s engine.Step) (Step, hcl.Diagnostics) {
	out := Step{Step: s}
	block, shape := m.pipeline.Step(s.Name), m.plan.Schema(s.Type)
	if block == nil || shape == nil {
		return out, nil
	}
	all, diags := m.instances(block, &out)
	if diags.HasErrors() {
		return out, diags
	}
	e := stepMaker{m: m, block: block, origin: m.origin(block), all: all}
	out.When = e.when()
	out.Preconditions = e.conditions(block.Preconditions)
	var calls []eval.Call
	out.Content, calls = e.content(block, shape.Step.Input)
	out.Policy = calls[0].Retry
	out.Meta = append(out.Meta, e.durations(block)...)
	out.Retry = e.retry(block.Retry)
	out.Called = m.called(block, s)
	for i := range e.all {
		e.all[i].in.Self = eval.UnknownStep(shape.Step.Output)
	}
	out.Until = e.until(block.Until)
	out.Postconditions = e.conditions(block.Postconditions)
	if c := block.Compensate; c != nil && s.Compensate != nil {
		out.Compensate = e.compensate(c, *s.Compensate)
	}
	return out, append(diags, e.diags...)
}

// instances evaluates for_each. Where its elements are not known, one instance stands for all.
func (m *maker) instances(block *eval.Step, out *Step) ([]instance, hcl.Diagnostics) {
	in := m.inputs(block.Section)
	if block.ForEach == nil {
		return []instance{{in: in}}, nil
	}
	found, diags := m.scope(in).ForEach(block)
	if diags.HasErrors() {
		return nil, diags
	}
	o := m.origin(block)
	v, more := m.scope(in).Value(block.ForEach, cty.DynamicPseudoType)
	diags = append(diags, more...)
	out.Instances = &Instances{Value: o.of("for_each", v, block.ForEach), Known: found.Known, Keys: found.Keys}
	if block.MaxParallel != nil {
		v, more := m.scope(in).Value(block.MaxParallel, cty.Number)
		diags = append(diags, more...)
		out.Meta = append(out.Meta, o.of("max_parallel", v, block.MaxParallel))
	}
	var all []instance
	for i, key := range found.Keys[:min(len(found.Keys), maxEvaluated)] {
		one := instance{key, in}
		one.in.Each = found.Each(i)
		all = append(all, one)
	}
	out.Instances.Evaluated = len(all)
	if len(all) == 0 {
		in.Each = found.AnyEach()
		all = []instance{{in: in}}
	}
	return all, diags
}

// stepMaker evaluates what a step says, for each of its instances.
type stepMaker struct {
	m     *maker
	block *eval.Step
	origin
	all   []instance
	diags hcl.Diagnostics
}

// tell keeps mistakes, with the instance that has them.
func (e *stepMaker) tell(one instance, diags hcl.Diagnostics) {
	for _, d := range diags {
		if one.key != "" {
			told := *d
			told.Detail += " (In the instance " + engine.Address(e.block.Name, one.key, true) + ".)"
			d = &told
		}
		e.diags = append(e.diags, d)
	}
}

// each evaluates something for each instance. The first with mistakes is the last that is asked.
func (e *stepMaker) each(eval func(*eval.Scope) (cty.Value, hcl.Diagnostics)) (values []cty.Value) {
	for _, one := range e.all {
		v, diags := eval(e.m.scope(one.in))
		e.tell(one, diags)
		values = append(values, v)
		if diags.HasErrors() {
			break
		}
	}
	return values
}

// merge makes one of what the instances have: their value if it is the same, else each one's own.
func (e *stepMaker) merge(name string, values []cty.Value, expr hcl.Expression) Value {
	out := e.of(name, values[0], expr)
	same := true
	for _, v := range values[1:] {
		same = same && v.RawEquals(values[0])
	}
	if same {
		return out
	}
	out.Value = cty.DynamicVal
	for i, v := range values {
		out.Each = append(out.Each, e.of(e.all[i].key, v, expr))
	}
	return out
}

func (e *stepMaker) value(name string, expr hcl.Expression, want cty.Type) Value {
	return e.merge(name, e.each(func(s *eval.Scope) (cty.Value, hcl.Diagnostics) { return s.Value(expr, want) }), expr)
}

// setOr is a value that is set, or its default.
func (e *stepMaker) setOr(name string, expr hcl.Expression, want cty.Type, byDefault string) Value {
	if expr == nil {
		return Value{Name: name, Default: byDefault}
	}
	return e.value(name, expr, want)
}

func (e *stepMaker) when() *Condition {
	if e.block.When == nil {
		return nil
	}
	c := e.condition(e.block.When, func(s *eval.Scope) (cty.Value, hcl.Diagnostics) { return s.When(e.block) })
	return &c
}

func (e *stepMaker) condition(expr hcl.Expression, eval func(*eval.Scope) (cty.Value, hcl.Diagnostics)) Condition {
	v := e.merge("", e.each(eval), expr)
	c := Condition{Text: e.m.text(expr), Holds: plain(v.Value), After: v.After, Each: v.Each}
	for i := range c.Each {
		c.Each[i].Value = plain(c.Each[i].Value)
	}
	return c
}

// plain gives a condition without marks: that it depends on something sensitive does not hide whether it holds.
func plain(v cty.Value) cty.Value { return eval.Plain(v) }

func (e *stepMaker) conditions(all []*eval.Condition) (out []Condition) {
	for _, c := range all {
		if c.Condition == nil {
			continue
		}
		one := e.condition(c.Condition, func(s *eval.Scope) (cty.Value, hcl.Diagnostics) { return s.Value(c.Condition, cty.Bool) })
		if c.Message != nil {
			one.Message = e.value("error_message", c.Message, cty.String)
		}
		out = append(out, one)
	}
	return out
}

// content evaluates the type's own attributes and blocks.
func (e *stepMaker) content(block *eval.Step, shape schema.Object) (Content, []eval.Call) {
	var calls []eval.Call
	var inputs []cty.Value
	for _, one := range e.all {
		call, diags := e.m.scope(one.in).Step(block, shape)
		e.tell(one, diags)
		calls, inputs = append(calls, call), append(inputs, call.Input)
		if diags.HasErrors() {
			break
		}
	}
	return e.body(block.Body, shape, inputs), calls
}

func (e *stepMaker) durations(block *eval.Step) (out []Value) {
	if block.Timeout != nil {
		out = append(out, e.value("timeout", block.Timeout, cty.String))
	}
	if block.QueueTimeout != nil {
		out = append(out, e.value("queue_timeout", block.QueueTimeout, cty.String))
	}
	return out
}

func (e *stepMaker) retry(r *eval.Retry) *Content {
	if r == nil {
		return nil
	}
	c := &Content{Values: []Value{
		e.setOr("max_attempts", r.MaxAttempts, cty.Number, number(eval.DefaultMaxAttempts)),
		e.setOr("initial_interval", r.InitialInterval, cty.String, duration(eval.DefaultInitialInterval)),
		e.setOr("backoff_coefficient", r.BackoffCoefficient, cty.Number, number(eval.DefaultBackoffCoefficient)),
		e.setOr("max_interval", r.MaxInterval, cty.String, duration(eval.DefaultMaxInterval)),
	}}
	if r.On != nil {
		c.Values = append(c.Values, e.value("on", r.On, cty.List(cty.String)))
	}
	return c
}

func (e *stepMaker) until(u *eval.Until) *Until {
	if u == nil {
		return nil
	}
	out := &Until{}
	out.Condition = e.condition(u.Condition, func(s *eval.Scope) (cty.Value, hcl.Diagnostics) {
		call, diags := s.Until(u)
		return call.Done, diags
	})
	out.Values = []Value{
		e.setOr("interval", u.Interval, cty.String, duration(eval.DefaultUntilInterval)),
		e.setOr("max_attempts", u.MaxAttempts, cty.Number, number(eval.DefaultUntilMaxAttempts)),
	}
	return out
}

func (e *stepMaker) compensate(block *eval.Step, c engine.Compensation) *Compensation {
	shape := e.m.plan.Schema(c.Type)
	out := &Compensation{Compensation: c}
	if shape == nil {
		return out
	}
	for i := range e.all {
		e.all[i].in.RunError = eval.UnknownError()
	}
	out.Content, _ = e.content(block, shape.Step.Input)
	out.Meta, out.Retry = e.durations(block), e.retry(block.Retry)
	return out
}

func (m *maker) called(block *eval.Step, s engine.Step) *Called {
	if block.Callee == nil {
		return nil
	}
	out := &Called{Pipeline: block.Callee.Pipeline, Source: block.Callee.Source, Digest: s.Callee}
	if plan := m.callees[s.Callee]; plan != nil {
		for _, inner := range plan.Steps {
			out.Steps = append(out.Steps, inner.Name)
		}
	}
	return out
}

// text is an expression as it is written, on one line.
func (m *maker) text(expr hcl.Expression) string {
	r := expr.Range()
	f := m.module.Files[r.Filename]
	if f == nil || !r.CanSliceBytes(f.Bytes) {
		return "…"
	}
	text := string(bytes.ToValidUTF8(r.SliceBytes(f.Bytes), nil))
	if eval.IsJSON(r.Filename) { // "${…}"
		if err := json.Unmarshal([]byte(text), &text); err == nil && strings.HasPrefix(text, "${") {
			text = strings.TrimSuffix(strings.TrimPrefix(text, "${"), "}")
		}
	}
	return strings.Join(strings.Fields(text), " ")
}
