//go:build integration

package worker_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	tclient "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/temporal"
	tworker "go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/containerpub/cpub/engine"
	"github.com/containerpub/cpub/engine/artifact"
	"github.com/containerpub/cpub/engine/policy"
	"github.com/containerpub/cpub/internal/testenv"
	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/workflows"
	"github.com/containerpub/cpub/workflows/client"
	"github.com/containerpub/cpub/workflows/internal/flowtest"
	"github.com/containerpub/cpub/workflows/worker"
)

// lab is a Temporal server, a store, and a client of both.
type lab struct {
	address string
	store   *artifact.Store
	client  *client.Client
	raw     tclient.Client
}

func newLab(t testing.TB) *lab {
	t.Helper()
	env := testenv.Services(t)
	l := &lab{address: env.Temporal, store: flowtest.Store(t)}
	var err error
	if l.client, err = client.Dial(t.Context(), client.Options{Address: env.Temporal, Namespace: "default", Store: l.store}); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.client.Close)
	if l.raw, err = tclient.Dial(flowtest.Temporal(env.Temporal)); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.raw.Close)
	return l
}

// parts are a worker over the host.
func (l *lab) parts(t testing.TB, h worker.Host) worker.Parts {
	return worker.Parts{
		Temporal: flowtest.Temporal(l.address), Plans: l.store, Host: h, Policy: &policy.Policy{StepTypes: []string{"work"}},
		Instances: []worker.Instance{{Name: flowtest.Instance}}, Log: flowtest.Logger(t), StopTimeout: 10 * time.Second,
	}
}

// serve runs a worker until the returned function is called, or the test ends.
func serve(t testing.TB, p worker.Parts) (stop func()) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	ready, ended := make(chan struct{}), make(chan error, 1)
	p.Ready = func() { close(ready) }
	go func() { ended <- worker.Serve(ctx, p) }()
	select {
	case <-ready:
	case err := <-ended:
		t.Fatalf("the worker ended: %v", err)
	case <-time.After(time.Minute):
		t.Fatal("the worker is not ready after a minute")
	}
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("the worker: %v", err)
		}
	})
	t.Cleanup(stop)
	return stop
}

