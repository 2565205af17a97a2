package preview

import "github.com/containerpub/cpub/engine"

// stagesOf counts, within each section, when a step can begin: those of one stage wait for none of each other, and run at once.
func stagesOf(plan *engine.Plan) map[string]int {
	stages := map[string]int{}
	var stage func(s *engine.Step) int
	stage = func(s *engine.Step) int {
		if n := stages[s.Name]; n > 0 {
			return n
		}
		n := 1
		stages[s.Name] = n // a plan has no cycles; one that was tampered with ends here
		for _, d := range s.Deps {
			if dep := plan.Step(d); dep != nil && dep.Section == s.Section {
				n = max(n, stage(dep)+1)
			}
		}
		stages[s.Name] = n
		return n
	}
	for i := range plan.Steps {
		stage(&plan.Steps[i])
	}
	return stages
}
