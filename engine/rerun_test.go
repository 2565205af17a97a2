package engine

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/containerpub/cpub/engine/eval"
)

// toEnd carries a run out and gives the addresses that were started.
func toEnd(t rapid.TB, s *Schedule, outcomes func(Task) Outcome) (started []string) {
	for {
		tasks := s.Ready()
		if len(tasks) == 0 {
			break
		}
		for _, task := range tasks {
			started = append(started, task.Step)
			s.Done(task.Step, outcomes(task))
		}
	}
	if _, ok := s.Result(); !ok {
		t.Fatal("the run has no result")
	}
	return started
}

// TestRerunProperties: whatever came of a run, what it gives is never started in the next one, and a run of which nothing changed ends as
// the one before.
func TestRerunProperties(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f, outcomes := pipelines(t)
		f.rounds = map[string]int{} // conditions that do not hold of what is kept have the step run: see TestRerunChecksConditions
		outcome := func(task Task) Outcome { return outcomeOf(outcomes, task.Step) }
		first := newSchedule(f, Start{}, rapid.IntRange(1, 5).Draw(t, "at once"))
		toEnd(t, first, outcome)
		kept := first.Kept()
		before, _ := first.Result()
		for _, k := range kept {
			if slices.ContainsFunc(before.Steps, func(s StepState) bool { return s.Step == k.Step+".compensate" }) {
				t.Fatalf("%s was undone, and kept", k.Step)
			}
		}

		second := newSchedule(f, Start{Kept: kept}, rapid.IntRange(1, 5).Draw(t, "at once again"))
		if rapid.Bool().Draw(t, "snapshot") {
			data, err := second.Snapshot()
			if err != nil {
				t.Fatal(err)
			}
			second = f.restore(t, data, 3)
		}
		for _, address := range toEnd(t, second, outcome) {
			if slices.ContainsFunc(kept, func(k Kept) bool { return k.Step == address }) {
				t.Fatalf("%s was kept, and started", address)
			}
		}
		if before.Status != StatusSucceeded {
			return
		}
		after, _ := second.Result()
		for i := range after.Steps {
			if task := after.Steps[i]; task.Kept != slices.ContainsFunc(kept, func(k Kept) bool { return k.Step == task.Step }) {
				t.Fatalf("%s is kept: %v", task.Step, task.Kept)
			}
			after.Steps[i].Kept = false
		}
		if !reflect.DeepEqual(before, after) {
			t.Fatalf("the run gave\n%+v\nand then\n%+v", before, after)
		}
	})
}

func TestRerunChecksConditions(t *testing.T) {
	f := &fakeScript{steps: []Step{{Name: "a", Type: "t"}, {Name: "b", Type: "t", ForEach: true}}, keys: map[string][]string{"b": {"x", "y"}}}
	ok := func(Task) Outcome { return Outcome{Outputs: json.RawMessage(`{}`)} }
	first := newSchedule(f, Start{}, 3)
	toEnd(t, first, ok)
	kept := first.Kept()
	for _, c := range []struct {
		name   string
		change func()
		want   []string
	}{
		{"nothing changed", func() {}, nil},
		{"its until does not hold", func() { f.rounds = map[string]int{"a": 2} }, []string{"a", "a"}},
		{"its outputs no longer fit", func() { f.rounds, f.bad = nil, map[string]bool{"a": true} }, []string{"a"}},
		{"an element is new", func() { f.bad, f.keys["b"] = nil, []string{"x", "y", "z"} }, []string{`b["z"]`}},
		{"a step has instances now", func() { f.steps[0].ForEach, f.keys["a"] = true, []string{"one"} }, []string{`a["one"]`, `b["z"]`}},
	} {
		c.change()
		if got := toEnd(t, newSchedule(f, Start{Kept: kept}, 5), ok); !slices.Equal(got, c.want) {
			t.Errorf("%s: started %q, want %q", c.name, got, c.want)
		}
	}
}

const rerunSource = `
variable "who" { type = string }
pipeline "p" {
  step "make" "a" { text = "hello ${var.who}" }
  step "make" "b" { text = "x" }
  step "make" "c" { text = "${step.a.text} ${step.b.text}" }
  step "make" "late" {
    text       = "y"
    depends_on = [step.c]
  }
  step "make" "id" { text = run.id }
  finally {
    step "make" "clean" { text = "always" }
  }
}
`

// past runs a plan to its end: every step gives its text back, and what `more` adds to its outputs.
func past(t *testing.T, p *Plan, variables, run string, kept []Kept, more map[string]string) (s *Schedule, started []string) {
	t.Helper()
	program, err := Compile(p)
	if err != nil {
		t.Fatal(err)
	}
	s, err = program.Schedule(Start{Variables: json.RawMessage(variables), RunID: run, StartedAt: "2026-01-02T03:04:05Z", Kept: kept})
	if err != nil {
		t.Fatal(err)
	}
	started = toEnd(t, s, func(task Task) Outcome {
		var in struct {
			Text string `json:"text"`
		}
		if err := json.Unmarshal(task.Input, &in); err != nil {
			t.Fatal(err)
		}
		if in.Text == "fail" {
			return Outcome{Err: &StepError{Code: "no", Message: "no"}}
		}
		text, err := json.Marshal(in.Text)
		if err != nil {
			t.Fatal(err)
		}
		return Outcome{Outputs: json.RawMessage(`{"text":` + string(text) + more[task.Step] + `}`)}
	})
	slices.Sort(started)
	return s, started
}

