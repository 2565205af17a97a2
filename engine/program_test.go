package engine

import (
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/zclconf/go-cty/cty"

	"github.com/containerpub/cpub/sdk/schema"
)

// makeShape is a step type with a bit of everything.
func makeShape() schema.Step {
	return schema.Step{
		Input: schema.Object{Attrs: []schema.Attr{
			{Name: "text", Type: cty.String, Required: true},
			{Name: "image", Type: cty.DynamicPseudoType, Located: true},
			{Name: "other", Type: cty.DynamicPseudoType, Located: true},
			{Name: "token", Type: cty.String, Sensitive: true},
		}},
		Output: schema.Object{Attrs: []schema.Attr{
			{Name: "text", Type: cty.String},
			{Name: "image", Type: schema.LocatedType, Located: true},
			{Name: "n", Type: cty.Number},
		}},
	}
}

// planOf makes a plan of one file. deps are by step, in declared order: "b:a" depends on a.
func planOf(t *testing.T, src string, steps ...string) *Plan {
	t.Helper()
	shape := makeShape()
	digest, err := shape.Digest()
	if err != nil {
		t.Fatal(err)
	}
	p := &Plan{
		Format: PlanFormat, Language: Language, Pipeline: "p", Files: []File{{Path: "main.hcl", Content: []byte(src)}},
		Schemas: []StepSchema{{Type: "make", Digest: digest, Step: shape}},
	}
	for _, s := range steps {
		name, deps, _ := strings.Cut(s, ":")
		p.Steps = append(p.Steps, Step{Name: name, Type: "make", Deps: strings.Fields(deps)})
	}
	return p
}

func scheduleOf(t *testing.T, p *Plan, variables string) *Schedule {
	t.Helper()
	program, err := Compile(p)
	if err != nil {
		t.Fatal(err)
	}
	s, err := program.Schedule(Start{
		Variables: json.RawMessage(variables), WorkflowID: "p/1", RunID: "run-1", StartedAt: "2026-01-02T03:04:05Z",
	})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

const flowSource = `
variable "who" {
  type    = string
  default = "world"
}
locals { greeting = "hello ${var.who}" }
pipeline "p" {
  timeout      = "10m"
  max_parallel = 3
  step "make" "first" {
    text    = local.greeting
    timeout = "5s"
    retry {
      max_attempts = 2
      on           = ["oom"]
    }
  }
  step "make" "second" {
    text  = "${step.first.text}, run ${run.id}"
    image = step.first.image
  }
  step "make" "never" {
    when = step.first.n > 5
    text = "x"
  }
  output "text"   { value = step.second.text }
  output "never"  { value = step.never.text }
  output "status" { value = step.never.status }
}
`

func TestProgramFlow(t *testing.T) {
	s := scheduleOf(t, planOf(t, flowSource, "first", "second:first", "never:first"), `{"who":"you"}`)
	if s.Settings().Timeout != 10*time.Minute {
		t.Errorf("timeout %s", s.Settings().Timeout)
	}
	tasks := s.Ready()
	if len(tasks) != 1 {
		t.Fatalf("%d tasks, want the first step", len(tasks))
	}
	first := tasks[0]
	if string(first.Input) != `{"text":"hello you"}` || first.Timeout != 5*time.Second || first.Summary != "first" || first.Location != "" {
		t.Errorf("first: %+v, input %s", first, first.Input)
	}
	want := DefaultRetry()
	if r := first.Retry; r.MaxAttempts != 2 || r.InitialInterval != want.InitialInterval || r.MaxInterval != want.MaxInterval || len(r.On) != 1 || r.On[0] != "oom" {
		t.Errorf("retry %+v", r)
	}
	s.Done("first", Outcome{Outputs: json.RawMessage(`{"text":"hi","image":{"id":"i1","location":"store-1"},"n":3}`)})

	data, err := s.Snapshot()
	if err != nil {
		t.Fatal(err)
	}
	program, err := Compile(planOf(t, flowSource, "first", "second:first", "never:first"))
	if err != nil {
		t.Fatal(err)
	}
	if s, err = program.Restore(data); err != nil {
		t.Fatal(err)
	}
	tasks = s.Ready()
	if len(tasks) != 1 || tasks[0].Step != "second" {
		t.Fatalf("tasks %+v, want the second step", tasks)
	}
	if got := string(tasks[0].Input); got != `{"image":{"id":"i1","location":"store-1"},"text":"hi, run run-1"}` {
		t.Errorf("second's input %s", got)
	}
	if tasks[0].Location != "store-1" {
		t.Errorf("location %q", tasks[0].Location)
	}
	s.Done("second", Outcome{Outputs: json.RawMessage(`{"text":"done"}`)})
	s.Ready()
	r, ok := s.Result()
	if !ok || r.Status != StatusSucceeded {
		t.Fatalf("result %+v %v", r, ok)
	}
	if got := string(r.Outputs); got != `{"never":null,"status":"skipped","text":"done"}` {
		t.Errorf("outputs %s", got)
	}
}

func TestProgramFailures(t *testing.T) {
	located := `{"text":"x","image":{"id":"i","location":"%s"}}`
	tests := []struct {
		name, src string
		steps     []string
		outcomes  map[string]string
		code      string
		message   []string
	}{
		{
			"an expression fails", `pipeline "p" {
  step "make" "a" { text = "x" }
  step "make" "b" { text = [1, 2][step.a.n] }
}`,
			[]string{"a", "b:a"},
			map[string]string{"a": `{"n":7}`},
			CodeInvalid,
			[]string{"main.hcl:3", `step "make" "b" { text = [1, 2][step.a.n] }`, "\n  step.a.n is 7"},
		},
		{
			"two locations", `pipeline "p" {
  step "make" "a" { text = "x" }
  step "make" "b" { text = "x" }
  step "make" "c" {
    text  = "x"
    image = step.a.image
    other = step.b.image
  }
}`,
			[]string{"a", "b", "c:a b"},
			map[string]string{"a": strings.ReplaceAll(located, "%s", "s1"), "b": strings.ReplaceAll(located, "%s", "s2")},
			CodeLocations,
			[]string{"s1", "s2"},
		},
		{
			"outputs of another type", `pipeline "p" { 
  step "make" "a" { text = "x" } 
}`,
			[]string{"a"},
			map[string]string{"a": `{"n":"many"}`},
			CodeBadOutputs,
			[]string{"make", "n"},
		},
		{
			"outputs too large", `pipeline "p" { 
  step "make" "a" { text = "x" } 
}`,
			[]string{"a"},
			map[string]string{"a": `{"text":"` + strings.Repeat("x", MaxOutputs) + `"}`},
			CodeTooLarge,
			[]string{"artifacts"},
		},
		{
			"a sensitive input", `pipeline "p" { 
  step "make" "a" {
    text  = "x"
    token = "hush"
  }
}`,
			[]string{"a"},
			nil, CodeInvalid,
			[]string{"sealing"},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			s := scheduleOf(t, planOf(t, tt.src, tt.steps...), "")
			for range 10 {
				for _, task := range s.Ready() {
					s.Done(task.Step, Outcome{Outputs: json.RawMessage(tt.outcomes[task.Step])})
				}
			}
			r, ok := s.Result()
			if !ok || r.Status != StatusFailed || r.Error.Code != tt.code {
				t.Fatalf("result %+v, error %v, want code %s", r, r.Error, tt.code)
			}
			for _, m := range tt.message {
				if !strings.Contains(r.Error.Error(), m) {
					t.Errorf("message %q lacks %q", r.Error, m)
				}
			}
			if strings.Contains(r.Error.Error(), "hush") {
				t.Errorf("the message shows a sensitive value: %s", r.Error)
			}
		})
	}
}

