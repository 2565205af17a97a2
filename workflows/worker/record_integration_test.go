//go:build integration

package worker_test

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"testing"
	"time"

	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	tclient "go.temporal.io/sdk/client"
	tworker "go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/containerpub/cpub/engine"
	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/workflows"
	"github.com/containerpub/cpub/workflows/internal/flowtest"
)

//nolint:gochecknoglobals // a flag of the test
var update = flag.Bool("update", false, "record the histories in ../testdata anew")

// TestHistories runs, on a real server, what the replay test replays: each history must replay as it came, and with -update is kept.
func TestHistories(t *testing.T) {
	l := newLab(t)
	located := func(_ context.Context, _ engine.Call, o engine.Observer) (json.RawMessage, error) {
		o.Progress(sdk.Progress{Message: "built"})
		return json.RawMessage(`{"text":"t","image":{"id":"i","location":"here"}}`), nil
	}
	failing := func(context.Context, engine.Call, engine.Observer) (json.RawMessage, error) {
		return nil, sdk.Failed(sdk.CodeOOM, map[string]any{"text": "partial"}, errors.New("killed at 128 MiB"))
	}
	h := flowtest.NewHost(map[string]flowtest.Step{"located": located, "failing": failing, "blocks": flowtest.Block})
	serve(t, l.parts(t, h))
	for name, tt := range map[string]struct {
		src, variables string
		cancel         bool
		want           engine.Status
	}{
		"succeeded": {chain, `{"who":"you"}`, false, engine.StatusSucceeded},
		"variables": {chain, "", false, engine.StatusFailed},
		"located": {`pipeline "p" {
  max_parallel = 2
  step "work" "located" { text = "x" }
  step "work" "uses" {
    text  = "y"
    image = step.located.image
  }
  step "work" "beside" { text = "z" }
  step "work" "last" {
    text       = "run ${run.id} of ${pipeline.name}"
    depends_on = [step.uses, step.beside]
  }
}`, "{}", false, engine.StatusSucceeded},
		"failed": {`pipeline "p" {
  step "work" "failing" {
    text = "x"
    retry {
      max_attempts     = 2
      initial_interval = "10ms"
      on               = ["oom"]
    }
  }
  step "work" "after" { text = step.failing.text }
}`, "{}", false, engine.StatusFailed},
		"timeout": {`pipeline "p" {
  timeout = "1s"
  step "work" "blocks" { text = "x" }
}`, "{}", false, engine.StatusFailed},
		"step_timeout": {`pipeline "p" {
  step "work" "blocks" {
    text    = "x"
    timeout = "1s"
  }
}`, "{}", false, engine.StatusFailed},
		"cancelled": {`pipeline "p" {
  step "work" "blocks" { text = "x" }
  step "work" "after" { text = step.blocks.text }
}`, "{}", true, engine.StatusCancelled},
	} {
		t.Run(name, func(t *testing.T) {
			before := len(h.Calls("blocks"))
			id, runID := l.startRaw(t, name, tt.src, tt.variables)
			if tt.cancel {
				flowtest.Eventually(t, 20*time.Second, "the step runs", func() bool { return len(h.Calls("blocks")) > before })
				if err := l.raw.CancelWorkflow(t.Context(), id, runID); err != nil {
					t.Fatal(err)
				}
			}
			run, err := l.client.Result(t.Context(), id, runID)
			if err != nil {
				t.Fatal(err)
			}
			if run.Status != tt.want {
				t.Errorf("status %s, want %s: %v", run.Status, tt.want, run.Error)
			}
			l.keep(t, name, id, runID)
		})
	}
}

// startRaw starts a run as anyone's SDK would, so that wrong variables get through, too.
func (l *lab) startRaw(t *testing.T, name, src, variables string) (id, runID string) {
	t.Helper()
	plan := flowtest.Plan(t, src)
	data, digest, err := plan.Encode()
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.store.PutPlan(t.Context(), data); err != nil {
		t.Fatal(err)
	}
	var args []any
	if variables != "" {
		args = []any{json.RawMessage(variables)}
	}
	run, err := l.raw.ExecuteWorkflow(t.Context(), tclient.StartWorkflowOptions{
		ID: plan.Pipeline + "/" + name, TaskQueue: workflows.TaskQueue, Memo: map[string]any{workflows.MemoPlan: digest},
	}, plan.Pipeline, args...)
	if err != nil {
		t.Fatal(err)
	}
	return run.GetID(), run.GetRunID()
}

// keep replays a history and, with -update, writes it into testdata.
func (l *lab) keep(t *testing.T, name, id, runID string) {
	t.Helper()
	h := &historypb.History{}
	iter := l.raw.GetWorkflowHistory(t.Context(), id, runID, false, enumspb.HISTORY_EVENT_FILTER_TYPE_ALL_EVENT)
	for iter.HasNext() {
		e, err := iter.Next()
		if err != nil {
			t.Fatal(err)
		}
		h.Events = append(h.Events, e)
	}
	replayer := tworker.NewWorkflowReplayer()
	replayer.RegisterDynamicWorkflow(workflows.Pipeline, workflow.DynamicRegisterOptions{})
	replayer.RegisterWorkflowWithOptions(workflows.Lock, workflow.RegisterOptions{Name: workflows.LockWorkflow})
	run := workflow.Execution{ID: id, RunID: "replayed"} // the ids of children are made of the run's
	if err := replayer.ReplayWorkflowHistoryWithOptions(nil, h, tworker.ReplayWorkflowHistoryOptions{OriginalExecution: run}); err != nil {
		t.Errorf("replaying: %v", err)
	}
	if !*update {
		return
	}
	data, err := protojson.MarshalOptions{Indent: " "}.Marshal(h)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join("..", "testdata", name+".json"), append(data, '\n'), 0o644); err != nil {
		t.Fatal(err)
	}
}
