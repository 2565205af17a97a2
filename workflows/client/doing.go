package client

import (
	"context"
	"slices"
	"strings"
	"sync"
	"sync/atomic"

	enumspb "go.temporal.io/api/enums/v1"
	workflowpb "go.temporal.io/api/workflow/v1"
	"go.temporal.io/api/workflowservice/v1"

	"github.com/containerpub/cpub/engine"
	"github.com/containerpub/cpub/engine/eval"
	"github.com/containerpub/cpub/workflows"
)

// What Doing asks at most: of so many runs, so many at a time.
const (
	maxDoing      = 50
	doingAtOnce   = 8
	maxDoingNames = 3 // steps that are named
)

// Doing fills in what the runs that are under way do or wait for, of the first 50 of them. It asks Temporal for what is pending, and a worker,
// if one answers, for what leaves nothing pending there: approvals, waits, and turns. What cannot be told stays empty.
func (c *Client) Doing(ctx context.Context, runs []Summary) {
	var mute atomic.Bool // no worker answered: asking it for the other runs would take its time for each
	slots := make(chan struct{}, doingAtOnce)
	var all sync.WaitGroup
	asked := 0
	for i := range runs {
		if runs[i].EndedAt != nil {
			continue
		}
		if asked++; asked > maxDoing {
			break
		}
		slots <- struct{}{}
		all.Go(func() {
			defer func() { <-slots }()
			runs[i].Doing = c.doing(ctx, &runs[i], &mute)
		})
	}
	all.Wait()
}

func (c *Client) doing(ctx context.Context, run *Summary, mute *atomic.Bool) string {
	desc, err := c.temporal.DescribeWorkflowExecution(ctx, run.ID, run.RunID)
	if err != nil {
		return ""
	}
	p := pendingOf(desc, run.ID)
	task := desc.GetPendingWorkflowTask()
	untaken := task != nil && task.GetState() == enumspb.PENDING_WORKFLOW_TASK_STATE_SCHEDULED
	if untaken && p.empty() { // a worker that is busy takes it in a moment, and is asked below
		p.waits = append(p.waits, "a worker")
	}
	if mute.Load() {
		return p.String()
	}
	report := c.report(ctx, run.ID, run.RunID)
	if report == nil {
		mute.Store(true)
		return p.String()
	}
	if untaken && len(p.waits) == 1 && p.waits[0] == "a worker" {
		p.waits = nil
	}
	p.reported(report)
	return p.String()
}

// pending is what a run waits for.
type pending struct {
	waits, queued, retrying, running []string
}

func (p *pending) empty() bool { return len(p.waits)+len(p.queued)+len(p.retrying)+len(p.running) == 0 }

// pendingOf is what Temporal has pending of a run.
func pendingOf(desc *workflowservice.DescribeWorkflowExecutionResponse, id string) *pending {
	p := &pending{}
	for _, a := range desc.GetPendingActivities() {
		p.activity(a)
	}
	for _, child := range desc.GetPendingChildren() {
		if task, ok := childStep(child.GetWorkflowId(), id); ok {
			p.running = append(p.running, stepOf(task))
		}
	}
	for _, names := range []*[]string{&p.queued, &p.retrying, &p.running} {
		slices.Sort(*names)
		*names = slices.Compact(*names)
	}
	return p
}

func (p *pending) activity(a *workflowpb.PendingActivityInfo) {
	switch a.GetActivityType().GetName() {
	case workflows.LoadActivity:
		p.waits = append(p.waits, "its plan")
		return
	case workflows.AcquireActivity:
		p.waits = append(p.waits, "its turn")
		return
	case workflows.ReleaseActivity, workflows.KeepActivity, workflows.RestoreActivity:
		return
	}
	name := stepOf(a.GetActivityId())
	switch {
	case a.GetState() != enumspb.PENDING_ACTIVITY_STATE_SCHEDULED:
		p.running = append(p.running, name)
	case a.GetAttempt() > 1:
		p.retrying = append(p.retrying, name)
	default:
		p.queued = append(p.queued, name)
	}
}

func stepOf(id string) string {
	name, _ := splitID(id)
	return name
}

// reported adds what leaves nothing pending.
func (p *pending) reported(r *workflows.Report) {
	if r.Waiting != "" {
		p.waits = append(slices.DeleteFunc(p.waits, func(s string) bool { return s == "its turn" }), "its turn: "+r.Waiting)
	}
	var approvals, timers []string
	for i := range r.Steps {
		s := &r.Steps[i]
		switch {
		case s.Status != engine.StatusRunning:
		case s.Approval != "":
			approvals = append(approvals, s.Step)
		case s.Type == eval.TypeWait:
			timers = append(timers, s.Step)
		}
	}
	if len(approvals) > 0 {
		p.waits = append(p.waits, "approval of "+few(approvals))
	}
	if len(timers) > 0 {
		p.waits = append(p.waits, "the time of "+few(timers))
	}
}

// String is for people: what must happen first, then what is under way.
func (p *pending) String() string {
	var parts []string
	if len(p.waits) > 0 {
		parts = append(parts, "waits for "+strings.Join(p.waits, ", "))
	}
	for _, part := range []struct {
		verb  string
		names []string
	}{{"queued", p.queued}, {"retries", p.retrying}, {"runs", p.running}} {
		if len(part.names) > 0 {
			parts = append(parts, part.verb+" "+few(part.names))
		}
	}
	return strings.Join(parts, "; ")
}

func few(names []string) string {
	if len(names) <= maxDoingNames {
		return strings.Join(names, ", ")
	}
	return strings.Join(names[:maxDoingNames], ", ") + ", …"
}