// again reruns what past gave, by a plan that may be another one.
func again(t *testing.T, p *Plan, variables string, earlier []Kept, from []string, more map[string]string) []string {
	t.Helper()
	program, err := Compile(p)
	if err != nil {
		t.Fatal(err)
	}
	kept, err := program.Reusable(json.RawMessage(variables), earlier, from)
	if err != nil {
		t.Fatal(err)
	}
	_, started := past(t, p, variables, "run-2", kept, more)
	return started
}

func TestReusable(t *testing.T) {
	plan := func(src string) *Plan {
		p := planOf(t, src, "a", "b", "c:a b", "late:c", "id", "clean")
		p.Steps[5].Section = eval.Finally
		return p
	}
	first, _ := past(t, plan(rerunSource), `{"who":"you"}`, "run-1", nil, nil)
	for _, c := range []struct {
		name, src, who string
		from           []string
		want           string
	}{
		{"nothing changed", rerunSource, "you", nil, "clean id"},
		{"a variable changed, and with it what uses it", rerunSource, "me", nil, "a c clean id"},
		{"from a step on, by its order too", rerunSource, "you", []string{"c"}, "c clean id late"},
		{"from the last step", rerunSource, "you", []string{"late"}, "clean id late"},
		{"a step of the file changed", strings.Replace(rerunSource, `"x"`, `"z"`, 1), "you", nil, "b c clean id"},
	} {
		got := again(t, plan(c.src), `{"who":"`+c.who+`"}`, first.Kept(), c.from, nil)
		if strings.Join(got, " ") != c.want {
			t.Errorf("%s: started %q, want %s", c.name, got, c.want)
		}
	}
	program, err := Compile(plan(rerunSource))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := program.Reusable(json.RawMessage(`{"who":"x"}`), nil, []string{"nobody"}); err == nil || !strings.Contains(err.Error(), `no step "nobody"`) {
		t.Errorf("got %v", err)
	}
}

func TestReusableLocated(t *testing.T) {
	const src = `
pipeline "p" {
  step "make" "image" { text = "i" }
  step "make" "user" {
    text  = "USER"
    image = step.image.image
  }
  step "make" "other" { text = "OTHER" }
}`
	plan := func(user, other string) *Plan {
		return planOf(t, strings.NewReplacer("USER", user, "OTHER", other).Replace(src), "image", "user:image", "other:user")
	}
	here := map[string]string{"image": `,"image":{"location":"here","id":"1"}`}
	for _, c := range []struct {
		name          string
		user, other   string // of the first run
		user2, other2 string
		started       string
	}{
		{name: "all that use it are kept", user: "u", other: "o", user2: "u", other2: "o", started: ""},
		{name: "another step runs", user: "u", other: "fail", user2: "u", other2: "o", started: "other"},
		{name: "what uses it runs", user: "fail", other: "o", user2: "u", other2: "o", started: "image other user"},
		{name: "what uses it changed", user: "u", other: "o", user2: "v", other2: "o", started: "image user"},
	} {
		first, _ := past(t, plan(c.user, c.other), `{}`, "run-1", nil, here)
		if got := again(t, plan(c.user2, c.other2), `{}`, first.Kept(), nil, here); strings.Join(got, " ") != c.started {
			t.Errorf("%s: started %q, want %q", c.name, got, c.started)
		}
	}
}

func TestUndoneStepsAreNotKept(t *testing.T) {
	const src = `
pipeline "p" {
  step "make" "a" {
    text = "a"
    compensate "make" { text = "undo" }
  }
  step "make" "b" { text = "b" }
  step "make" "c" { text = "LAST" }
}`
	plan := func(last string) *Plan {
		p := planOf(t, strings.Replace(src, "LAST", last, 1), "a", "b:a", "c:b")
		p.Steps[0].Compensate = &Compensation{Type: "make"}
		return p
	}
	first, _ := past(t, plan("fail"), `{}`, "run-1", nil, nil)
	if got := first.Undone(); !slices.Equal(got, []string{"a"}) {
		t.Fatalf("undone %q", got)
	}
	if got := first.Kept(); len(got) != 1 || got[0].Step != "b" {
		t.Fatalf("kept %+v", got)
	}
	if got := again(t, plan("fine"), `{}`, first.Kept(), first.Undone(), nil); strings.Join(got, " ") != "a b c" {
		t.Errorf("started %q: what follows an undone step stood on it", got)
	}
}
