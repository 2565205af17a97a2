package workflows_test

import (
	"path/filepath"
	"testing"

	"go.temporal.io/sdk/worker"
	"go.temporal.io/sdk/workflow"

	"github.com/containerpub/cpub/workflows"
)

// TestReplay replays histories that a real server recorded (go test -tags integration ./workflows/worker -run TestHistories -update).
// One that fails means that runs under way would break with this build.
func TestReplay(t *testing.T) {
	files, err := filepath.Glob(filepath.Join("testdata", "*.json"))
	if err != nil || len(files) < 7 {
		t.Fatalf("%d histories, %v", len(files), err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			r := worker.NewWorkflowReplayer()
			r.RegisterDynamicWorkflow(workflows.Pipeline, workflow.DynamicRegisterOptions{})
			r.RegisterWorkflowWithOptions(workflows.Lock, workflow.RegisterOptions{Name: workflows.LockWorkflow})
			h := history(t, filepath.Base(file))
			// The ids of children are made of the run's.
			run := workflow.Execution{ID: h.GetEvents()[0].GetWorkflowExecutionStartedEventAttributes().GetWorkflowId(), RunID: "replayed"}
			if err := r.ReplayWorkflowHistoryWithOptions(nil, h, worker.ReplayWorkflowHistoryOptions{OriginalExecution: run}); err != nil {
				t.Error(err)
			}
		})
	}
}
