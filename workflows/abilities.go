package workflows

import (
	"slices"
	"strings"

	"github.com/containerpub/cpub/engine"
	"github.com/containerpub/cpub/sdk/contract"
	"github.com/containerpub/cpub/sdk/schema"
)

// abilities checks the steps of a plan against the providers that shall serve them. A plan was checked against one provider's shapes, and
// another may serve it too, although it lacks abilities of a standard type: as long as no step uses them.
type abilities struct {
	plan    *engine.Plan
	program *engine.Program // compiled when it is needed for the first time
}

// check refuses a step that the provider cannot carry out as the plan was checked.
func (a *abilities) check(step engine.Step, offer *Offer, want schema.Step) error {
	have := offer.Steps[step.Type]
	problems := have.Compatible(want)
	if len(problems) == 0 {
		return nil
	}
	reduced, missing := without(step.Type, want, have)
	if problems := have.Compatible(reduced); len(problems) > 0 {
		return incompatible(step, offer.Instance, problems)
	}
	used, err := a.uses(step)
	if err != nil {
		return err
	}
	var asked []string
	for _, name := range used {
		if slices.Contains(missing, name) && !slices.Contains(asked, name) {
			asked = append(asked, name)
		}
	}
	if len(asked) == 0 {
		return nil
	}
	return planError("step %s: %s of this worker's provider %s does not serve %s; leave it out, or have another provider serve the step "+
		"(`provider = …`, or `serve` in worker.hcl)", step.Name, step.Type, offer.Instance, strings.Join(asked, ", "))
}

// without is the shape without the abilities of the standard type that a provider has nothing of, and the inputs that these are.
func without(stepType string, want, have schema.Step) (schema.Step, []string) {
	var missing []string
	std, _ := contract.Lookup(stepType)
	for _, ability := range std.Abilities {
		if _, some := ability.Served(have); !some {
			want.Input, want.Output = want.Input.Without(ability.Inputs...), want.Output.Without(ability.Outputs...)
			missing = append(missing, ability.Inputs...)
		}
	}
	return want, missing
}

// uses are the attributes and blocks that a step sets, or what undoes it.
func (a *abilities) uses(step engine.Step) ([]string, error) {
	if a.program == nil {
		program, err := engine.Compile(a.plan)
		if err != nil {
			return nil, planError("step %s: compiling the plan: %v", step.Name, err)
		}
		a.program = program
	}
	return a.program.Uses(step.Name, step.Type), nil
}
