package engine

import (
	"encoding/json"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"github.com/containerpub/cpub/engine/eval"
	"github.com/containerpub/cpub/sdk/schema"
)

// fuzzedPlan has a step of each kind that a Schedule tells apart.
func fuzzedPlan() *Plan {
	shape := schema.Step{
		Input:  schema.Object{Attrs: []schema.Attr{{Name: "text", Type: cty.String}}},
		Output: schema.Object{Attrs: []schema.Attr{{Name: "text", Type: cty.String}}},
	}
	value, _ := eval.Builtin(eval.TypeValue)
	return &Plan{
		Format: PlanFormat, Language: Language, Pipeline: "p",
		Files: []File{{Path: "main.hcl", Content: []byte(`variable "n" { default = 2 }
pipeline "p" {
  step "work" "a" {
    for_each = toset([for i in range(var.n) : tostring(i)])
    text     = each.value
    compensate "work" { text = self.text }
  }
  step "work" "b" {
    text              = jsonencode(step.a)
    continue_on_error = true
    until { condition = self.text == "x" }
  }
  step "value" "c" { value = step.b.text }
  output "o" { value = step.c.value }
  finally {
    step "work" "d" { text = "${run.error == null}" }
  }
}
`)}},
		Steps: []Step{
			{Name: "a", Type: "work", ForEach: true, Compensate: &Compensation{Type: "work"}},
			{Name: "b", Type: "work", Deps: []string{"a"}, ContinueOnError: true},
			{Name: "c", Type: "value", Deps: []string{"b"}},
			{Name: "d", Type: "work", Section: eval.Finally},
		},
		Schemas: []StepSchema{{Type: "value", Step: value}, {Type: "work", Step: shape}},
	}
}

// FuzzPlan reads anything as a plan, and runs what it says: it ends, and nothing panics.
func FuzzPlan(f *testing.F) {
	data, err := json.Marshal(fuzzedPlan())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(data, []byte("{}"))
	f.Add(data, []byte(`{"n":0}`))
	f.Add([]byte(`{"format":1,"language":1,"pipeline":"p","files":[{"path":"a.hcl","content":"cGlwZWxpbmUgInAiIHt9"}]}`), []byte(`{"x":1}`))
	f.Fuzz(func(t *testing.T, data, variables []byte) {
		plan, err := DecodePlan(data)
		if err != nil {
			return
		}
		program, err := Compile(plan)
		if err != nil {
			return
		}
		s, err := program.Schedule(Start{Variables: variables, RunID: "r", StartedAt: "2026-01-01T00:00:00Z"})
		if err == nil {
			drain(t, s, 200)
		}
	})
}

// drain answers so many tasks, one after another.
func drain(t *testing.T, s *Schedule, answers int) {
	t.Helper()
	queue := s.Ready()
	for ; len(queue) > 0 && answers > 0; answers-- {
		s.Done(queue[0].Step, Outcome{Outputs: json.RawMessage(`{"text":"x"}`)})
		queue = append(queue[1:], s.Ready()...)
	}
	if _, ended := s.Result(); !ended && answers > 0 {
		t.Error("nothing is under way, and there is no result")
	}
}

// FuzzRestore reads anything as a snapshot, and goes on with what it says.
func FuzzRestore(f *testing.F) {
	program, err := Compile(fuzzedPlan())
	if err != nil {
		f.Fatal(err)
	}
	s, err := program.Schedule(Start{Variables: json.RawMessage("{}"), RunID: "r", StartedAt: "2026-01-01T00:00:00Z"})
	if err != nil {
		f.Fatal(err)
	}
	for queue := s.Ready(); len(queue) > 0; queue = append(queue[1:], s.Ready()...) {
		data, err := s.Snapshot()
		if err != nil {
			f.Fatal(err)
		}
		f.Add([]byte(data))
		s.Done(queue[0].Step, Outcome{Outputs: json.RawMessage(`{"text":"x"}`)})
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		s, err := program.Restore(data)
		if err != nil {
			return
		}
		tasks, err := s.Resume()
		if err != nil {
			return
		}
		for _, task := range tasks {
			s.Done(task.Step, Outcome{Outputs: json.RawMessage(`{"text":"x"}`)})
		}
		for range 100 {
			ready := s.Ready()
			if len(ready) == 0 {
				break
			}
			s.Done(ready[0].Step, Outcome{Outputs: json.RawMessage(`{"text":"x"}`)})
		}
		if _, err := s.Snapshot(); err != nil {
			t.Error(err)
		}
	})
}
