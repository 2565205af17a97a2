package engine_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/zclconf/go-cty/cty"

	"github.com/containerpub/cpub/engine"
	"github.com/containerpub/cpub/engine/config"
	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/sdk/schema"
)

// semantics is one row of the table in docs/language.md: a pipeline, what comes of its steps, and what must be seen.
type semantics struct {
	row      string
	pipeline string // what stands in the pipeline's block
	// outcomes are what becomes of a task, by its ID: a code it fails with, or "cancelled". Others succeed, and give their text back.
	outcomes map[string]string
	order    []string // which of those under way ends first; the others end in the order of their start
	cancel   string   // the run is cancelled just before this task ends
	timeout  string   // the run's time is up just before this task ends
	started  string   // the IDs of the tasks, in the order of their start
	states   string
	result   string // how the run ended, and with which outputs or code
}

func work(name, more string) string { return fmt.Sprintf("step \"work\" %q {\n%s\n}\n", name, more) }

var table = []semantics{
	{
		row:      "succeeded",
		pipeline: work("a", `text = "x"`) + work("b", `text = step.a.text`) + `output "o" { value = [step.b.text, step.a.status] }`,
		started:  "a b", states: "a=succeeded b=succeeded", result: `succeeded {"o":["x","succeeded"]}`,
	},
	{
		row:      "skipped by `when`",
		pipeline: work("a", "text = \"x\"\nwhen = false") + `output "o" { value = [step.a.text, step.a.status] }`,
		states:   "a=skipped", result: `succeeded {"o":[null,"skipped"]}`,
	},
	{
		row:      "waits for a skipped step",
		pipeline: work("a", "text = \"x\"\nwhen = false") + work("b", `text = "got ${jsonencode(step.a.text)}"`) + `output "o" { value = step.b.text }`,
		started:  "b", states: "a=skipped b=succeeded", result: `succeeded {"o":"got null"}`,
	},
	{
		row: "`for_each`, and `when` without `each`",
		pipeline: work("a", "for_each = toset([\"k\", \"l\"])\ntext = each.key\nwhen = false") +
			`output "o" { value = step.a }`,
		states: "a=skipped", result: `succeeded {"o":{}}`,
	},
	{
		row: "`for_each`, and `when` with `each`",
		pipeline: work("a", "for_each = toset([\"k\", \"l\"])\ntext = each.key\nwhen = each.key == \"l\"") +
			`output "o" { value = [for k, one in step.a : "${k} ${jsonencode(one.text)}"] }`,
		started: `a["l"]`, states: `a["k"]=skipped a["l"]=succeeded`, result: `succeeded {"o":["k null","l \"l\""]}`,
	},
	{
		row:      "`for_each` without elements",
		pipeline: work("a", "for_each = {}\ntext = each.key") + work("b", `text = "${length(step.a)}"`),
		started:  "b", states: "a=succeeded b=succeeded", result: "succeeded {}",
	},
	{
		row:      "failed",
		pipeline: work("a", `text = "x"`) + work("b", `text = step.a.text`),
		outcomes: map[string]string{"a": "oom"},
		started:  "a", states: "a=failed b=pending", result: "failed a: oom",
	},
	{
		row:      "under way when another fails",
		pipeline: "max_parallel = 2\n" + work("a", `text = "x"`) + work("b", `text = "x"`) + work("c", `text = "x"`),
		outcomes: map[string]string{"a": "oom"},
		started:  "a b", states: "a=failed b=succeeded c=pending", result: "failed a: oom",
	},
	{
		row:      "an expression of it fails",
		pipeline: work("a", `text = "x"`) + work("b", `text = jsondecode(step.a.text)`),
		started:  "a", states: "a=succeeded b=failed", result: "failed b: invalid",
	},
	{
		row: "failed, with `continue_on_error`",
		pipeline: work("a", "text = \"x\"\ncontinue_on_error = true") + work("b", `text = "got ${jsonencode(step.a.text)}, ${step.a.status}"`) +
			`output "o" { value = step.b.text }`,
		outcomes: map[string]string{"a": "oom"},
		started:  "a b", states: "a=failed b=succeeded", result: `succeeded {"o":"got null, failed"}`,
	},
	{
		row:      "one instance failed",
		pipeline: work("a", "for_each = toset([\"k\", \"l\", \"m\"])\nmax_parallel = 2\ntext = each.key") + work("b", `text = step.a["l"].text`),
		outcomes: map[string]string{`a["k"]`: "oom"},
		started:  `a["k"] a["l"]`, states: `a["k"]=failed a["l"]=succeeded a["m"]=pending b=pending`, result: `failed a["k"]: oom`,
	},
	{
		row: "one instance failed, with `continue_on_error`",
		pipeline: work("a", "for_each = toset([\"k\", \"l\"])\ntext = each.key\ncontinue_on_error = true") +
			work("b", `text = jsonencode([for one in step.a : one.text])`) + `output "o" { value = [step.b.text, step.a["k"].status] }`,
		outcomes: map[string]string{`a["k"]`: "oom"},
		started:  `a["k"] a["l"] b`, states: `a["k"]=failed a["l"]=succeeded b=succeeded`, result: `succeeded {"o":["[null,\"l\"]","failed"]}`,
	},
	{
		row:      "cancelled",
		pipeline: work("a", `text = "x"`) + work("b", `text = step.a.text`),
		outcomes: map[string]string{"a": "cancelled"}, cancel: "a",
		started: "a", states: "a=cancelled b=pending", result: "cancelled",
	},
	{
		row:      "cancelled, with instances that never started",
		pipeline: work("a", "for_each = toset([\"k\", \"l\"])\nmax_parallel = 1\ntext = each.key"),
		cancel:   `a["k"]`,
		started:  `a["k"]`, states: `a["k"]=succeeded a["l"]=pending`, result: "cancelled",
	},
	{
		row:      "the cancel comes when nothing is left to start, and all that is under way succeeds",
		pipeline: work("a", `text = "x"`), cancel: "a",
		started: "a", states: "a=succeeded", result: "succeeded {}",
	},
	{
		row:      "`until` does not hold yet",
		pipeline: work("a", "text = run.id\nuntil { condition = self.text == \"second\" }") + `output "o" { value = step.a.text }`,
		outcomes: map[string]string{"a#2": "=second"},
		started:  "a a#2", states: "a=succeeded", result: `succeeded {"o":"second"}`,
	},
	{
		row:      "`until` never holds",
		pipeline: work("a", "text = \"x\"\nuntil {\n condition = self.text == \"y\"\n max_attempts = 2\n}"),
		started:  "a a#2", states: "a=failed", result: "failed a: until",
	},
	{
		row: "`precondition` does not hold",
		pipeline: work("a", `text = "x"`) +
			work("b", "text = step.a.text\nprecondition {\n condition = step.a.text == \"y\"\n error_message = \"no\"\n}"),
		started: "a", states: "a=succeeded b=failed", result: "failed b: precondition",
	},
	{
		row:      "`postcondition` does not hold",
		pipeline: work("a", "text = \"x\"\npostcondition {\n condition = self.text == \"y\"\n error_message = \"no\"\n}"),
		started:  "a", states: "a=failed", result: "failed a: postcondition",
	},
	{
		row: "`postcondition` does not hold, and `retry` names it",
		pipeline: work("a", "text = \"x\"\npostcondition {\n condition = self.text == \"y\"\n error_message = \"no\"\n}\n"+
			"retry {\n max_attempts = 3\n on = [\"postcondition\"]\n}"),
		outcomes: map[string]string{"a#2": "=y"},
		started:  "a a#2", states: "a=succeeded", result: "succeeded {}",
	},
	{
		row: "`compensate` in a run that failed",
		pipeline: work("a", "text = \"x\"\ncompensate \"work\" { text = self.text }") + work("b", "text = \"y\"\ncompensate \"work\" { text = self.text }") +
			work("c", "text = \"${step.a.text}${step.b.text}\"\ncompensate \"work\" { text = self.text }"),
		outcomes: map[string]string{"c": "oom"}, order: []string{"b", "a"},
		started: "a b c a.compensate b.compensate", states: "a=succeeded a.compensate=succeeded b=succeeded b.compensate=succeeded c=failed",
		result: "failed c: oom",
	},
	{
		row: "`compensate` in a run that was cancelled",
		pipeline: work("a", "text = \"x\"\ncompensate \"work\" { text = self.text }") +
			work("b", "text = step.a.text\ncompensate \"work\" { text = self.text }"),
		outcomes: map[string]string{"b": "cancelled"}, cancel: "b",
		started: "a b a.compensate", states: "a=succeeded a.compensate=succeeded b=cancelled", result: "cancelled",
	},
	{
		row:      "`compensate` in a run that succeeded",
		pipeline: work("a", "text = \"x\"\ncompensate \"work\" { text = self.text }"),
		started:  "a", states: "a=succeeded", result: "succeeded {}",
	},
	{
		row: "`compensate` fails",
		pipeline: work("a", "text = \"x\"\ncompensate \"work\" { text = self.text }") +
			work("b", "text = step.a.text\ncompensate \"work\" { text = self.text }") + work("c", "text = step.b.text"),
		outcomes: map[string]string{"b.compensate": "denied", "c": "oom"},
		started:  "a b c b.compensate a.compensate",
		states:   "a=succeeded a.compensate=succeeded b=succeeded b.compensate=failed c=failed", result: "failed c: oom",
	},
	{
		row: "`on_failure` in a run that failed",
		pipeline: work("a", `text = "x"`) +
			"on_failure {\n" + work("tell", `text = "${run.error.step} ${run.error.code} ${jsonencode(step.a.text)}"`) + "}\n",
		outcomes: map[string]string{"a": "oom", "tell": "?a oom null"},
		started:  "a tell", states: "a=failed tell=succeeded", result: "failed a: oom",
	},
	{
		row:      "`on_failure` in a run that succeeded",
		pipeline: work("a", `text = "x"`) + "on_failure {\n" + work("tell", `text = "x"`) + "}\n",
		started:  "a", states: "a=succeeded tell=pending", result: "succeeded {}",
	},
	{
		row:      "`on_failure` in a run that was cancelled",
		pipeline: work("a", `text = "x"`) + "on_failure {\n" + work("tell", `text = "x"`) + "}\nfinally {\n" + work("tidy", `text = "x"`) + "}\n",
		outcomes: map[string]string{"a": "cancelled"}, cancel: "a",
		started: "a tidy", states: "a=cancelled tell=pending tidy=succeeded", result: "cancelled",
	},
	{
		row: "`finally` in a run that succeeded",
		pipeline: work("a", `text = "x"`) + "finally {\n" + work("tidy", `text = run.error == null ? "well ${step.a.text}" : "ill"`) + "}\n" +
			`output "o" { value = step.a.text }`,
		outcomes: map[string]string{"tidy": "?well x"},
		started:  "a tidy", states: "a=succeeded tidy=succeeded", result: `succeeded {"o":"x"}`,
	},
	{
		row: "`finally` in a run that failed",
		pipeline: work("a", "text = \"x\"\ncompensate \"work\" { text = self.text }") + work("b", `text = step.a.text`) +
			"finally {\n" + work("tidy", `text = "after ${run.error.step}"`) + "}\non_failure {\n" + work("tell", `text = "x"`) + "}\n",
		outcomes: map[string]string{"b": "oom", "tidy": "?after b"},
		started:  "a b a.compensate tell tidy", states: "a=succeeded a.compensate=succeeded b=failed tell=succeeded tidy=succeeded", result: "failed b: oom",
	},
	{
		row: "a step of `finally` fails",
		pipeline: work("a", `text = "x"`) + "finally {\n" + work("tidy", `text = "x"`) +
			work("tell", `text = "got ${jsonencode(step.tidy.text)}"`) + "}\n" + `output "o" { value = step.a.text }`,
		outcomes: map[string]string{"tidy": "oom", "tell": "?got null"},
		started:  "a tidy tell", states: "a=succeeded tidy=failed tell=succeeded", result: "failed tidy: oom",
	},
	{
		row: "a step of `on_failure` fails",
		pipeline: work("a", `text = "x"`) + "on_failure {\n" + work("tell", `text = "x"`) + work("more", `text = "x"`) + "}\n" +
			"finally {\n" + work("tidy", `text = "x"`) + "}\n",
		outcomes: map[string]string{"a": "exit", "tell": "oom"},
		started:  "a tell more tidy", states: "a=failed tell=failed more=succeeded tidy=succeeded", result: "failed a: exit",
	},
	{
		row: "a step of `finally` fails, with `continue_on_error`",
		pipeline: work("a", `text = "x"`) + "finally {\n" + work("tidy", "text = \"x\"\ncontinue_on_error = true") + "}\n" +
			`output "o" { value = step.a.text }`,
		outcomes: map[string]string{"tidy": "oom"},
		started:  "a tidy", states: "a=succeeded tidy=failed", result: `succeeded {"o":"x"}`,
	},
	{
		row: "the pipeline's outputs fail",
		pipeline: work("a", "text = \"x\"\ncompensate \"work\" { text = self.text }") + `output "o" { value = jsondecode(step.a.text) }` +
			"\non_failure {\n" + work("tell", `text = run.error.code`) + "}\n",
		outcomes: map[string]string{"tell": "?invalid"},
		started:  "a a.compensate tell", states: "a=succeeded a.compensate=succeeded tell=succeeded", result: "failed : invalid",
	},
	{
		row: "the run's `timeout`",
		pipeline: work("a", "text = \"x\"\ncompensate \"work\" { text = self.text }") + work("b", `text = step.a.text`) +
			"on_failure {\n" + work("tell", `text = run.error.code`) + "}\n",
		outcomes: map[string]string{"b": "cancelled", "tell": "?timeout"}, timeout: "b",
		started: "a b a.compensate tell", states: "a=succeeded a.compensate=succeeded b=cancelled tell=succeeded", result: "failed : timeout",
	},
}

