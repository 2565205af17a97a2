package workflows

import (
	"slices"
	"time"

	"go.temporal.io/sdk/temporal"
	"go.temporal.io/sdk/workflow"

	"github.com/containerpub/cpub/engine"
)

// releaseTime is how long the last act may take before the run ends without it. The sweeper does it later.
const releaseTime = 2 * time.Minute

// maxReleased is how many keys one activity releases.
const maxReleased = 1000

// kept is what one step kept until the run's end: by its key, on its queue.
type kept struct {
	ID    string `json:"id"`
	Key   string `json:"key"`
	Queue string `json:"queue"`
}

// keep notes what a step may keep.
func (r *run) keep(id string, t *track) {
	r.order = append(r.order, kept{ID: id, Key: t.Key, Queue: t.Queue})
}

// release ends what the run's steps kept, on every queue that one ran on, whatever became of the run.
func (r *run) release(ctx workflow.Context) {
	var queues []string
	keys := map[string][]string{}
	for _, k := range r.order {
		if _, ok := keys[k.Queue]; !ok {
			queues = append(queues, k.Queue)
		}
		keys[k.Queue] = append(keys[k.Queue], k.Key)
		if r.generation() != "" { // what ran before a reset has a key of that time
			keys[k.Queue] = append(keys[k.Queue], engine.KeyOf(r.info.WorkflowExecution.ID, r.info.FirstRunID, "", k.ID))
		}
	}
	ctx, cancel := workflow.NewDisconnectedContext(ctx)
	defer cancel()
	var futures []workflow.Future
	var on []string
	for _, queue := range queues {
		ctx := workflow.WithActivityOptions(ctx, workflow.ActivityOptions{
			TaskQueue: ReleaseQueue(queue), Summary: "remove what the steps kept", ScheduleToCloseTimeout: releaseTime,
			StartToCloseTimeout: releaseTime, HeartbeatTimeout: heartbeatTimeout, DisableEagerExecution: true,
			RetryPolicy: &temporal.RetryPolicy{InitialInterval: time.Second, BackoffCoefficient: 2, MaximumInterval: 10 * time.Second},
		})
		for part := range slices.Chunk(keys[queue], maxReleased) {
			futures = append(futures, workflow.ExecuteActivity(ctx, ReleaseActivity, ReleaseRequest{Keys: part}))
			on = append(on, queue)
		}
	}
	for i, f := range futures {
		if err := f.Get(ctx, nil); err != nil {
			workflow.GetLogger(ctx).Warn("Releasing what the steps kept; the sweeper does it later", "queue", on[i], "error", err)
		}
	}
}
