package client

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	enumspb "go.temporal.io/api/enums/v1"
	historypb "go.temporal.io/api/history/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/containerpub/cpub/engine"
	"github.com/containerpub/cpub/sdk"
	"github.com/containerpub/cpub/workflows"
)

// Run is a run as its history tells it.
type Run struct {
	ID        string          `json:"id"`
	RunID     string          `json:"run_id"`
	Pipeline  string          `json:"pipeline"`
	Plan      string          `json:"plan,omitempty"` // digest
	Status    engine.Status   `json:"status"`
	Variables json.RawMessage `json:"variables,omitempty"`
	StartedAt time.Time       `json:"started_at"`
	EndedAt   *time.Time      `json:"ended_at,omitempty"`
	Outputs   json.RawMessage `json:"outputs,omitempty"`
	// Error is a failed run's; its step is empty where the run failed as a whole.
	Error *engine.StepError `json:"error,omitempty"`
	// Waiting says why nothing runs yet: the run's turn has not come.
	Waiting string `json:"waiting,omitempty"`
	// Steps are in declared order once the plan is loaded, those with for_each by instance once they have some.
	Steps []*Step `json:"steps"`
}

// Step is a step of a run, one instance of a step, or what undoes either. Until it is scheduled it is pending, or, in a run that
// succeeded, skipped.
type Step struct {
	Name     string        `json:"step"` // its address
	Type     string        `json:"type"`
	Status   engine.Status `json:"status"`
	Key      string        `json:"key,omitempty"`
	Queue    string        `json:"queue,omitempty"`
	Worker   string        `json:"worker,omitempty"` // identity of the one that has, or had, the last attempt
	Attempt  int           `json:"attempt,omitempty"`
	Progress *sdk.Progress `json:"progress,omitempty"`
	// Round is which time the step runs by itself, from 2 on.
	Round int `json:"round,omitempty"`
	// Child is the workflow id of the run that a step of the type `pipeline` started.
	Child string `json:"child,omitempty"`
	// Approval is what is to be decided, of a step that waits for a person.
	Approval string `json:"approval,omitempty"`
	// Kept tells that the outputs are an earlier run's, and the step was not started.
	Kept bool `json:"kept,omitempty"`
	// Waiting says why a step that was scheduled does not run: it is in its queue, between two attempts or rounds, or waits itself.
	Waiting string `json:"waiting,omitempty"`
	// LastFailure is that of the attempt before this one.
	LastFailure string            `json:"last_failure,omitempty"`
	Input       json.RawMessage   `json:"input,omitempty"`
	Outputs     json.RawMessage   `json:"outputs,omitempty"`
	Error       *engine.StepError `json:"error,omitempty"`
	ScheduledAt *time.Time        `json:"scheduled_at,omitempty"`
	StartedAt   *time.Time        `json:"started_at,omitempty"` // of the last attempt
	EndedAt     *time.Time        `json:"ended_at,omitempty"`

	keys   []string // of all rounds
	header workflows.Header
	events bool // the history tells of it
}

// converterPayloads is any set of Temporal's values.
type converterPayloads interface{ GetPayloads() []*commonpb.Payload }

// Step returns the step of that name, or nil.
func (r *Run) Step(name string) *Step {
	for _, s := range r.Steps {
		if s.Name == name {
			return s
		}
	}
	return nil
}

// Run tells how a run stands. An empty runID means the workflow id's latest. It needs no worker: of the steps that leave nothing in the history a
// worker tells that answers, and else going through the history.
func (c *Client) Run(ctx context.Context, id, runID string) (*Run, error) {
	runID, err := c.first(ctx, id, runID)
	if err != nil {
		return nil, err
	}
	f := newFold(id, runID)
	var history *historypb.History
	for next := true; next; {
		read := f.run.RunID
		if history, err = c.recorded(ctx, id, read); err != nil {
			return nil, err
		}
		for _, event := range history.GetEvents() {
			f.event(event)
		}
		next = f.run.RunID != read
	}
	desc, err := c.temporal.DescribeWorkflowExecution(ctx, id, f.run.RunID)
	if err != nil {
		return nil, c.wrapRun(err, id, "looking at")
	}
	f.pending(desc.GetPendingActivities())
	if f.untold() {
		told := c.report(ctx, id, f.run.RunID)
		if told == nil { // a history that another version wrote may not tell it either
			told, _ = workflows.ReportOf(id, f.run.RunID, history)
		}
		f.report(told)
	}
	f.flatten()
	return f.run, nil
}