// TestSemantics runs each row by a Schedule.
func TestSemantics(t *testing.T) {
	for _, tt := range table {
		t.Run(tt.row, func(t *testing.T) {
			s := schedule(t, "pipeline \"p\" {\n"+tt.pipeline+"\n}\n")
			var started, flying []string
			inputs := map[string]json.RawMessage{}
			ids := map[string]string{}
			for {
				for _, task := range s.Ready() {
					started, flying = append(started, task.ID), append(flying, task.Step)
					inputs[task.Step], ids[task.Step] = task.Input, task.ID
				}
				if len(flying) == 0 {
					break
				}
				at := max(slices.IndexFunc(tt.order, func(id string) bool { return slices.Contains(flying, id) }), -1)
				address := flying[0]
				if at >= 0 {
					address = tt.order[at]
				}
				flying = slices.DeleteFunc(flying, func(f string) bool { return f == address })
				if tt.cancel == ids[address] {
					s.Cancel()
				}
				if tt.timeout == ids[address] {
					s.Fail(&engine.StepError{Code: "timeout", Message: "the run took too long"})
				}
				s.Done(address, becomes(t, tt.outcomes[ids[address]], inputs[address]))
			}
			result, ok := s.Result()
			if !ok {
				t.Fatal("the run did not end")
			}
			if got := strings.Join(started, " "); got != tt.started {
				t.Errorf("started %q, want %q", got, tt.started)
			}
			if got := statesText(result); got != tt.states {
				t.Errorf("states %q, want %q", got, tt.states)
			}
			if got := resultText(result); got != tt.result {
				t.Errorf("result %q, want %q", got, tt.result)
			}
		})
	}
}

