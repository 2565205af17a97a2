package eval

import (
	"fmt"
	"slices"
	"time"

	"github.com/hashicorp/hcl/v2"
	"github.com/zclconf/go-cty/cty"

	"github.com/containerpub/cpub/sdk/schema"
)

// Defaults of retries, as the design has them.
const (
	DefaultMaxAttempts        = 5
	DefaultInitialInterval    = time.Second
	DefaultBackoffCoefficient = 2.0
	DefaultMaxInterval        = time.Minute
	// DefaultMaxParallel is how many steps of a run are in flight at once.
	DefaultMaxParallel = 32
)

// Call is a step as evaluated.
type Call struct {
	// Input has every attribute of the step type's input, null where it was not set. It may hold unknowns while checking, and marks.
	Input cty.Value
	// Timeout of one attempt and QueueTimeout are zero when not set, or not known yet.
	Timeout      time.Duration
	QueueTimeout time.Duration
	Retry        RetryPolicy
}

// RetryPolicy is a step's retry block, with defaults for what it leaves out.
type RetryPolicy struct {
	MaxAttempts        int
	InitialInterval    time.Duration
	BackoffCoefficient float64
	MaxInterval        time.Duration
	// On are the codes of failures that are retried though they are permanent by nature.
	On []string
}

// retryCodes are what `on` may name: sdk.CodeExit and its kin. "denied" cannot be retried.
var retryCodes = []string{"exit", "oom", "time_limit", "unhealthy", "sidecar", "timeout", CodePostcondition}

// CodePostcondition is the code of a postcondition that does not hold.
const CodePostcondition = "postcondition"

// MaxInstances is the most elements that a step's for_each may have.
const MaxInstances = 20_000

// When evaluates a step's condition: a known or unknown bool, true when it has none. A null condition is an error.
func (s *Scope) When(st *Step) (cty.Value, hcl.Diagnostics) {
	if st.When == nil {
		return cty.True, nil
	}
	v, diags := s.Condition(st.When)
	if !diags.HasErrors() && v.IsKnown() && v.IsNull() {
		diags = append(diags, s.Involve(&hcl.Diagnostic{
			Severity: hcl.DiagError, Summary: "Wrong value",
			Detail: `"when" must be true or false; it is null. The outputs of a skipped step are null: step.NAME.status tells.`, Subject: st.When.Range().Ptr(),
		}, st.When))
	}
	return v, diags
}

// Step evaluates a step's input, its timeouts and its retry block.
func (s *Scope) Step(st *Step, input schema.Object) (Call, hcl.Diagnostics) {
	c := Call{}
	var diags, more hcl.Diagnostics
	c.Input, diags = s.Decode(st.Body, input, fmt.Sprintf("step type %q", st.Type), st.DeclRange, MetaNames()...)
	c.Timeout, more = s.duration("timeout", st.Timeout)
	diags = append(diags, more...)
	c.QueueTimeout, more = s.duration("queue_timeout", st.QueueTimeout)
	diags = append(diags, more...)
	c.Retry, more = s.retry(st.Retry)
	diags = append(diags, more...)
	if !diags.HasErrors() {
		diags = append(diags, checkBuiltin(st, c.Input)...)
	}
	return c, Sort(diags)
}

// Output evaluates an output of the pipeline. It is marked when the block says that it is sensitive, and a value that is marked by itself
// must be declared so.
func (s *Scope) Output(o *Output) (cty.Value, hcl.Diagnostics) {
	if o.Value == nil {
		return cty.DynamicVal, nil
	}
	v, diags := s.Value(o.Value, cty.DynamicPseudoType)
	if o.Sensitive {
		return v.Mark(Sensitive), diags
	}
	if HasSensitive(v) {
		diags = append(diags, &hcl.Diagnostic{
			Severity: hcl.DiagError, Summary: "Sensitive output",
			Detail: fmt.Sprintf("Output %q shows a sensitive value. Add `sensitive = true` to it.", o.Name), Subject: o.Value.Range().Ptr(),
		})
	}
	return v, diags
}

// PipelineCall is what a pipeline says of its runs, as evaluated.
type PipelineCall struct {
	// Timeout is zero when not set, or not known yet.
	Timeout     time.Duration
	MaxParallel int
	Labels      map[string]string
	// Concurrency is nil when there is no such block, or its key is not known yet.
	Concurrency *ConcurrencyCall
}

