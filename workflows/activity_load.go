package workflows

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"go.temporal.io/api/operatorservice/v1"
	"go.temporal.io/sdk/activity"
	"go.temporal.io/sdk/temporal"

	"github.com/containerpub/cpub/engine"
	"github.com/containerpub/cpub/engine/artifact"
	"github.com/containerpub/cpub/engine/eval"
	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/schema"
)

// LoadRequest asks for a run's definition.
type LoadRequest struct {
	Pipeline string `json:"pipeline"`
	// Plan is the plan's digest; empty: what is published under the pipeline's name.
	Plan string `json:"plan,omitempty"`
}

// Loaded is a run's definition. It stays in the run's history, so that a history replays by itself.
type Loaded struct {
	Digest string          `json:"digest"`
	Plan   json.RawMessage `json:"plan"`
	Routes []Route         `json:"routes"`
	// Attributes tells that the namespace has the search attributes.
	Attributes bool `json:"attributes,omitempty"`
}

// Route says which provider instance serves a step type: for steps that ask for that instance, or for all (Provider is empty).
type Route struct {
	StepType string `json:"step_type"`
	Provider string `json:"provider,omitempty"`
	Instance string `json:"instance"`
}

// Offer is what a provider instance can carry out, by its own description.
type Offer struct {
	Instance string
	Steps    map[string]schema.Step
}

// OfferOf is what a description offers.
func OfferOf(instance string, info sdk.Info) Offer {
	o := Offer{Instance: instance, Steps: map[string]schema.Step{}}
	for _, s := range info.Steps {
		o.Steps[s.Name] = schema.Step{Input: s.Input, Output: s.Output}
	}
	return o
}

// PlanSource is where plans are kept: by digest, and by what is published. *artifact.Store is one.
type PlanSource interface {
	// Plan gives an encoded plan. The error wraps artifact.ErrNotFound where there is none.
	Plan(ctx context.Context, digest string) ([]byte, error)
	// Published gives the digest of the plan published under that name. The error wraps artifact.ErrNotFound where there is none.
	Published(ctx context.Context, namespace, pipeline string) (string, error)
}

// Loader finds plans and routes. Its method is an activity.
type Loader struct {
	Namespace string
	Plans     PlanSource
	// Offers are the worker's provider instances in the order of worker.hcl: the first that offers a type serves it.
	Offers []Offer
	// Serve maps step types to the instance that worker.hcl has serve them.
	Serve map[string]string
}

// Load is the first act of every run.
func (l *Loader) Load(ctx context.Context, req LoadRequest) (*Loaded, error) {
	digest := req.Plan
	if digest == "" {
		published, err := l.Plans.Published(ctx, l.Namespace, req.Pipeline)
		if errors.Is(err, artifact.ErrNotFound) {
			return nil, planError("no pipeline %q is published in namespace %q: publish it with `cpub publish`, or start it with `cpub run`",
				req.Pipeline, l.Namespace)
		}
		if err != nil {
			return nil, fmt.Errorf("finding the published pipeline %q: %w", req.Pipeline, err)
		}
		digest = published
	}
	data, err := l.Plans.Plan(ctx, digest)
	if errors.Is(err, artifact.ErrNotFound) {
		return nil, planError("the store has no plan %s: is CPUB_STORE of whoever started the run the worker's store?", digest)
	}
	if err != nil {
		return nil, fmt.Errorf("reading plan %s: %w", digest, err)
	}
	plan, err := engine.DecodePlan(data)
	if err != nil {
		return nil, planError("plan %s: %v", digest, err)
	}
	if plan.Pipeline != req.Pipeline {
		return nil, planError("plan %s is of pipeline %q; the workflow's type says %q", digest, plan.Pipeline, req.Pipeline)
	}
	routes, err := l.routes(plan)
	if err != nil {
		return nil, err
	}
	return &Loaded{Digest: digest, Plan: data, Routes: routes, Attributes: l.hasAttributes(ctx)}, nil
}

// routes says which instance serves each step of the plan, and refuses what none serves as the plan was checked.
func (l *Loader) routes(plan *engine.Plan) ([]Route, error) {
	var routes []Route
	seen := map[Route]bool{}
	unserved := abilities{plan: plan}
	for _, step := range providersOf(plan) {
		offer, err := l.offer(step)
		if err != nil {
			return nil, err
		}
		if shape := plan.Schema(step.Type); shape != nil {
			if err := unserved.check(step, offer, shape.Step); err != nil {
				return nil, err
			}
		}
		route := Route{StepType: step.Type, Provider: step.Provider}
		if seen[route] {
			continue
		}
		seen[route] = true
		route.Instance = offer.Instance
		routes = append(routes, route)
	}
	return routes, nil
}

// providersOf are the plan's steps that a provider carries out, and what undoes them.
func providersOf(plan *engine.Plan) (out []engine.Step) {
	for _, step := range plan.Steps {
		if !eval.IsBuiltin(step.Type) {
			out = append(out, step)
		}
		if c := step.Compensate; c != nil {
			out = append(out, engine.Step{Name: step.Name, Type: c.Type, Provider: c.Provider})
		}
	}
	return out
}

// incompatible names every attribute by which a provider differs from what a step was checked against.
func incompatible(step engine.Step, instance string, problems []schema.Problem) error {
	texts := make([]string, len(problems))
	for i, p := range problems {
		texts[i] = p.Error()
	}
	return planError("step %s: %s of this worker's provider %s is not what the plan was checked against: %s; "+
		"publish or run the pipeline again, checked against this version, or give the worker the provider's version of then",
		step.Name, step.Type, instance, strings.Join(texts, "; "))
}

// offer is the instance that serves a step: the one that it asks for, the one that worker.hcl names, or the first that can.
func (l *Loader) offer(step engine.Step) (*Offer, error) {
	want := step.Provider
	if want == "" {
		want = l.Serve[step.Type]
	}
	for i := range l.Offers {
		o := &l.Offers[i]
		if want != "" && o.Instance != want {
			continue
		}
		if _, ok := o.Steps[step.Type]; ok {
			return o, nil
		}
		if want != "" {
			return nil, planError("step %s: provider %s does not offer %s", step.Name, want, step.Type)
		}
	}
	if want != "" {
		return nil, planError("step %s: the worker has no provider %s", step.Name, want)
	}
	return nil, planError("step %s: none of the worker's providers offers %s", step.Name, step.Type)
}

// hasAttributes asks Temporal whether the search attributes are registered. Who may not ask does without.
func (l *Loader) hasAttributes(ctx context.Context) bool {
	resp, err := activity.GetClient(ctx).OperatorService().ListSearchAttributes(ctx,
		&operatorservice.ListSearchAttributesRequest{Namespace: l.Namespace})
	if err != nil {
		return false
	}
	_, pipeline := resp.GetCustomAttributes()[AttributePipeline]
	_, status := resp.GetCustomAttributes()[AttributeStatus]
	return pipeline && status
}

// planError is final: the same plan fails the same way again.
func planError(format string, args ...any) error {
	return temporal.NewNonRetryableApplicationError(fmt.Sprintf(format, args...), codePlan, nil)
}
