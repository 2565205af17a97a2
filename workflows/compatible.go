package workflows

import (
	"fmt"
	"slices"

	"github.com/containerpub/cpub/sdk/schema"
)

// Incompatible says why a plan that was checked against one shape of a step type must not run on another; empty: it may. The worker's
// may have more optional inputs and more outputs; what the plan knows must be the same.
func Incompatible(plan, worker schema.Step) string {
	if why := missing("input", plan.Input, worker.Input); why != "" {
		return why
	}
	if why := newlyRequired("input", plan.Input, worker.Input); why != "" {
		return why
	}
	return missing("output", plan.Output, worker.Output)
}

// missing finds what the plan knows and the worker does not, or knows as something else.
func missing(path string, plan, worker schema.Object) string {
	for _, a := range plan.Attrs {
		have := worker.Attr(a.Name)
		switch {
		case have == nil:
			return fmt.Sprintf("%s %s is gone", path, a.Name)
		case !have.Type.Equals(a.Type) || have.Format != a.Format || have.Located != a.Located:
			return fmt.Sprintf("%s %s has another type", path, a.Name)
		case have.Sensitive != a.Sensitive:
			return fmt.Sprintf("%s %s differs in being sensitive", path, a.Name)
		}
		for _, value := range a.Enum {
			if len(have.Enum) > 0 && !slices.Contains(have.Enum, value) {
				return fmt.Sprintf("%s %s does not take %q any more", path, a.Name, value)
			}
		}
	}
	for _, b := range plan.Blocks {
		have := worker.Block(b.Name)
		if have == nil || have.Nesting != b.Nesting {
			return fmt.Sprintf("%s block %s is gone, or nests otherwise", path, b.Name)
		}
		if why := missing(path+" "+b.Name+".", b.Object, have.Object); why != "" {
			return why
		}
	}
	return ""
}

// newlyRequired finds inputs that the plan need not have set.
func newlyRequired(path string, plan, worker schema.Object) string {
	for _, a := range worker.Attrs {
		if known := plan.Attr(a.Name); a.Required && (known == nil || !known.Required) {
			return fmt.Sprintf("%s %s is required now", path, a.Name)
		}
	}
	for _, b := range worker.Blocks {
		known := plan.Block(b.Name)
		if known == nil && b.Required || known != nil && b.Required && !known.Required {
			return fmt.Sprintf("%s block %s is required now", path, b.Name)
		}
		if known != nil {
			if why := newlyRequired(path+" "+b.Name+".", known.Object, b.Object); why != "" {
				return why
			}
		}
	}
	return ""
}
