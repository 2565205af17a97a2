package client

import (
	"testing"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/containerpub/cpub/engine"
	"github.com/containerpub/cpub/workflows"
)

func TestPending(t *testing.T) {
	const scheduled, started = enumspb.PENDING_ACTIVITY_STATE_SCHEDULED, enumspb.PENDING_ACTIVITY_STATE_STARTED
	activity := func(id, kind string, state enumspb.PendingActivityState, attempt int32) *workflowpb.PendingActivityInfo {
		return &workflowpb.PendingActivityInfo{ActivityId: id, ActivityType: &commonpb.ActivityType{Name: kind}, State: state, Attempt: attempt}
	}
	step := func(name, kind, approval string, status engine.Status) workflows.StepReport {
		return workflows.StepReport{StepState: engine.StepState{Step: name, Type: kind, Status: status}, Approval: approval}
	}
	for name, tt := range map[string]struct {
		activities []*workflowpb.PendingActivityInfo
		report     *workflows.Report
		want       string
	}{
		"nothing": {},
		"activities": {
			activities: []*workflowpb.PendingActivityInfo{
				activity("b", "image_build", started, 1), activity("a", "image_build", started, 2), activity("q", "container_run", scheduled, 1),
				activity("r", "container_run", scheduled, 3), activity("x", workflows.ReleaseActivity, started, 1),
			},
			want: "queued q; retries r; runs a, b",
		},
		"many": {
			activities: []*workflowpb.PendingActivityInfo{
				activity("d", "t", started, 1), activity("c", "t", started, 1), activity("b", "t", started, 1), activity("a", "t", started, 1),
			},
			want: "runs a, b, c, …",
		},
		"its plan": {activities: []*workflowpb.PendingActivityInfo{activity("1", workflows.LoadActivity, scheduled, 1)}, want: "waits for its plan"},
		"turn": {
			activities: []*workflowpb.PendingActivityInfo{activity("1", workflows.AcquireActivity, started, 1)},
			report:     &workflows.Report{Waiting: "concurrency f-1"}, want: "waits for its turn: concurrency f-1",
		},
		"approval and step": {
			activities: []*workflowpb.PendingActivityInfo{activity("a", "t", started, 1)},
			report: &workflows.Report{Steps: []workflows.StepReport{
				step("release", "approval", "Go?", engine.StatusRunning), step("done", "approval", "", engine.StatusSucceeded),
				step("quiet", "wait", "", engine.StatusRunning), step("a", "t", "", engine.StatusRunning),
			}},
			want: "waits for approval of release, the time of quiet; runs a",
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := pendingOf(&workflowservice.DescribeWorkflowExecutionResponse{PendingActivities: tt.activities}, "w")
			if tt.report != nil {
				p.reported(tt.report)
			}
			if got := p.String(); got != tt.want {
				t.Errorf("got %q, want %q", got, tt.want)
			}
		})
	}
}