func TestProgramRefusesVariables(t *testing.T) {
	src := `
variable "n" { type = number }
variable "password" {
  type      = string
  sensitive = true
  default   = "none"
}
pipeline "p" {
  step "make" "a" { text = "n is ${var.n}" }
}`
	program, err := Compile(planOf(t, src, "a"))
	if err != nil {
		t.Fatal(err)
	}
	for variables, want := range map[string]string{
		`{}`:                        `Missing variable`,
		`{"n":"many"}`:              `var.n is "many"`,
		`{"n":1,"m":2}`:             `Unknown variable`,
		`{"n":1,"password":"hush"}`: `Sensitive variable`,
		`[]`:                        `Wrong variables`,
	} {
		_, err := program.Schedule(Start{Variables: json.RawMessage(variables)})
		var diags *DiagnosticsError
		if !errors.As(err, &diags) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hush") {
			t.Errorf("%s: got %v, want %q", variables, err, want)
		}
	}
	if _, err := program.Schedule(Start{Variables: json.RawMessage(`{"n":1}`)}); err != nil {
		t.Errorf("the default of a sensitive variable that nothing shows: %v", err)
	}
}

func TestCompileRefuses(t *testing.T) {
	good := `pipeline "p" { 
  step "make" "a" { text = "x" } 
}`
	other := planOf(t, good, "a")
	other.Pipeline = "q"
	noSchema := planOf(t, good, "a")
	noSchema.Schemas = nil
	for name, p := range map[string]*Plan{
		"a syntax error":   planOf(t, `pipeline "p" {`, "a"),
		"another pipeline": other,
		"no schema":        noSchema,
		"no such step":     planOf(t, good, "b"),
	} {
		if _, err := Compile(p); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
}
