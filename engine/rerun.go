package engine

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"maps"
	"math"
	"slices"
	"strings"

	"github.com/containerpub/cpub/engine/eval"
)

// Kept is a step that succeeded in another run, or an instance of it, and what it gave. In a run that was started with it, the step ends
// with these outputs, without being started, if it has the same type, provider and resolved input again.
type Kept struct {
	Step string `json:"step"` // its address
	// Input is the digest of what the step was started with.
	Input   string          `json:"input"`
	Outputs json.RawMessage `json:"outputs"`
}

// inputDigest tells two tasks apart that may give different outputs.
func (t *Task) inputDigest() string {
	h := sha256.New()
	for _, part := range []string{t.Type, t.Provider, t.Callee, string(t.Input)} {
		fmt.Fprintf(h, "%d:%s", len(part), part)
	}
	for _, text := range t.Secrets { // whose names alone count: they may have changed since
		fmt.Fprintf(h, "%q%+v", text.Path, text.Parts)
	}
	return hex.EncodeToString(h.Sum(nil))
}

// keptByAddress is what a run was given, for looking up.
func keptByAddress(all []Kept) map[string]*Kept {
	kept := make(map[string]*Kept, len(all))
	for i := range all {
		kept[all[i].Step] = &all[i]
	}
	return kept
}

// reuse ends an instance with the outputs of another run, if they are what it would give: the same input, outputs that fit the type, and
// conditions that hold. It reports false where the step is to run.
func (s *Schedule) reuse(r ref, task *Task) bool {
	inst := s.instance(r)
	k := s.kept[s.address(r)]
	if k == nil || s.phase != phaseMain || inst.round > 1 || k.Input != task.inputDigest() {
		return false
	}
	if v, err := s.script.settle(r, s, k.Outputs); err != nil || v.again {
		return false
	}
	inst.input, inst.kept = k.Input, true
	s.endInstance(r, StatusSucceeded, k.Outputs, nil)
	return true
}

// Kept are the steps of the main part that succeeded so far and were not undone, in declared order, for another run to keep.
// Those that compute alone are not among them.
func (s *Schedule) Kept() (out []Kept) {
	for i, step := range s.script.plan() {
		for k := range s.steps[i].instances {
			inst := &s.steps[i].instances[k]
			if step.Section == eval.Main && inst.status == StatusSucceeded && inst.undone == "" && inst.input != "" {
				out = append(out, Kept{Step: s.address(ref{step: i, instance: k}), Input: inst.input, Outputs: inst.outputs})
			}
		}
	}
	return out
}

// Calls are the steps of the main part that called other pipelines and were not undone, in declared order.
func (s *Schedule) Calls() (out []PastCall) {
	for i, step := range s.script.plan() {
		if step.Type != eval.TypePipeline || step.Section != eval.Main {
			continue
		}
		for k := range s.steps[i].instances {
			inst := &s.steps[i].instances[k]
			stale := inst.round > 1 && inst.status != StatusSucceeded // until did not take what it gave
			if r := (ref{step: i, instance: k}); inst.round > 0 && inst.undone == "" && !stale {
				out = append(out, PastCall{Step: s.address(r), ID: s.taskID(r), Outputs: inst.outputs})
			}
		}
	}
	return out
}

// PastCall is one call of another pipeline. Outputs are the step's, where it succeeded.
type PastCall struct {
	Step    string
	ID      string // the task's
	Outputs json.RawMessage
}

// Undone are the names of the steps of which an instance was undone, or was to be, in declared order.
func (s *Schedule) Undone() (out []string) {
	for i, step := range s.script.plan() {
		if slices.ContainsFunc(s.steps[i].instances, func(inst instance) bool { return inst.undone != "" }) {
			out = append(out, step.Name)
		}
	}
	return out
}

// Reusable says which of the steps that an earlier run gives a new run of this program can keep. `from` are names of steps that are to run
// again, with all that depend on them. A step whose outputs exist in one place only was removed there when the earlier run ended: it is kept
// if all that use it are, too.
func (p *Program) Reusable(variables json.RawMessage, earlier []Kept, from []string) ([]Kept, error) {
	for _, name := range from {
		if !p.Has(name) {
			return nil, fmt.Errorf("the pipeline has no step %q", name)
		}
	}
	again := p.dependents(from)
	kept := slices.DeleteFunc(slices.Clone(earlier), func(k Kept) bool { return again[StepName(k.Step)] })
	for {
		// What needs an outcome that is not known yet never comes to its end here, and so counts as to be run.
		s, err := p.Schedule(Start{Variables: variables, Kept: kept})
		if err != nil {
			return nil, err
		}
		s.maxParallel = math.MaxInt
		s.Ready()
		needed := p.needed(s)
		next := slices.DeleteFunc(slices.Clone(kept), func(k Kept) bool { return needed[StepName(k.Step)] && p.located(k) })
		if len(next) == len(kept) {
			return kept, nil
		}
		kept = next
	}
}

// StepName is the step of an address.
func StepName(address string) string {
	name, _, _ := strings.Cut(address, "[")
	return name
}

// Has tells whether the pipeline has a step of that name.
func (p *Program) Has(name string) bool { return p.plan.Step(name) != nil }

// Dependents are the names of these steps and of all that depend on them.
func (p *Program) Dependents(names []string) []string {
	return slices.Sorted(maps.Keys(p.dependents(names)))
}

// dependents are these steps and all that depend on them.
func (p *Program) dependents(names []string) map[string]bool {
	all := map[string]bool{}
	for _, name := range names {
		all[name] = true
	}
	for grown := true; grown; {
		grown = false
		for _, step := range p.plan.Steps {
			if !all[step.Name] && slices.ContainsFunc(step.Deps, func(dep string) bool { return all[dep] }) {
				all[step.Name], grown = true, true
			}
		}
	}
	return all
}

// needed are the steps that something may use which runs: a step, what undoes one, or what follows the main part; directly, or through
// steps that compute alone.
func (p *Program) needed(s *Schedule) map[string]bool {
	needed := map[string]bool{}
	for grown := true; grown; {
		before := len(needed)
		for i, step := range p.plan.Steps {
			deps := step.Deps
			switch computes := step.Type == eval.TypeValue; {
			case computes && !needed[step.Name], !computes && s.steps[i].reused():
				deps = nil
			}
			for _, dep := range deps {
				needed[dep] = true
			}
			if step.Compensate != nil {
				needed[step.Name] = true
				for _, dep := range step.Compensate.Deps {
					needed[dep] = true
				}
			}
		}
		grown = len(needed) > before
	}
	return needed
}

// reused tells that nothing of the step is to run: all its instances were kept, or left out.
func (st *stepState) reused() bool {
	return st.status.ended() && !slices.ContainsFunc(st.instances, func(inst instance) bool { return !inst.kept && inst.status != StatusSkipped })
}

// located tells that a step's outputs exist in one place only.
func (p *Program) located(k Kept) bool {
	name := StepName(k.Step)
	for i, step := range p.plan.Steps {
		if step.Name != name {
			continue
		}
		outputs, err := eval.ParseOutputs(p.shapes[i].Output, k.Outputs)
		return err == nil && len(eval.Locations(p.shapes[i].Output, outputs)) > 0
	}
	return false
}
