package client

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	commonpb "go.temporal.io/api/common/v1"
	"go.temporal.io/api/serviceerror"
	tclient "go.temporal.io/sdk/client"
	"go.temporal.io/sdk/converter"

	"github.com/containerpub/cpub/engine/config"
	"github.com/containerpub/cpub/sdk/schema"
	"github.com/containerpub/cpub/workflows"
)

// NoScheduleError says that there is no such schedule.
type NoScheduleError struct{ Name string }

func (e *NoScheduleError) Error() string {
	return fmt.Sprintf("there is no schedule %q: `cpub schedule list` lists those that there are", e.Name)
}

// Schedule is a schedule as Temporal has it.
type Schedule struct {
	Name        string `json:"schedule"`
	Pipeline    string `json:"pipeline"`
	Description string `json:"description,omitempty"`
	Owner       string `json:"owner,omitempty"`
	Plan        string `json:"plan,omitempty"` // digest
	// Times are cron texts, or one interval ("every 1h"); "calendar" is what has no such form.
	Times     []string        `json:"times"`
	Timezone  string          `json:"timezone,omitempty"`
	Overlap   config.Overlap  `json:"overlap"`
	Variables json.RawMessage `json:"variables,omitempty"`
	Paused    bool            `json:"paused"`
	// Note says why it is paused, or was.
	Note string `json:"note,omitempty"`
	// Next is when the next run begins, Last the run that began last, Running are those under way.
	Next    *time.Time   `json:"next,omitempty"`
	Last    *ScheduleRun `json:"last,omitempty"`
	Running []string     `json:"running,omitempty"`
	// Runs is how many were begun, Skipped how many were not since an earlier one was under way, Missed how many since their time was over.
	Runs    int `json:"runs"`
	Skipped int `json:"skipped,omitempty"`
	Missed  int `json:"missed,omitempty"`
}

// ScheduleRun is a run that a schedule began.
type ScheduleRun struct {
	ID        string    `json:"id"`
	RunID     string    `json:"run_id"`
	StartedAt time.Time `json:"started_at"`
}

func (c *Client) handle(ctx context.Context, name string) tclient.ScheduleHandle {
	return c.temporal.ScheduleClient().GetHandle(ctx, SchedulePrefix+name)
}

// wrapSchedule is wrap for what is asked of one schedule.
func (c *Client) wrapSchedule(err error, name, what string) error {
	var missing *serviceerror.NotFound
	if errors.As(err, &missing) {
		return &NoScheduleError{Name: name}
	}
	return c.wrap(err, "%s schedule %q", what, name)
}

func (c *Client) describeSchedule(ctx context.Context, name string) (*tclient.ScheduleDescription, error) {
	d, err := c.handle(ctx, name).Describe(ctx)
	return d, c.wrapSchedule(err, name, "looking at")
}