func (l *lab) start(t *testing.T, src, id, variables string) *client.Started {
	t.Helper()
	s, err := l.client.Start(t.Context(), client.StartOptions{Plan: flowtest.Plan(t, src), ID: id, Variables: json.RawMessage(variables)})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func (l *lab) result(t *testing.T, s *client.Started) *client.Run {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 2*time.Minute)
	defer cancel()
	r, err := l.client.Result(ctx, s.ID, s.RunID)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

const one = `pipeline "one" {
  step "work" "a" {
    text = "x"
    retry { max_attempts = 1 }
  }
}`

const chain = `
variable "who" { type = string }
pipeline "greet" {
  step "work" "a" { text = "hello ${var.who}" }
  step "work" "never" {
    when = var.who == "nobody"
    text = "x"
  }
  step "work" "b" { text = "${step.a.text}!" }
  output "text" { value = step.b.text }
}`

func TestRunOnTemporal(t *testing.T) {
	l := newLab(t)
	h := flowtest.NewHost(map[string]flowtest.Step{"b": flowtest.Sleep(1500 * time.Millisecond)})
	p := l.parts(t, h)
	p.Listen = "127.0.0.1:0"
	serve(t, p)
	s := l.start(t, chain, "1", `{"who":"you"}`)
	if s.ID != "greet/1" || s.Attached {
		t.Fatalf("started %+v", s)
	}
	var events []client.Event
	run, err := l.client.Follow(t.Context(), s.ID, s.RunID, func(e client.Event) { events = append(events, e) })
	if err != nil {
		t.Fatal(err)
	}
	if run.Status != engine.StatusSucceeded || string(run.Outputs) != `{"text":"hello you!"}` || run.EndedAt == nil {
		t.Errorf("run %+v", run)
	}
	var statuses []engine.Status
	for _, step := range run.Steps {
		statuses = append(statuses, step.Status)
	}
	if !slices.Equal(statuses, []engine.Status{engine.StatusSucceeded, engine.StatusSkipped, engine.StatusSucceeded}) {
		t.Errorf("steps %v", statuses)
	}
	var seen []string
	for _, e := range events {
		seen = append(seen, strings.TrimSpace(string(e.Kind)+" "+e.Step))
	}
	want := []string{
		"run_started", "step_scheduled a", "step_started a", "step_ended a", "step_scheduled b", "step_started b", "step_ended b", "run_ended",
	}
	if !slices.Equal(seen, want) {
		t.Errorf("events\n%v, want\n%v", seen, want)
	}
	l.checkHistory(t, s)
	l.checkAttach(t, s)
	l.checkList(t, s)
}

// checkHistory reads what an operator would.
func (l *lab) checkHistory(t *testing.T, s *client.Started) {
	t.Helper()
	iter := l.raw.GetWorkflowHistory(t.Context(), s.ID, s.RunID, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	var got []string
	for iter.HasNext() {
		e, err := iter.Next()
		if err != nil {
			t.Fatal(err)
		}
		a := e.GetActivityTaskScheduledEventAttributes()
		if a == nil {
			continue
		}
		summary := string(e.GetUserMetadata().GetSummary().GetData())
		if a.GetActivityType().GetName() == "work" {
			got = append(got, a.GetActivityId()+" "+summary+" "+string(a.GetInput().GetPayloads()[0].GetData())+" "+a.GetTaskQueue().GetName())
		}
	}
	want := []string{`a "a" {"text":"hello you"} cpub.fake.local`, `b "b" {"text":"hello you!"} cpub.fake.local`}
	if !slices.Equal(got, want) {
		t.Errorf("the history shows\n%v, want\n%v", got, want)
	}
}

// checkAttach starts the same again, and something else under the same id.
func (l *lab) checkAttach(t *testing.T, s *client.Started) {
	t.Helper()
	again := l.start(t, chain, "1", `{ "who" : "you" }`)
	if !again.Attached || again.RunID != s.RunID {
		t.Errorf("the same id again: %+v, want it attached to %s", again, s.RunID)
	}
	for name, opts := range map[string]client.StartOptions{
		"other variables": {Plan: flowtest.Plan(t, chain), ID: "1", Variables: json.RawMessage(`{"who":"me"}`)},
		"another plan":    {Plan: flowtest.Plan(t, chain+"\n"), ID: "1", Variables: json.RawMessage(`{"who":"you"}`)},
	} {
		if _, err := l.client.Start(t.Context(), opts); !errors.Is(err, client.ErrOther) {
			t.Errorf("%s under the same id: %v", name, err)
		}
	}
	_, err := l.client.Start(t.Context(), client.StartOptions{Plan: flowtest.Plan(t, chain), ID: "2"})
	if diags := new(engine.DiagnosticsError); !errors.As(err, &diags) {
		t.Errorf("without a variable: %v", err)
	}
}

func (l *lab) checkList(t *testing.T, s *client.Started) {
	t.Helper()
	flowtest.Eventually(t, 10*time.Second, "the run is listed as succeeded", func() bool {
		runs, err := l.client.List(t.Context(), client.ListOptions{Pipeline: "greet"})
		if err != nil {
			t.Fatal(err)
		}
		return len(runs) == 1 && runs[0].ID == s.ID && runs[0].Status == engine.StatusSucceeded && runs[0].EndedAt != nil
	})
	if runs, err := l.client.List(t.Context(), client.ListOptions{Open: true}); err != nil || len(runs) != 0 {
		t.Errorf("open runs %v, %v", runs, err)
	}
	if _, err := l.client.Run(t.Context(), "greet/none", ""); !errors.As(err, new(*client.NotFoundError)) {
		t.Errorf("a run that there is not: %v", err)
	}
}

func TestPublishedPipelines(t *testing.T) {
	l := newLab(t)
	serve(t, l.parts(t, flowtest.NewHost(nil)))
	if _, err := l.client.Publish(t.Context(), flowtest.Plan(t, chain), nil); err != nil {
		t.Fatal(err)
	}
	start := func(pipeline string, args ...any) (out map[string]any, err error) {
		run, err := l.raw.ExecuteWorkflow(t.Context(), tclient.StartWorkflowOptions{TaskQueue: workflows.TaskQueue}, pipeline, args...)
		if err != nil {
			t.Fatal(err)
		}
		err = run.Get(t.Context(), &out)
		return out, err
	}
	if out, err := start("greet", map[string]any{"who": "all"}); err != nil || out["text"] != "hello all!" {
		t.Errorf("published: %v, %v", out, err)
	}
	_, err := start("nothing", map[string]any{})
	var app *temporal.ApplicationError
	if !errors.As(err, &app) || !strings.Contains(app.Message(), `no pipeline "nothing" is published`) {
		t.Errorf("unknown: %v", err)
	}
	if _, err = start("greet"); !errors.As(err, &app) || !strings.Contains(app.Message(), "Missing variable") {
		t.Errorf("no variables: %v", err)
	}
}

func TestCancelStopsTheStep(t *testing.T) {
	l := newLab(t)
	h := flowtest.NewHost(map[string]flowtest.Step{"a": flowtest.Block})
	serve(t, l.parts(t, h))
	s := l.start(t, one, "", "{}")
	flowtest.Eventually(t, 20*time.Second, "the step runs", func() bool { return len(h.Calls("a")) == 1 })
	began := time.Now()
	if err := l.client.Cancel(t.Context(), s.ID, s.RunID); err != nil {
		t.Fatal(err)
	}
	run := l.result(t, s)
	if run.Status != engine.StatusCancelled || run.Steps[0].Status != engine.StatusCancelled {
		t.Errorf("run %+v, step %+v", run, run.Steps[0])
	}
	if causes := h.Causes("a"); len(causes) != 1 || !errors.Is(causes[0], sdk.ErrCancelled) {
		t.Errorf("the step ended by %v", causes)
	}
	if took := time.Since(began); took > 8*time.Second {
		t.Errorf("the cancel took %s", took)
	}
	if len(h.Released()) != 1 {
		t.Errorf("released %v", h.Released())
	}
}

func TestWorkerStopDetaches(t *testing.T) {
	l := newLab(t)
	first := flowtest.NewHost(map[string]flowtest.Step{"a": func(ctx context.Context, c engine.Call, o engine.Observer) (json.RawMessage, error) {
		o.Checkpoint(json.RawMessage(`{"at":7}`))
		return flowtest.Block(ctx, c, o)
	}})
	stop := serve(t, l.parts(t, first))
	s := l.start(t, one, "", "{}") // max_attempts = 1: a lost attempt does not count
	flowtest.Eventually(t, 20*time.Second, "the step runs", func() bool { return len(first.Calls("a")) == 1 })
	time.Sleep(2 * time.Second) // a heartbeat carries the checkpoint
	stop()
	if causes := first.Causes("a"); len(causes) != 1 || !errors.Is(causes[0], sdk.ErrDetached) {
		t.Fatalf("the step ended by %v, want it detached", causes)
	}
	second := flowtest.NewHost(nil)
	serve(t, l.parts(t, second))
	if run := l.result(t, s); run.Status != engine.StatusSucceeded {
		t.Fatalf("run %+v: %v", run, run.Error)
	}
	calls := second.Calls("a")
	if len(calls) != 1 {
		t.Fatalf("%d attempts by the second worker", len(calls))
	}
	if c := calls[0]; c.Attempt != 2 || c.Returned || c.Key != first.Calls("a")[0].Key || string(c.Checkpoint) != `{"at":7}` {
		t.Errorf("the adopting attempt %+v", c)
	}
}

func TestReturnedAndLostAttempts(t *testing.T) {
	l := newLab(t)
	var n atomic.Int32
	h := flowtest.NewHost(map[string]flowtest.Step{"a": func(ctx context.Context, c engine.Call, o engine.Observer) (json.RawMessage, error) {
		switch n.Add(1) {
		case 1:
			return nil, fmt.Errorf("%w: it crashed", engine.ErrLost)
		case 2:
			return nil, errors.New("the network is down")
		default:
			return flowtest.Echo(ctx, c, o)
		}
	}})
	serve(t, l.parts(t, h))
	s := l.start(t, strings.ReplaceAll(one, "max_attempts = 1", "max_attempts = 2"), "", "{}")
	if run := l.result(t, s); run.Status != engine.StatusSucceeded {
		t.Fatalf("run %+v: %v", run, run.Error)
	}
	var returned []bool
	for _, c := range h.Calls("a") {
		returned = append(returned, c.Returned)
	}
	if !slices.Equal(returned, []bool{false, false, true}) {
		t.Errorf("attempts were told %v; the second follows a lost one, the third one that returned", returned)
	}
}

func TestSlotsAreSharedAndStrict(t *testing.T) {
	l := newLab(t)
	var now, most atomic.Int32
	var longest atomic.Int64
	busy := func(_ context.Context, call engine.Call, _ engine.Observer) (json.RawMessage, error) {
		longest.Store(max(longest.Load(), int64(call.Queued)))
		most.Store(max(most.Load(), now.Add(1)))
		defer now.Add(-1)
		time.Sleep(200 * time.Millisecond)
		return json.RawMessage(`{"text":"t","image":{"id":"i","location":"here"}}`), nil
	}
	h := flowtest.NewHost(map[string]flowtest.Step{"a": busy, "b": busy, "c": busy})
	p := l.parts(t, h)
	p.Instances[0].MaxConcurrent = 1
	serve(t, p)
	src := `pipeline "slots" {
  step "work" "a" { text = "x" }
  step "work" "b" {
    text  = "y"
    image = step.a.image
  }
  step "work" "c" { text = "z" }
}`
	var all []*client.Started
	for range 3 {
		all = append(all, l.start(t, src, "", "{}"))
	}
	for _, s := range all {
		if run := l.result(t, s); run.Status != engine.StatusSucceeded || run.Step("b").Queue != "cpub.fake.local@here" {
			t.Errorf("run %+v: %v", run, run.Error)
		}
	}
	if most.Load() != 1 {
		t.Errorf("%d steps ran at once, one is allowed", most.Load())
	}
	// Of six steps that are ready at once, the last waits for five others.
	if got := time.Duration(longest.Load()); got < 800*time.Millisecond || got > time.Minute {
		t.Errorf("the longest that a step is said to have been queued is %s", got)
	}
}

func TestActivitiesOfOthers(t *testing.T) {
	l := newLab(t)
	h := flowtest.NewHost(nil)
	serve(t, l.parts(t, h))
	w := tworker.New(l.raw, "theirs", tworker.Options{})
	w.RegisterWorkflowWithOptions(func(ctx workflow.Context) (map[string]any, error) {
		ctx = workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
			TaskQueue: workflows.Queue(flowtest.Instance, ""), ActivityID: "mine", StartToCloseTimeout: time.Minute,
		})
		var out map[string]any
		err := workflow.ExecuteActivity(ctx, "work", map[string]any{"text": "theirs"}).Get(ctx, &out)
		return out, err
	}, workflow.RegisterOptions{Name: "their_workflow"})
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	run, err := l.raw.ExecuteWorkflow(t.Context(), tclient.StartWorkflowOptions{ID: "theirs/1", TaskQueue: "theirs"}, "their_workflow")
	if err != nil {
		t.Fatal(err)
	}
	var out map[string]any
	if err := run.Get(t.Context(), &out); err != nil || out["text"] != "theirs" {
		t.Fatalf("got %v, %v", out, err)
	}
	c := h.Calls("mine")[0]
	if c.Key != engine.KeyOf("theirs/1", run.GetRunID(), "", "mine") || c.Run != "theirs/1/"+run.GetRunID() || c.Pipeline != "their_workflow" {
		t.Errorf("call %+v", c)
	}
}