// ConcurrencyCall is a concurrency block as evaluated.
type ConcurrencyCall struct {
	Key     string
	Limit   int
	OnLimit string
}

// What happens to a run that would be one too many.
const (
	OnLimitQueue        = "queue"
	OnLimitReject       = "reject"
	OnLimitCancelOldest = "cancel_oldest"
)

// Pipeline evaluates the pipeline's own attributes. They can depend on variables, not on steps.
func (s *Scope) Pipeline() (PipelineCall, hcl.Diagnostics) {
	p := s.pipeline
	c := PipelineCall{MaxParallel: DefaultMaxParallel}
	diags := s.noSteps(p.settings()...)
	if diags.HasErrors() {
		return c, diags
	}
	var more hcl.Diagnostics
	c.Timeout, diags = s.duration("timeout", p.Timeout)
	n, more := s.whole("max_parallel", p.MaxParallel, 1000)
	diags = append(diags, more...)
	if n > 0 {
		c.MaxParallel = n
	}
	c.Labels, more = s.labels(p.Labels)
	diags = append(diags, more...)
	c.Concurrency, more = s.concurrency(p.Concurrency)
	return c, Sort(append(diags, more...))
}

func (s *Scope) concurrency(b *Concurrency) (*ConcurrencyCall, hcl.Diagnostics) {
	if b == nil {
		return nil, nil
	}
	c := &ConcurrencyCall{Limit: 1, OnLimit: OnLimitQueue}
	key, known, diags := s.meta("key", b.Key, cty.String)
	n, more := s.whole("limit", b.Limit, 1000)
	diags = append(diags, more...)
	if n > 0 {
		c.Limit = n
	}
	how, set, more := s.meta("on_limit", b.OnLimit, cty.String)
	diags = append(diags, more...)
	if set {
		c.OnLimit = how.AsString()
		all := []string{OnLimitQueue, OnLimitReject, OnLimitCancelOldest}
		if !slices.Contains(all, c.OnLimit) {
			diags = append(diags, s.badMeta(b.OnLimit, "on_limit", fmt.Sprintf("takes one of: %s.%s", oneOf(all), didYouMean(c.OnLimit, all))))
		}
	}
	switch {
	case !known && b.Key != nil && !diags.HasErrors() && key.IsKnown():
		return nil, append(diags, s.badMeta(b.Key, "key", "must have a value; it is null."))
	case !known:
		return nil, diags
	}
	c.Key = key.AsString()
	if c.Key == "" || len(c.Key) > 200 {
		diags = append(diags, s.badMeta(b.Key, "key", "takes 1 to 200 bytes of text."))
	}
	return c, diags
}

func (s *Scope) noSteps(exprs ...hcl.Expression) (diags hcl.Diagnostics) {
	for _, e := range exprs {
		if e == nil {
			continue
		}
		s.module.stepRefs([]hcl.Expression{e}, map[string]bool{}, func(r Reference) {
			diags = append(diags, &hcl.Diagnostic{
				Severity: hcl.DiagError, Summary: "Wrong reference",
				Detail: "This is needed before any step runs, so it cannot depend on one.", Subject: r.Range.Ptr(),
			})
		})
	}
	return diags
}

func (s *Scope) labels(expr hcl.Expression) (map[string]string, hcl.Diagnostics) {
	if expr == nil {
		return nil, nil
	}
	v, diags := s.Value(expr, cty.Map(cty.String))
	if diags.HasErrors() || !v.IsWhollyKnown() || v.IsNull() {
		return nil, diags
	}
	if HasSensitive(v) {
		return nil, append(diags, s.badMeta(expr, "labels", "are shown everywhere, so they cannot be sensitive."))
	}
	out := map[string]string{}
	for it := v.ElementIterator(); it.Next(); {
		k, e := it.Element()
		if !e.IsNull() {
			out[k.AsString()] = e.AsString()
		}
	}
	return out, diags
}

