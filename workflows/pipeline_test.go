package workflows_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/stretchr/testify/mock"
	"go.temporal.io/sdk/activity"
	tclient "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/testsuite"
	"go.temporal.io/sdk/workflow"

	"github.com/containerpub/cpub/engine"
	"github.com/containerpub/cpub/engine/policy"
	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/workflows"
	"github.com/containerpub/cpub/workflows/internal/flowtest"
)

// flow is one run in Temporal's test environment, where time flies.
type flow struct {
	*testsuite.TestWorkflowEnvironment
	host *flowtest.Host
	plan *engine.Plan
}

func newFlow(t *testing.T, src string, steps map[string]flowtest.Step) *flow {
	t.Helper()
	var suite testsuite.WorkflowTestSuite
	plan, callees := flowtest.Plans(t, src)
	f := &flow{suite.NewTestWorkflowEnvironment(), flowtest.NewHost(steps), plan}
	f.SetContextPropagators([]workflow.ContextPropagator{workflows.Propagator()})
	f.SetStartWorkflowOptions(tclient.StartWorkflowOptions{ID: "p/1", TaskQueue: workflows.TaskQueue})
	f.RegisterDynamicWorkflow(workflows.Pipeline, workflow.DynamicRegisterOptions{})
	act := &workflows.Steps{Instance: flowtest.Instance, Runner: f.host, Policy: &policy.Policy{StepTypes: []string{"work"}}}
	f.RegisterActivityWithOptions(act.Run, activity.RegisterOptions{Name: "work"})
	f.RegisterActivityWithOptions(act.Release, activity.RegisterOptions{Name: workflows.ReleaseActivity})
	f.RegisterActivityWithOptions((&workflows.Loader{}).Load, activity.RegisterOptions{Name: workflows.LoadActivity})
	f.RegisterActivityWithOptions((&workflows.Snapshots{}).Restore, activity.RegisterOptions{Name: workflows.RestoreActivity})
	f.RegisterActivityWithOptions(workflows.Locks{}.Acquire, activity.RegisterOptions{Name: workflows.AcquireActivity})
	loaded := map[string]*workflows.Loaded{}
	for _, p := range append(callees, plan) {
		data, digest, err := p.Encode()
		if err != nil {
			t.Fatal(err)
		}
		loaded[p.Pipeline] = &workflows.Loaded{Digest: digest, Plan: data, Routes: []workflows.Route{{StepType: "work", Instance: flowtest.Instance}}}
	}
	f.OnActivity(workflows.LoadActivity, mock.Anything, mock.Anything).Return(func(_ context.Context, req workflows.LoadRequest) (*workflows.Loaded, error) {
		return loaded[req.Pipeline], nil
	}).Maybe()
	return f
}

// lock takes what the run asks of a lock, and answers nothing.
func (f *flow) lock(t *testing.T) {
	t.Helper()
	f.OnActivity(workflows.AcquireActivity, mock.Anything, mock.Anything).Return("mine", nil)
	f.OnSignalExternalWorkflow(mock.Anything, workflows.LockID("one"), mock.Anything, "release", mock.Anything).Return(nil).Maybe()
}

func (f *flow) run(variables string) (outputs string, err error) {
	f.ExecuteWorkflow(f.plan.Pipeline, json.RawMessage(variables))
	if err := f.GetWorkflowError(); err != nil {
		return "", err
	}
	var raw json.RawMessage
	err = f.GetWorkflowResult(&raw)
	return string(raw), err
}

func (f *flow) report(t *testing.T) workflows.Report {
	t.Helper()
	value, err := f.QueryWorkflow(workflows.StatusQuery)
	if err != nil {
		t.Fatal(err)
	}
	var r workflows.Report
	if err := value.Get(&r); err != nil {
		t.Fatal(err)
	}
	return r
}

const chain = `
variable "who" { type = string }
pipeline "p" {
  step "work" "a" { text = "hello ${var.who}" }
  step "work" "b" { text = "${step.a.text}!" }
  output "text" { value = step.b.text }
}`

