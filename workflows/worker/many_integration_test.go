//go:build integration

package worker_test

import (
	"context"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"sync/atomic"
	"testing"

	enumspb "go.temporal.io/api/enums/v1"

	"github.com/containerpub/cpub/engine"
	"github.com/containerpub/cpub/workflows/client"
	"github.com/containerpub/cpub/workflows/internal/flowtest"
)

// many runs a step of the provider's for each element of a list, and counts them by what they gave.
const many = `
variable "items" { type = list(string) }
pipeline "many" {
  max_parallel = 200
  step "work" "each" {
    for_each = toset(var.items)
    text     = "item ${each.value}"
  }
  step "value" "count" { value = length([for key, one in step.each : key if one.text == "item ${key}"]) }
  output "count" { value = step.count.value }
}`

// Temporal's limits of a history, and of one payload.
const (
	maxEvents       = 51_200
	maxHistoryBytes = 50 << 20
	maxPayload      = 2 << 20
)

// chained is what one run left behind.
type chained struct {
	histories int
	events    int   // of the longest
	bytes     int64 // of the largest
	payload   int   // the largest of all events
}

// BenchmarkForEach10000 is a for_each over 10,000 elements, each a call to a provider, from its start to its end.
func BenchmarkForEach10000(b *testing.B) {
	const elements = 10_000
	l := newLab(b)
	h := flowtest.NewHost(nil)
	serve(b, l.parts(b, h))
	plan := flowtest.Plan(b, many)
	items := make([]string, elements)
	for i := range items {
		items[i] = fmt.Sprintf("%05d", i)
	}
	variables, err := json.Marshal(map[string]any{"items": items})
	if err != nil {
		b.Fatal(err)
	}
	var c chained
	for round := 0; b.Loop(); round++ {
		s, err := l.client.Start(b.Context(), client.StartOptions{Plan: plan, ID: fmt.Sprint(round), Variables: variables})
		if err != nil {
			b.Fatal(err)
		}
		run, err := l.client.Result(b.Context(), s.ID, s.RunID)
		if err != nil {
			b.Fatal(err)
		}
		if run.Status != engine.StatusSucceeded || string(run.Outputs) != fmt.Sprintf(`{"count":%d}`, elements) || len(h.Calls("")) != elements*(round+1) {
			b.Fatalf("run %s, %s, %v, %d calls", run.Status, run.Outputs, run.Error, len(h.Calls("")))
		}
		c = l.chain(b, s)
	}
	b.ReportMetric(float64(c.histories), "histories")
	b.ReportMetric(float64(c.events), "events")
	b.ReportMetric(float64(c.bytes)/1e6, "MB")
	b.ReportMetric(float64(c.payload)/1e6, "payload-MB")
}

// chain goes through all histories of a run, and fails where one comes near a limit of Temporal's.
func (l *lab) chain(t testing.TB, s *client.Started) chained {
	t.Helper()
	c := chained{}
	for runID := s.RunID; runID != ""; {
		desc, err := l.raw.DescribeWorkflowExecution(t.Context(), s.ID, runID)
		if err != nil {
			t.Fatal(err)
		}
		info := desc.GetWorkflowExecutionInfo()
		c.histories++
		c.events, c.bytes = max(c.events, int(info.GetHistoryLength())), max(c.bytes, info.GetHistorySizeBytes())
		iter := l.raw.GetWorkflowHistory(t.Context(), s.ID, runID, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
		runID = ""
		for iter.HasNext() {
			e, err := iter.Next()
			if err != nil {
				t.Fatal(err)
			}
			c.payload = max(c.payload, e.Size())
			if next := e.GetWorkflowExecutionContinuedAsNewEventAttributes(); next != nil {
				runID = next.GetNewExecutionRunId()
			}
		}
		t.Logf("%d events, %d bytes, %s", info.GetHistoryLength(), info.GetHistorySizeBytes(), info.GetCloseTime().AsTime().Sub(info.GetStartTime().AsTime()))
	}
	if c.events > maxEvents/2 || c.bytes > maxHistoryBytes*3/4 || c.payload > maxPayload {
		t.Errorf("a history has %d events and %d bytes, one of them %d", c.events, c.bytes, c.payload)
	}
	return c
}

// TestMuchKnown has steps give so much that what the run knows is a large part of each history, or too much for any.
func TestMuchKnown(t *testing.T) {
	l := newLab(t)
	h := flowtest.NewHost(nil)
	var calls atomic.Int64
	h.Default = func(_ context.Context, call engine.Call, _ engine.Observer) (json.RawMessage, error) {
		switch {
		case call.Step == "end":
			return json.RawMessage(`{"text":"the end"}`), nil
		case strings.Contains(string(call.Input), "long"):
			return json.Marshal(map[string]string{"text": strings.Repeat("x", 60_000)})
		}
		noise := make([]byte, 30_000) // nothing makes it shorter
		_, _ = rand.NewChaCha8([32]byte(binary.BigEndian.AppendUint64(make([]byte, 24), uint64(calls.Add(1))))).Read(noise)
		return json.Marshal(map[string]string{"text": base64.StdEncoding.EncodeToString(noise)})
	}
	serve(t, l.parts(t, h))
	src := func(elements int, text string) string {
		return fmt.Sprintf(`pipeline "much" {
  step "work" "each" {
    for_each = toset([for i in range(%d) : format("%%04d", i)])
    text     = %q
  }
  output "text" { value = length(step.each["0007"].text) }
  finally {
    step "work" "end" { text = "x" }
  }
}`, elements, text)
	}
	s := l.start(t, src(200, "noise"), "some", "{}")
	if r := l.result(t, s); r.Status != engine.StatusSucceeded || string(r.Outputs) != `{"text":40000}` {
		t.Errorf("%s, %v", r.Status, r.Error)
	}
	if c := l.chain(t, s); c.histories < 2 || c.histories > 4 {
		t.Errorf("%d histories", c.histories)
	}
	s = l.start(t, src(1000, "long"), "all", "{}")
	r := l.result(t, s)
	if r.Status != engine.StatusFailed || r.Error.Code != engine.CodeTooLarge || !strings.Contains(r.Error.Message, "artifacts") || len(h.Calls("end")) != 2 {
		t.Errorf("%s, %v", r.Status, r.Error)
	}
	if len(h.Calls("")) > 900 {
		t.Errorf("%d calls", len(h.Calls("")))
	}
	l.chain(t, s)
}