// ScheduleNames gives the names of the schedules that there are, in order, with one question for 200 of them; it may be a moment old.
func (c *Client) ScheduleNames(ctx context.Context) (names []string, err error) {
	iter, err := c.temporal.ScheduleClient().List(ctx, tclient.ScheduleListOptions{PageSize: 200})
	if err != nil {
		return nil, c.wrap(err, "listing schedules")
	}
	for iter.HasNext() {
		entry, err := iter.Next()
		if err != nil {
			return nil, c.wrap(err, "listing schedules")
		}
		if name, ours := strings.CutPrefix(entry.ID, SchedulePrefix); ours {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names, nil
}

// Schedules gives the schedules that there are, by name. One that was made or deleted a moment ago may be missing, or still be there.
func (c *Client) Schedules(ctx context.Context) (out []Schedule, err error) {
	names, err := c.ScheduleNames(ctx)
	if err != nil {
		return nil, err
	}
	for _, name := range names {
		s, err := c.Schedule(ctx, name) // the list itself may be old
		var gone *NoScheduleError
		if errors.As(err, &gone) {
			continue
		}
		if err != nil {
			return nil, err
		}
		out = append(out, *s)
	}
	return out, nil
}

// Schedule tells how a schedule stands. *NoScheduleError says that there is none.
func (c *Client) Schedule(ctx context.Context, name string) (*Schedule, error) {
	d, err := c.describeSchedule(ctx, name)
	if err != nil {
		return nil, err
	}
	m, _ := markOf(d)
	s := &Schedule{
		Name: name, Owner: m.Owner, Description: m.Description, Paused: d.Schedule.State.Paused, Note: d.Schedule.State.Note,
		Overlap: overlapName(d.Schedule.Policy.Overlap), Times: timesOf(d.Schedule.Spec), Timezone: d.Schedule.Spec.TimeZoneName,
		Next: next(d), Runs: d.Info.NumActions, Skipped: d.Info.NumActionsSkippedOverlap, Missed: d.Info.NumActionsMissedCatchupWindow,
	}
	action := actionOf(&d.Schedule)
	s.Pipeline, _ = action.Workflow.(string)
	if len(action.Args) > 0 {
		read(action.Args[0], &s.Variables)
	}
	read(action.Memo[workflows.MemoPlan], &s.Plan)
	for _, r := range d.Info.RunningWorkflows {
		s.Running = append(s.Running, r.WorkflowID)
	}
	if n := len(d.Info.RecentActions); n > 0 {
		s.Last = begun(d.Info.RecentActions[n-1])
	}
	return s, nil
}

// read takes one of Temporal's values. It reports false for what is none, or does not fit.
func read(value, into any) bool {
	p, ok := value.(*commonpb.Payload)
	return ok && converter.GetDefaultDataConverter().FromPayload(p, into) == nil
}

// begun is a run that a schedule began, or nil.
func begun(a tclient.ScheduleActionResult) *ScheduleRun {
	if a.StartWorkflowResult == nil {
		return nil
	}
	return &ScheduleRun{ID: a.StartWorkflowResult.WorkflowID, RunID: a.StartWorkflowResult.FirstExecutionRunID, StartedAt: a.ActualTime}
}

// next is when the next run begins; nil if none does by itself.
func next(d *tclient.ScheduleDescription) *time.Time {
	if d.Schedule.State.Paused || len(d.Info.NextActionTimes) == 0 {
		return nil
	}
	return &d.Info.NextActionTimes[0]
}

// timesOf says when runs begin, as it was written.
func timesOf(spec *tclient.ScheduleSpec) []string {
	out := []string{}
	for _, cal := range spec.Calendars {
		text := cal.Comment
		if _, err := config.ParseCron(text); err != nil {
			text = "calendar"
		}
		out = append(out, text)
	}
	for _, i := range spec.Intervals {
		text := "every " + schema.Duration(i.Every).String()
		if i.Offset > 0 {
			text += " + " + schema.Duration(i.Offset).String()
		}
		out = append(out, text)
	}
	return out
}

// PauseSchedule lets a schedule begin no more runs. note says why; it may be empty.
func (c *Client) PauseSchedule(ctx context.Context, name, note string) error {
	if note == "" {
		note = "paused by cpub schedule pause"
	}
	return c.wrapSchedule(c.handle(ctx, name).Pause(ctx, tclient.SchedulePauseOptions{Note: note}), name, "pausing")
}

// ResumeSchedule lets a schedule begin runs again. note says why; it may be empty.
func (c *Client) ResumeSchedule(ctx context.Context, name, note string) error {
	if note == "" {
		note = "resumed by cpub schedule resume"
	}
	return c.wrapSchedule(c.handle(ctx, name).Unpause(ctx, tclient.ScheduleUnpauseOptions{Note: note}), name, "resuming")
}

// DeleteSchedule removes a schedule. Its runs go on.
func (c *Client) DeleteSchedule(ctx context.Context, name string) error {
	if _, err := c.describeSchedule(ctx, name); err != nil { // Temporal itself is silent where there is none
		return err
	}
	return c.wrapSchedule(c.handle(ctx, name).Delete(ctx), name, "deleting")
}

// triggerTime is how long Trigger waits for the run that it asked for.
const triggerTime = 10 * time.Second

// Triggered tells what came of a trigger: a run, or none, since the schedule's overlap skips it or keeps it for later.
type Triggered struct {
	Run     *ScheduleRun
	Skipped bool
}

// TriggerSchedule begins a run of a schedule now, paused or not, and under the schedule's own overlap.
func (c *Client) TriggerSchedule(ctx context.Context, name string) (*Triggered, error) {
	before, err := c.describeSchedule(ctx, name)
	if err != nil {
		return nil, err
	}
	known := map[string]bool{}
	for _, a := range before.Info.RecentActions {
		if r := begun(a); r != nil {
			known[r.RunID] = true
		}
	}
	if err := c.handle(ctx, name).Trigger(ctx, tclient.ScheduleTriggerOptions{}); err != nil {
		return nil, c.wrapSchedule(err, name, "triggering")
	}
	for deadline := time.Now().Add(triggerTime); time.Now().Before(deadline); {
		now, err := c.describeSchedule(ctx, name)
		if err != nil {
			return nil, err
		}
		for _, a := range now.Info.RecentActions {
			if r := begun(a); r != nil && !known[r.RunID] {
				return &Triggered{Run: r}, nil
			}
		}
		if now.Info.NumActionsSkippedOverlap > before.Info.NumActionsSkippedOverlap {
			return &Triggered{Skipped: true}, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
	return &Triggered{}, nil
}