// becomes is what comes of a task: "=TEXT" gives another text than its own, "?TEXT" wants that text to be its own.
func becomes(t *testing.T, outcome string, input json.RawMessage) engine.Outcome {
	t.Helper()
	var in struct {
		Text string `json:"text"`
	}
	if err := json.Unmarshal(input, &in); err != nil {
		t.Fatal(err)
	}
	switch {
	case outcome == "cancelled":
		return engine.Outcome{Cancelled: true}
	case strings.HasPrefix(outcome, "="):
		in.Text = outcome[1:]
	case strings.HasPrefix(outcome, "?"):
		if in.Text != outcome[1:] {
			t.Errorf("the step was given %q, want %q", in.Text, outcome[1:])
		}
	case outcome != "":
		return engine.Outcome{Err: &engine.StepError{Code: outcome, Message: outcome}}
	}
	out, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	return engine.Outcome{Outputs: out}
}

func statesText(r engine.Result) string {
	var all []string
	for _, st := range r.Steps {
		all = append(all, st.Step+"="+string(st.Status))
	}
	return strings.Join(all, " ")
}

func resultText(r engine.Result) string {
	switch {
	case r.Error != nil:
		return fmt.Sprintf("%s %s: %s", r.Status, r.Error.Step, r.Error.Code)
	case r.Outputs != nil:
		return fmt.Sprintf("%s %s", r.Status, r.Outputs)
	}
	return string(r.Status)
}