func TestPipelineSucceeds(t *testing.T) {
	f := newFlow(t, chain, nil)
	outputs, err := f.run(`{"who":"you"}`)
	if err != nil || outputs != `{"text":"hello you!"}` {
		t.Fatalf("got %s, %v", outputs, err)
	}
	calls := f.host.Calls("")
	if len(calls) != 2 || calls[0].Step != "a" || calls[1].Step != "b" {
		t.Fatalf("calls %+v", calls)
	}
	c := calls[0]
	if c.Instance != flowtest.Instance || c.StepType != "work" || c.Pipeline != "p" || c.Attempt != 1 || string(c.Input) != `{"text":"hello you"}` ||
		!strings.HasPrefix(c.Run, "p/1/") || c.SchemaDigest != f.plan.Schemas[0].Digest || c.LogKey != workflows.LogKey(c.Key) {
		t.Errorf("call %+v", c)
	}
	if got, want := f.host.Released(), []string{calls[0].Key, calls[1].Key}; !slices.Equal(got, want) {
		t.Errorf("released %v, want %v", got, want)
	}
	r := f.report(t)
	if r.Status != engine.StatusSucceeded || len(r.Steps) != 2 || r.Steps[1].Status != engine.StatusSucceeded || r.Steps[1].EndedAt == nil ||
		r.Steps[0].Queue != "cpub.fake.local" {
		t.Errorf("report %+v", r)
	}
}

func TestPipelineRefusesInput(t *testing.T) {
	for name, tt := range map[string]struct {
		args []any
		want string
	}{
		"a missing variable": {nil, "Missing variable"},
		"null":               {[]any{nil}, "Missing variable"},
		"no object":          {[]any{"text"}, "one JSON object"},
		"a wrong type":       {[]any{map[string]any{"who": []int{1}}}, "main.hcl:2"},
		"an unknown name":    {[]any{map[string]any{"who": "x", "hwo": "y"}}, "Unknown variable"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFlow(t, chain, nil)
			f.ExecuteWorkflow("p", tt.args...)
			err := f.GetWorkflowError()
			var app *temporal.ApplicationError
			if !errors.As(err, &app) || app.Type() != "variables" || !app.NonRetryable() || !strings.Contains(app.Message(), tt.want) {
				t.Errorf("got %v, want %q", err, tt.want)
			}
			if calls := f.host.Calls(""); len(calls) != 0 {
				t.Errorf("steps ran: %+v", calls)
			}
		})
	}
}

func TestPipelineFails(t *testing.T) {
	oom := func(context.Context, engine.Call, engine.Observer) (json.RawMessage, error) {
		return nil, sdk.Failed(sdk.CodeOOM, map[string]any{"text": "partial"}, errors.New("killed at 128 MiB"))
	}
	f := newFlow(t, chain, map[string]flowtest.Step{"a": oom})
	_, err := f.run(`{"who":"you"}`)
	var app *temporal.ApplicationError
	if !errors.As(err, &app) || app.Message() != "step a: oom: killed at 128 MiB" || app.Type() != "oom" {
		t.Fatalf("got %v", err)
	}
	var failure engine.StepError
	if err := app.Details(&failure); err != nil || failure.Step != "a" || string(failure.Outputs) != `{"text":"partial"}` {
		t.Errorf("details %+v, %v", failure, err)
	}
	if calls := f.host.Calls(""); len(calls) != 1 {
		t.Errorf("a permanent failure was tried %d times", len(calls))
	}
	if r := f.report(t); r.Status != engine.StatusFailed || r.Steps[1].Status != engine.StatusPending {
		t.Errorf("report %+v", r)
	}
	if len(f.host.Released()) != 1 {
		t.Errorf("released %v", f.host.Released())
	}
}