func TestSweeperKnowsLiveRuns(t *testing.T) {
	l := newLab(t)
	h := flowtest.NewHost(map[string]flowtest.Step{"a": flowtest.Block})
	p := l.parts(t, h)
	p.SweepEvery = 300 * time.Millisecond
	serve(t, p)
	s := l.start(t, one, "", "{}")
	name := workflows.RunName(s.ID, s.RunID)
	live := func() bool {
		swept := h.Swept()
		return len(swept) > 0 && slices.Contains(swept[len(swept)-1].LiveRuns, name)
	}
	flowtest.Eventually(t, 20*time.Second, "the run is alive to the sweeper", live)
	flowtest.Eventually(t, 20*time.Second, "the step runs", func() bool { return len(h.Calls("a")) == 1 })
	if err := l.client.Terminate(t.Context(), s.ID, s.RunID, "enough"); err != nil {
		t.Fatal(err)
	}
	flowtest.Eventually(t, 20*time.Second, "the terminated run is dead to the sweeper", func() bool { return !live() })
	run := l.result(t, s)
	if run.Status != engine.StatusFailed || run.Error.Code != "terminated" || !strings.Contains(run.Error.Message, "enough") {
		t.Errorf("run %+v, %v", run, run.Error)
	}
	flowtest.Eventually(t, 20*time.Second, "the step of the terminated run ends", func() bool { return len(h.Causes("a")) == 1 })
}