// schedule begins a run of a module's first pipeline, whose steps are of the type "work": it takes a text and gives it.
func schedule(t *testing.T, src string) *engine.Schedule {
	t.Helper()
	path := filepath.Join(t.TempDir(), "main.hcl")
	if err := os.WriteFile(path, []byte(src), 0o600); err != nil {
		t.Fatal(err)
	}
	text := schema.Object{Attrs: []schema.Attr{{Name: "text", Type: cty.String}}}
	schemas, err := config.FromProviders(sdk.Info{Name: "fake", Version: "1.0.0", Steps: []sdk.StepType{{
		Name: "work", Input: text, Output: text, Run: func(context.Context, *sdk.Request) (any, error) { return nil, nil },
	}}})
	if err != nil {
		t.Fatal(err)
	}
	module, diags := config.Load(t.Context(), path, schemas, config.Options{})
	if diags.HasErrors() {
		t.Fatal(diags)
	}
	program, err := engine.Compile(module.Plans[0])
	if err != nil {
		t.Fatal(err)
	}
	s, err := program.Schedule(engine.Start{WorkflowID: "w", RunID: "r", StartedAt: "2026-01-01T00:00:00Z"})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// TestSemanticsAreDocumented holds the rows against the first column of the table in docs/language.md.
func TestSemanticsAreDocumented(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "docs", "language.md"))
	if err != nil {
		t.Fatal(err)
	}
	_, section, found := strings.Cut(string(page), "\n### What comes of a step\n")
	if !found {
		t.Fatal("docs/language.md has no section \"What comes of a step\"")
	}
	var got, want []string
	for line := range strings.Lines(section) {
		if strings.HasPrefix(line, "#") {
			break
		}
		if cells := strings.Split(line, "|"); len(cells) > 2 {
			got = append(got, strings.TrimSpace(cells[1]))
		}
	}
	for _, tt := range table {
		want = append(want, tt.row)
	}
	if len(got) < 2 || !slices.Equal(got[2:], want) {
		t.Errorf("the table has the rows\n%s\nand the test\n%s", strings.Join(got[min(2, len(got)):], "\n"), strings.Join(want, "\n"))
	}
}