func TestPipelineRetries(t *testing.T) {
	failing := func(kind sdk.Kind, code string) flowtest.Step {
		return func(context.Context, engine.Call, engine.Observer) (json.RawMessage, error) {
			return nil, &sdk.Error{Kind: kind, Code: code, Err: errors.New("no")}
		}
	}
	for name, tt := range map[string]struct {
		retry string
		step  flowtest.Step
		tries int
	}{
		"transient":              {"", failing(sdk.KindTransient, ""), 5},
		"transient, fewer":       {"retry { max_attempts = 2 }", failing(sdk.KindTransient, "net"), 2},
		"permanent":              {"", failing(sdk.KindPermanent, sdk.CodeOOM), 1},
		"permanent but named":    {`retry { on = ["oom"] }`, failing(sdk.KindPermanent, sdk.CodeOOM), 5},
		"permanent, other named": {`retry { on = ["exit"] }`, failing(sdk.KindPermanent, sdk.CodeOOM), 1},
		"invalid":                {`retry { on = ["exit"] }`, failing(sdk.KindInvalid, "exit"), 1},
		"timeout":                {"timeout = \"20ms\"", flowtest.Block, 1},
		"timeout but named":      {"timeout = \"20ms\"\nretry {\n on = [\"timeout\"]\n max_attempts = 3\n }", flowtest.Block, 3},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFlow(t, "pipeline \"p\" {\n step \"work\" \"a\" {\n text = \"x\"\n"+tt.retry+"\n}\n}", map[string]flowtest.Step{"a": tt.step})
			if _, err := f.run(`{}`); err == nil {
				t.Fatal("the run succeeded")
			}
			calls := f.host.Calls("a")
			if len(calls) != tt.tries {
				t.Fatalf("%d attempts, want %d", len(calls), tt.tries)
			}
			for i, c := range calls {
				if c.Attempt != i+1 || c.Key != calls[0].Key {
					t.Errorf("attempt %d: %+v", i+1, c)
				}
			}
		})
	}
}

func TestPipelineTimeout(t *testing.T) {
	f := newFlow(t, "pipeline \"p\" {\n timeout = \"2s\"\n step \"work\" \"a\" { text = \"x\" }\n step \"work\" \"b\" { text = step.a.text }\n}",
		map[string]flowtest.Step{"a": flowtest.Block})
	_, err := f.run(`{}`)
	var app *temporal.ApplicationError
	if !errors.As(err, &app) || app.Type() != sdk.CodeTimeout || !strings.Contains(app.Message(), "the pipeline took longer than its timeout of 2s") {
		t.Fatalf("got %v", err)
	}
	if r := f.report(t); r.Steps[0].Status != engine.StatusCancelled || r.Steps[1].Status != engine.StatusPending {
		t.Errorf("report %+v", r)
	}
	if len(f.host.Released()) != 1 {
		t.Errorf("released %v", f.host.Released())
	}
}

func TestPipelineCancel(t *testing.T) {
	f := newFlow(t, chain, map[string]flowtest.Step{"a": flowtest.Block})
	f.RegisterDelayedCallback(f.CancelWorkflow, 100*time.Millisecond)
	_, err := f.run(`{"who":"you"}`)
	var cancelled *temporal.CanceledError
	if !errors.As(err, &cancelled) {
		t.Fatalf("got %v, want a cancel", err)
	}
	if len(f.host.Released()) != 1 {
		t.Errorf("released %v", f.host.Released())
	}
	if r := f.report(t); r.Status != engine.StatusCancelled {
		t.Errorf("report %+v", r)
	}
}

func TestPipelineLocation(t *testing.T) {
	located := func(context.Context, engine.Call, engine.Observer) (json.RawMessage, error) {
		return json.RawMessage(`{"text":"t","image":{"id":"i","location":"here"}}`), nil
	}
	f := newFlow(t, `pipeline "p" {
  step "work" "a" { text = "x" }
  step "work" "b" {
    text  = "y"
    image = step.a.image
  }
}`, map[string]flowtest.Step{"a": located})
	if _, err := f.run(`{}`); err != nil {
		t.Fatal(err)
	}
	r := f.report(t)
	if r.Steps[0].Queue != "cpub.fake.local" || r.Steps[1].Queue != "cpub.fake.local@here" {
		t.Errorf("queues %q and %q", r.Steps[0].Queue, r.Steps[1].Queue)
	}
}

func TestPolicyIsCheckedInTheActivity(t *testing.T) {
	var suite testsuite.WorkflowTestSuite
	env := suite.NewTestActivityEnvironment()
	env.SetExecuteActivitiesInWorkflow(true)
	host := flowtest.NewHost(nil)
	act := &workflows.Steps{Instance: flowtest.Instance, Runner: host, Policy: &policy.Policy{}}
	env.RegisterActivityWithOptions(act.Run, activity.RegisterOptions{Name: "work"})
	_, err := env.ExecuteActivity("work", json.RawMessage(`{"text":"x"}`))
	var app *temporal.ApplicationError
	if !errors.As(err, &app) || app.Type() != sdk.CodeDenied || !app.NonRetryable() || len(host.Calls("")) != 0 {
		t.Errorf("got %v after %d calls, want it denied", err, len(host.Calls("")))
	}
}