func TestTemporalAway(t *testing.T) {
	l := newLab(t)
	proxy := flowtest.NewProxy(t, l.address)
	proxy.Cut(true)
	var log syncBuffer
	h := flowtest.NewHost(map[string]flowtest.Step{"a": flowtest.Sleep(6 * time.Second)})
	p := l.parts(t, h)
	p.Temporal.HostPort = proxy.Address
	p.Log = log.logger()
	go func() {
		flowtest.Eventually(t, 30*time.Second, "the worker says that it waits", func() bool {
			return strings.Contains(log.String(), "reaching Temporal at "+proxy.Address+" failed; trying again")
		})
		proxy.Cut(false)
	}()
	serve(t, p)
	s := l.start(t, one, "", "{}")
	flowtest.Eventually(t, 30*time.Second, "the step runs", func() bool { return len(h.Calls("a")) == 1 })
	proxy.Cut(true) // in the middle of the step
	time.Sleep(3 * time.Second)
	proxy.Cut(false)
	if run := l.result(t, s); run.Status != engine.StatusSucceeded {
		t.Errorf("run %+v: %v", run, run.Error)
	}
}

func TestHealth(t *testing.T) {
	l := newLab(t)
	var log syncBuffer
	p := l.parts(t, flowtest.NewHost(nil))
	p.Listen, p.Log = "127.0.0.1:0", log.logger()
	serve(t, p)
	_, rest, ok := strings.Cut(log.String(), "health, readiness and metrics\" address=")
	if !ok {
		t.Fatalf("the log names no address:\n%s", log.String())
	}
	address, _, _ := strings.Cut(rest, "\n")
	l.result(t, l.start(t, one, "", "{}"))
	for path, want := range map[string]string{
		"/healthz": "ok", "/readyz": "ok", "/metrics": `temporal_activity_execution_latency_seconds_count{`,
	} {
		req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+strings.TrimSpace(address)+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		resp, err := http.DefaultClient.Do(req)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(resp.Body)
		_ = resp.Body.Close()
		if err != nil || resp.StatusCode != http.StatusOK || !strings.Contains(string(body), want) {
			t.Errorf("%s: %d, %v, lacks %q:\n%.2000s", path, resp.StatusCode, err, want, body)
		}
	}
}

func TestDialUnreachable(t *testing.T) {
	proxy := flowtest.NewProxy(t, "127.0.0.1:1")
	_, err := client.Dial(t.Context(), client.Options{Address: proxy.Address})
	if unreachable := new(client.UnreachableError); !errors.As(err, &unreachable) || !strings.Contains(err.Error(), proxy.Address) {
		t.Errorf("got %v", err)
	}
}