func (s *Scope) retry(r *Retry) (RetryPolicy, hcl.Diagnostics) {
	p := RetryPolicy{
		MaxAttempts: DefaultMaxAttempts, InitialInterval: DefaultInitialInterval,
		BackoffCoefficient: DefaultBackoffCoefficient, MaxInterval: DefaultMaxInterval,
	}
	if r == nil {
		return p, nil
	}
	n, diags := s.whole("max_attempts", r.MaxAttempts, 1000)
	if n > 0 {
		p.MaxAttempts = n
	}
	first, more := s.duration("initial_interval", r.InitialInterval)
	diags = append(diags, more...)
	if first > 0 {
		p.InitialInterval = first
	}
	longest, more := s.duration("max_interval", r.MaxInterval)
	diags = append(diags, more...)
	if longest > 0 {
		p.MaxInterval = longest
	}
	if r.MaxInterval == nil || longest == 0 {
		p.MaxInterval = max(p.MaxInterval, p.InitialInterval)
	} else if longest < p.InitialInterval {
		diags = append(diags, s.badMeta(r.MaxInterval, "max_interval", fmt.Sprintf("must be at least initial_interval, which is %s.", p.InitialInterval)))
	}
	p.BackoffCoefficient, more = s.coefficient(r.BackoffCoefficient)
	diags = append(diags, more...)
	p.On, more = s.codes(r.On)
	return p, append(diags, more...)
}

func (s *Scope) coefficient(expr hcl.Expression) (float64, hcl.Diagnostics) {
	v, known, diags := s.meta("backoff_coefficient", expr, cty.Number)
	if !known {
		return DefaultBackoffCoefficient, diags
	}
	f, _ := v.AsBigFloat().Float64()
	if f < 1 || f > 100 {
		return DefaultBackoffCoefficient, append(diags, s.badMeta(expr, "backoff_coefficient", "must be between 1 and 100."))
	}
	return f, diags
}

func (s *Scope) codes(expr hcl.Expression) ([]string, hcl.Diagnostics) {
	v, known, diags := s.meta("on", expr, cty.List(cty.String))
	if !known || !v.IsWhollyKnown() {
		return nil, diags
	}
	var out []string
	for it := v.ElementIterator(); it.Next(); {
		_, e := it.Element()
		if e.IsNull() || !slices.Contains(retryCodes, e.AsString()) {
			code := ""
			if !e.IsNull() {
				code = e.AsString()
			}
			diags = append(diags, s.badMeta(expr, "on", fmt.Sprintf("takes %s, not %q.%s", oneOf(retryCodes), cut(code, 40), didYouMean(code, retryCodes))))
			continue
		}
		out = append(out, e.AsString())
	}
	return out, diags
}

// meta evaluates a meta-argument. known is false when it is not set, wrong, or not known yet.
func (s *Scope) meta(name string, expr hcl.Expression, want cty.Type) (v cty.Value, known bool, diags hcl.Diagnostics) {
	if expr == nil {
		return cty.NullVal(want), false, nil
	}
	v, diags = s.Value(expr, want)
	if diags.HasErrors() {
		return v, false, diags
	}
	if HasSensitive(v) {
		return v, false, append(diags, s.badMeta(expr, name, "is shown everywhere, so it cannot be sensitive."))
	}
	if v.IsKnown() && v.IsNull() {
		return v, false, diags // null is as good as left out
	}
	return v, v.IsKnown(), diags
}

func (s *Scope) duration(name string, expr hcl.Expression) (time.Duration, hcl.Diagnostics) {
	v, known, diags := s.meta(name, expr, cty.String)
	if !known {
		return 0, diags
	}
	d, err := schema.ParseDuration(v.AsString())
	if err != nil {
		return 0, append(diags, s.badMeta(expr, name, fmt.Sprintf("is wrong: %s.", err)))
	}
	if d == 0 {
		return 0, append(diags, s.badMeta(expr, name, "must be longer than zero."))
	}
	return d.Std(), diags
}

// whole evaluates a count: a whole number from 1 to most; 0 when it is not set, or not known yet.
func (s *Scope) whole(name string, expr hcl.Expression, most int) (int, hcl.Diagnostics) {
	v, known, diags := s.meta(name, expr, cty.Number)
	if !known {
		return 0, diags
	}
	n, acc := v.AsBigFloat().Int64()
	if acc != 0 || n < 1 || n > int64(most) {
		return 0, append(diags, s.badMeta(expr, name, fmt.Sprintf("takes a whole number from 1 to %d.", most)))
	}
	return int(n), diags
}

func (s *Scope) badMeta(expr hcl.Expression, name, problem string) *hcl.Diagnostic {
	return s.Involve(&hcl.Diagnostic{
		Severity: hcl.DiagError, Summary: "Wrong value", Detail: fmt.Sprintf("%q %s", name, problem), Subject: expr.Range().Ptr(),
	}, expr)
}