// Summary is a run in a list.
type Summary struct {
	ID        string        `json:"id"`
	RunID     string        `json:"run_id"`
	Pipeline  string        `json:"pipeline"`
	Status    engine.Status `json:"status"`
	StartedAt time.Time     `json:"started_at"`
	EndedAt   *time.Time    `json:"ended_at,omitempty"`
	// Doing is what it does or waits for, for people, once Client.Doing was asked.
	Doing string `json:"doing,omitempty"`
}

// ListOptions narrow a list.
type ListOptions struct {
	// Pipeline lists its runs alone; empty lists all.
	Pipeline string
	// Open lists those alone that are under way.
	Open bool
	// Limit is the most runs to list; zero means 100.
	Limit int
}

// List gives runs, the latest first. What it tells may be a second old.
func (c *Client) List(ctx context.Context, opts ListOptions) ([]Summary, error) {
	if opts.Limit <= 0 {
		opts.Limit = 100
	}
	query := fmt.Sprintf(`TaskQueue = %q AND WorkflowType != %q AND ExecutionStatus != "ContinuedAsNew"`, workflows.TaskQueue, workflows.LockWorkflow)
	if opts.Pipeline != "" {
		query += fmt.Sprintf(" AND WorkflowType = %q", opts.Pipeline)
	}
	if opts.Open {
		query += ` AND ExecutionStatus = "Running"`
	}
	var runs []Summary
	var page []byte
	for {
		resp, err := c.temporal.ListWorkflow(ctx, &workflowservice.ListWorkflowExecutionsRequest{
			Query: query, PageSize: int32(min(opts.Limit-len(runs), 1000)), NextPageToken: page,
		})
		if err != nil {
			return nil, c.wrap(err, "listing runs")
		}
		for _, e := range resp.GetExecutions() {
			runs = append(runs, summary(e))
		}
		page = resp.GetNextPageToken()
		if len(page) == 0 || len(runs) >= opts.Limit {
			return runs, nil
		}
	}
}

func summary(e *workflowpb.WorkflowExecutionInfo) Summary {
	s := Summary{
		ID: e.GetExecution().GetWorkflowId(), RunID: e.GetExecution().GetRunId(), Pipeline: e.GetType().GetName(),
		Status: statusOf(e.GetStatus()), StartedAt: e.GetStartTime().AsTime(),
	}
	if e.GetCloseTime() != nil {
		t := e.GetCloseTime().AsTime()
		s.EndedAt = &t
	}
	return s
}

func statusOf(s enumspb.WorkflowExecutionStatus) engine.Status {
	switch s {
	case enumspb.WORKFLOW_EXECUTION_STATUS_COMPLETED:
		return engine.StatusSucceeded
	case enumspb.WORKFLOW_EXECUTION_STATUS_CANCELED:
		return engine.StatusCancelled
	case enumspb.WORKFLOW_EXECUTION_STATUS_FAILED, enumspb.WORKFLOW_EXECUTION_STATUS_TERMINATED, enumspb.WORKFLOW_EXECUTION_STATUS_TIMED_OUT:
		return engine.StatusFailed
	default:
		return engine.StatusRunning
	}
}

// Result waits for a run's end and tells how it stands then.
func (c *Client) Result(ctx context.Context, id, runID string) (*Run, error) {
	return c.Follow(ctx, id, runID, func(Event) {})
}
